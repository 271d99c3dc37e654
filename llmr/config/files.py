"""Opens a file that someone else may have put there: never blocks, never follows where it must not, never reads on and on.

One descriptor is opened without blocking, and everything is asked of that descriptor, so what was checked is what is
read (trust.md C6, B35, B36). A FIFO, a socket, a device or a directory is no configuration.
"""

import errno
import os
import stat
from pathlib import Path
from typing import Final

from llmr.config.wording import plain
from llmr.errors import ConfigError, TrustError

MOST_BYTES: Final = 1024 * 1024  # trust.md T24, C6
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_OTHERS_AT_ALL: Final = stat.S_IRWXG | stat.S_IRWXO


def read_config(path: Path, label: str, *, follow_links: bool, owner: int | None) -> bytes | None:
    """The file's bytes, None where there is no file.

    `owner` is the uid that it must belong to (root is as good), None: not asked. Raises TrustError for a file that someone
    else could have written, ConfigError for one that is no readable regular file of at most 1 MiB.
    """
    descriptor = _opened(path, label, follow_links=follow_links)
    if descriptor is None:
        return None
    try:
        _refuse_unsafe(os.fstat(descriptor), path, label, owner)
        return _read(descriptor, label)
    finally:
        os.close(descriptor)


def read_private(path: Path, label: str, *, owner: int) -> bytes | None:
    """The bytes of a file that holds secrets, None where there is none: mine, 0600 or less, no link. Raises TrustError."""
    try:
        descriptor = _opened(path, label, follow_links=False)
    except TrustError:
        raise
    except ConfigError as error:
        raise TrustError(str(error)) from error
    if descriptor is None:
        return None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise TrustError(f"{label}: is not a regular file; move it away: mv {quoted(path)} {quoted(path)}.old")
        if found.st_uid != owner:
            raise TrustError(f"{label}: belongs to another user; run: chown {owner} {quoted(path)}")
        if found.st_mode & _OTHERS_AT_ALL:
            mode = stat.S_IMODE(found.st_mode)
            raise TrustError(f"{label}: mode {mode:04o} lets others at your keys; run: chmod 600 {quoted(path)}")
        return _read(descriptor, label)
    finally:
        os.close(descriptor)


def quoted(path: Path) -> str:
    """The path as a shell word; one that needs escapes stays safe to paste (trust.md T31)."""
    from shlex import quote

    return quote(plain(str(path)))


def _opened(path: Path, label: str, *, follow_links: bool) -> int | None:
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | (0 if follow_links else os.O_NOFOLLOW)
    try:
        return os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:  # a NUL in the name
        raise ConfigError(f"{label}: is not a file name") from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise TrustError(f"{label}: is a symbolic link") from error
        raise ConfigError(f"{label}: cannot be read: {(error.strerror or 'unknown error').lower()}") from error


def _refuse_unsafe(found: os.stat_result, path: Path, label: str, owner: int | None) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise ConfigError(f"{label}: is not a regular file")
    if owner is not None and found.st_uid not in {owner, 0}:
        raise TrustError(f"{label}: belongs to another user (uid {found.st_uid})")
    if owner is not None and found.st_mode & _OTHERS_WRITE:
        mode = stat.S_IMODE(found.st_mode)
        raise TrustError(f"{label}: mode {mode:04o} lets others write to it; run: chmod go-w {quoted(path)}")


def read_within(descriptor: int, most_bytes: int) -> bytes | None:
    """The whole of it, None where it is more than that: no more than one byte beyond is ever read. Raises OSError.

    What size it says it has is not asked: that may be 0 (/proc), and a file may grow while it is read.
    """
    parts: list[bytes] = []
    left = most_bytes + 1
    while left > 0:
        part = os.read(descriptor, left)
        if not part:
            return b"".join(parts)
        parts.append(part)
        left -= len(part)
    return None


def _read(descriptor: int, label: str) -> bytes:
    try:
        content = read_within(descriptor, MOST_BYTES)
    except OSError as error:
        raise ConfigError(f"{label}: cannot be read: {(error.strerror or 'unknown error').lower()}") from error
    if content is None:
        raise ConfigError(f"{label}: is larger than 1 MiB")
    return content
