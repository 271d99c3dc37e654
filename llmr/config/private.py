"""Writes a small file that only its owner may read, whole or not at all (trust.md §6)."""

import os
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
    make_private(path.parent)
    from tempfile import mkstemp

    descriptor, temporary = mkstemp(dir=path.parent, prefix=f".{path.name}.")  # 0600, O_EXCL, an unforeseeable name
    try:
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(descriptor, view) :]
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
