"""`llmr doctor`: the findings of checkup.py on a screen, or as JSON; redacted either way."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import Final

from llmr.cli.checkup import findings
from llmr.cli.exit_codes import ExitCode
from llmr.cli.finding import Finding, Subject, Verdict
from llmr.cli.output import print_line
from llmr.cli.pager import show_paged
from llmr.cli.screen import Screen, screen
from llmr.config.environment import Environment
from llmr.config.load import load
from llmr.errors import LlmrError
from llmr.render.ink import Line, Tone, ink, wrapped_line
from llmr.secret import Redactor

SCHEMA: Final = "llmr.doctor/1"

_TONES: Final[Mapping[Verdict, Tone]] = MappingProxyType(
    {Verdict.FINE: Tone.GOOD, Verdict.NOTE: Tone.FAINT, Verdict.WARN: Tone.WARN, Verdict.BAD: Tone.BAD}
)


def run_doctor(*, config_file: str | None, as_json: bool) -> int:
    """Look, and print what was found. The code: 0, or 3 where something is wrong. Raises OutputError."""
    environment = Environment.from_process()
    subject, redact = _subject(environment, Path(config_file) if config_file else None)
    found = [_pasteable(finding, environment, redact) for finding in findings(subject)]
    well = all(finding.verdict is not Verdict.BAD for finding in found)
    if as_json:
        rows = [
            {"section": f.section, "name": f.name, "verdict": f.verdict.value, "text": f.text, "mend": f.mend or None}
            for f in found
        ]
        print_line(json.dumps({"schema": SCHEMA, "ok": well, "findings": rows}))
    else:
        on = screen()
        show_paged([*_lines(found, on)], on, config_file)
    return int(ExitCode.OK if well else ExitCode.NOT_CONFIGURED)


def _subject(environment: Environment, file: Path | None) -> tuple[Subject, Redactor]:
    try:
        config = load(environment, config_file=file)
    except LlmrError as error:
        return Subject(environment, None, error, file), Redactor()
    return Subject(environment, config, None, file), Redactor(config.secrets())


def _pasteable(finding: Finding, environment: Environment, redact: Redactor) -> Finding:
    def cleaned(text: str) -> str:
        text = redact(text)
        home = str(environment.home) if environment.home is not None else ""
        return text.replace(f"{home}/", "~/") if len(home) > 1 else text

    return replace(finding, name=cleaned(finding.name), text=cleaned(finding.text), mend=cleaned(finding.mend))


def _lines(found: Sequence[Finding], on: Screen) -> Iterator[Line]:
    widest = max(len(finding.name) for finding in found if len(finding.name) <= _NAME_COLUMNS)
    for section, those in groupby(found, key=lambda finding: finding.section):
        yield ink(section, Tone.STRONG)
        for finding in those:
            sign, tone = _sign(finding.verdict, on), _TONES[finding.verdict]
            head = (*ink(f"  {sign} ", tone), *ink(f"{finding.name:<{widest}}  ", Tone.FAINT))
            yield from wrapped_line((*head, *ink(finding.text)), on.width, indent=" " * (widest + 6))
            if finding.mend:
                mend = (*ink(" " * (widest + 6)), *ink(f"{on.glyphs.arrow} {finding.mend}", tone))
                yield from wrapped_line(mend, on.width, indent=" " * (widest + 8))
    yield ()
    yield _summary(found, on)


_NAME_COLUMNS: Final = 20  # a longer name stands out of its column rather than widening it for all


def _summary(found: Sequence[Finding], on: Screen) -> Line:
    bad = sum(finding.verdict is Verdict.BAD for finding in found)
    warned = sum(finding.verdict is Verdict.WARN for finding in found)
    if bad:
        return ink(f"{_sign(Verdict.BAD, on)} {_things(bad)} wrong", Tone.BAD)
    if warned:
        return ink(f"{_sign(Verdict.WARN, on)} it works; {_things(warned)} worth a look", Tone.WARN)
    return ink(f"{_sign(Verdict.FINE, on)} all is well", Tone.GOOD)


def _things(number: int) -> str:
    return "one thing is" if number == 1 else f"{number} things are"


def _sign(verdict: Verdict, on: Screen) -> str:
    match verdict:
        case Verdict.FINE:
            return on.glyphs.tick
        case Verdict.NOTE:
            return on.glyphs.dot
        case Verdict.WARN:
            return "!"
        case Verdict.BAD:
            return on.glyphs.cross
