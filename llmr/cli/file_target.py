"""`-o FILE`: the answer in a file, whole or not at all.

A temporary file beside it takes its place when the answer is whole, so a run that fails leaves what was there before. What
came of an answer that broke is kept as `FILE.part`. Whether the file can be written is asked before the model is: an answer
costs money. What is no regular file (`/dev/stderr`, a named pipe) is written to as it stands.
"""

import contextlib
import os
import stat
from pathlib import Path
from typing import final

from llmr.errors import OutputError


@final
class FileTarget:
    """A file to be written. Raises OutputError where it cannot be."""

    def __init__(self, said: str) -> None:
        self._said = said
        self._path = Path(os.path.realpath(said))  # the file behind a link is replaced, not the link
        self._regular = True
        try:
            mode = self._path.stat().st_mode
        except FileNotFoundError:
            mode = None
        except OSError as error:
            raise self._failed(error) from error
        if mode is not None and stat.S_ISDIR(mode):
            raise OutputError(f"{said} is a directory: name a file for the answer")
        self._regular = mode is None or stat.S_ISREG(mode)
        self._mode = 0o666 if mode is None else stat.S_IMODE(mode)
        self._existed = mode is not None
        if not self._path.parent.is_dir():
            raise OutputError(f"{said}: there is no directory {self._path.parent}")
        if not os.access(self._path.parent if self._regular else self._path, os.W_OK):
            raise OutputError(f"{said}: not allowed to write there")

    def write(self, content: bytes) -> None:
        """Put `content` in the file's place. Raises OutputError."""
        try:
            if self._regular:
                self._replace(self._path, content)
            else:
                with self._path.open("wb") as file:
                    file.write(content)
        except OSError as error:
            raise self._failed(error) from error

    def write_part(self, content: bytes) -> str:
        """Keep what came of an answer that broke; the name it is kept under. What is no regular file has nothing beside it: it
        gets what there is. Raises OutputError."""
        if not self._regular:
            self.write(content)
            return self._said
        part = self._path.with_name(f"{self._path.name}.part")
        try:
            self._replace(part, content)
        except OSError as error:
            raise self._failed(error) from error
        return f"{self._said}.part"

    def _replace(self, path: Path, content: bytes) -> None:
        beside = path.with_name(f".{path.name[:200]}.{os.getpid()}.tmp")
        try:
            descriptor = os.open(
                beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, self._mode
            )
            with os.fdopen(descriptor, "wb") as file:
                if self._existed:
                    os.fchmod(descriptor, self._mode)  # as it was, whatever the umask
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            beside.replace(path)
        finally:
            with contextlib.suppress(OSError):
                beside.unlink()

    def _failed(self, error: OSError) -> OutputError:
        return OutputError(f"the answer cannot be written to {self._said}: {error.strerror}")
