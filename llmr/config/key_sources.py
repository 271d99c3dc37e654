"""Where keys come from that are not at hand: the user's own command, and the operating system's keyring.

Both are slow, may ask for a finger or a password, and are opened for the one provider that is asked (`Secret.late`). The
command is run without a shell, sees nothing on its standard input, and is given a time limit; of what it prints, the first
line is the key and nothing is ever shown, its complaints included, for a vault's error may quote what it guards.
"""

import os
import re
from collections.abc import Mapping, Sequence
from typing import Final

from llmr.config.environment import Environment
from llmr.errors import CredentialError

COMMAND_S: Final = 30.0  # a person may have to find the fingerprint reader
SERVICE: Final = "llmr"  # what the keyring files our keys under; the user name is the variable
FIT: Final = r"[\x21-\x7e]{8,4096}"  # trust.md T15
_SHORTEST: Final = 8  # trust.md T15
_LONGEST: Final = 4096  # trust.md T15
_MOST_BYTES: Final = 64 * 1024
_NO_KEYRING: Final = "pip install 'llmr[keyring]'"


def flaw_in(what: str, value: str) -> str | None:
    """Why this is no key that a header can carry, without saying what it is (B41); None: it can."""
    if re.fullmatch(FIT, value):
        return None
    if "\n" in value or "\r" in value:
        return f"{what} holds a line break in the middle"
    if not value.isascii():
        return f"{what} holds a character that is not ASCII"
    if " " in value:
        return f"{what} holds a blank in the middle"
    if len(value) < _SHORTEST:
        return f"{what} is shorter than {_SHORTEST} characters"
    if len(value) > _LONGEST:
        return f"{what} is longer than {_LONGEST} characters"
    return f"{what} holds a control character"


def fingerprint_of(value: str) -> str:
    """8 hex digits of the SHA-256 (routing.md §1): tells keys apart, and gives none away."""
    from hashlib import sha256  # late, as in trusted.py

    return sha256(value.encode("utf-8", "surrogateescape")).hexdigest()[:8]


def key_of_command(command: Sequence[str], environment: Environment, *, within_s: float = COMMAND_S) -> str:
    """The first line that the command prints. Raises CredentialError, saying nothing of what it printed."""
    import shlex

    what = f"api_key_cmd {shlex.quote(command[0])}"
    printed, code = _run(command, environment.for_programs(()), what, within_s)
    if code != 0:
        raise CredentialError(f"{what} failed with exit code {code}; run it yourself to see why: {shlex.join(command)}")
    value = printed.decode("utf-8", "replace").strip().split("\n", 1)[0].strip()
    if not value:
        raise CredentialError(f"{what} printed nothing")
    flaw = flaw_in(f"the key from {what}", value)
    if flaw is not None:
        raise CredentialError(flaw)
    return value


def _run(command: Sequence[str], variables: Mapping[str, str], what: str, within_s: float) -> tuple[bytes, int]:
    """What it printed, and its exit code. It stays in our process group: Ctrl-C reaches it too."""
    import subprocess

    try:
        process = subprocess.Popen(  # noqa: S603 - the user's own file names it; no shell
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(variables),
        )
    except OSError as error:
        raise CredentialError(f"{what} cannot be run: {(error.strerror or 'unknown error').lower()}") from error
    with process:
        assert process.stdout is not None  # noqa: S101 - PIPE
        try:
            printed = _read(process.stdout.fileno(), within_s)
            if len(printed) == _MOST_BYTES:  # it may be about to write for ever
                raise CredentialError(f"{what} printed more than a key")
            return printed, process.wait(timeout=within_s)
        except (subprocess.TimeoutExpired, TimeoutError) as error:
            raise CredentialError(f"{what} gave no key within {within_s:g} s") from error
        finally:
            process.kill()  # nothing happens to one that has ended


def _read(descriptor: int, within_s: float) -> bytes:
    """All of it, or its first 64 KiB. By the descriptor, so that a grandchild that keeps the pipe open holds nobody up.
    Raises TimeoutError."""
    import select
    import time

    ends_s = time.monotonic() + within_s  # noqa: TID251 - a process outside of every simulation
    collected = b""
    while len(collected) < _MOST_BYTES:
        left_s = ends_s - time.monotonic()  # noqa: TID251
        ready = select.select([descriptor], [], [], max(0.0, left_s))[0] if left_s > 0 else []
        if not ready:
            raise TimeoutError
        piece = os.read(descriptor, _MOST_BYTES - len(collected))
        if not piece:
            break
        collected += piece
    return collected


# The keyring


def keyring_lack() -> str | None:
    """Why there is no keyring to put a key into, with what to do; None: there is one."""
    try:
        import keyring
        from keyring.backends import chainer, fail, null
    except ImportError:
        return f"the extra is not installed ({_NO_KEYRING})"
    found = keyring.get_keyring()
    if isinstance(found, fail.Keyring | null.Keyring) or (
        isinstance(found, chainer.ChainerBackend) and not list(found.backends)
    ):
        return "this machine has no keyring that a program can open"
    return None


def key_of_keyring(variable: str) -> str:
    """The key that the operating system keeps. Raises CredentialError."""
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError as error:
        raise CredentialError(
            f"{variable} is in the keyring, but that extra is not installed: {_NO_KEYRING}"
        ) from error
    try:
        value = (keyring.get_password(SERVICE, variable) or "").strip()
    except KeyringError as error:
        raise CredentialError(f"{variable}: the keyring cannot be opened ({type(error).__name__})") from error
    if not value:
        raise CredentialError(f"{variable} is no longer in the keyring; put it there: llmr keys set")
    flaw = flaw_in(variable, value)
    if flaw is not None:
        raise CredentialError(flaw)
    return value


def put_into_keyring(variable: str, value: str) -> str | None:
    """Have the operating system keep it. What stood in the way, None: it is there."""
    lack = keyring_lack()
    if lack is not None:
        return lack
    import keyring
    from keyring.errors import KeyringError

    try:
        keyring.set_password(SERVICE, variable, value)
    except KeyringError as error:
        return f"the keyring refuses ({type(error).__name__})"
    return None


def drop_from_keyring(variable: str) -> None:
    """Have the operating system forget it, if it knows it. Raises CredentialError where it cannot be asked."""
    lack = keyring_lack()
    if lack is not None:
        raise CredentialError(f"{variable} is in the keyring, which cannot be opened: {lack}")
    import keyring
    from keyring.errors import KeyringError, PasswordDeleteError

    try:
        keyring.delete_password(SERVICE, variable)
    except PasswordDeleteError:
        return  # it is not there: that is what was wanted
    except KeyringError as error:
        raise CredentialError(f"{variable}: the keyring cannot be opened ({type(error).__name__})") from error
