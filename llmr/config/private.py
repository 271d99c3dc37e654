"""Writes a small file that only its owner may read, whole or not at all (trust.md §6)."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


def make_private(directory: Path) -> None:
    """Make the directory, and those above it that are missing, 0700 each (XDG base directory specification). Raises
    OSError."""
    missing = [directory, *directory.parents]
    missing = missing[: next((i for i, path in enumerate(missing) if path.exists()), len(missing))]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)


def replace_private(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Put `content` at `path`, 0600, in a directory that is made 0700 where it is missing. Raises OSError.

    `durable` waits for the disk; a cache does without.
    """
    with _beside(path, content, durable=durable) as temporary:
        temporary.replace(path)


def create_private(path: Path, content: bytes) -> None:
    """As replace_private, but what is at `path` already, or comes there at the same time, stays. Raises OSError."""
    with _beside(path, content, durable=True) as temporary:
        try:
            path.hardlink_to(temporary)  # whole from its first moment on, which O_EXCL alone is not
        except FileExistsError:
            return
        except OSError:  # a file system without links
            temporary.replace(path)


@contextmanager
def _beside(path: Path, content: bytes, *, durable: bool) -> Generator[Path]:
    """A file of that content in the same directory, gone at the end of the block unless it was moved."""
    make_private(path.parent)
    from tempfile import mkstemp

    descriptor, name = mkstemp(dir=path.parent, prefix=f".{path.name}.")  # 0600, O_EXCL, an unforeseeable name
    temporary = Path(name)
    try:
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(descriptor, view) :]
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
