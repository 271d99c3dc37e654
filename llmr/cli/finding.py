"""What `llmr doctor` says of one thing that it looked at, and what it looks at."""

from enum import StrEnum
from pathlib import Path

from llmr.config.build import Config
from llmr.config.environment import Environment
from llmr.dataclass import dataclass
from llmr.errors import LlmrError


class Verdict(StrEnum):
    """How a finding is meant."""

    FINE = "fine"
    NOTE = "note"  # worth knowing
    WARN = "warn"  # works, and probably not as it was meant
    BAD = "bad"  # does not work


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `mend`: what to do, "" where there is nothing to do."""

    section: str
    name: str
    verdict: Verdict
    text: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is examined. `config` None: `trouble` says why it could not be loaded."""

    environment: Environment
    config: Config | None
    trouble: LlmrError | None
    config_file: Path | None


def fine(section: str, name: str, text: str) -> Finding:
    """It is as it should be."""
    return Finding(section, name, Verdict.FINE, text)
