"""`!COMMAND`: a shell command of the person's own, and what it printed, to be sent along."""

import subprocess
from collections.abc import Mapping
from typing import Final

from llmr.dataclass import dataclass

MOST_BYTES: Final = 256 * 1024  # of a command's output; a longer one is cut, and that is said
_AT_ONCE: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class ShellOutput:
    """What a command printed, both streams as they came; `cut`: there was more."""

    command: str
    text: str
    code: int
    cut: bool

    @property
    def lines(self) -> list[str]:
        """The text's lines."""
        return self.text.splitlines()

    @property
    def shown(self) -> str:
        """As a model is told of it."""
        return f"$ {self.command}\n{self.text}" + (f"\n[exit {self.code}]" if self.code else "")


def shell_output(command: str, variables: Mapping[str, str]) -> ShellOutput:
    """Run it to its end. What is too long is read and dropped, so that `!yes` costs patience and no memory. Raises
    KeyboardInterrupt, the command ended."""
    with subprocess.Popen(  # noqa: S602 - it is the person's shell and the person's word
        command,
        shell=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=variables,
    ) as process:
        assert process.stdout is not None  # noqa: S101 - PIPE
        try:
            kept = process.stdout.read(MOST_BYTES)
            cut = False
            while process.stdout.read(_AT_ONCE):
                cut = True
            code = process.wait()
        except KeyboardInterrupt:
            process.kill()
            raise
    return ShellOutput(command, kept.decode("utf-8", "replace"), code, cut)
