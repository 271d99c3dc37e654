"""The status view: a line per model that lines up at any width, and below it what needs words."""

from dataclasses import replace
from typing import Any

import pytest
from fakes import NOON, model, provider

from llmr.registry import ModelStatus
from llmr.render.ink import Line, Tone, plain, width_of
from llmr.render.pictures import ASCII, UNICODE, Glyphs
from llmr.render.status import StatusView, recent_of
from llmr.routing.circuit import BreakerState, Cause, Forced, Phase
from llmr.routing.health import Circuit
from llmr.state import AttemptRecord

SOUND = BreakerState()
OPEN = replace(SOUND, phase=Phase.OPEN, cause=Cause.ERROR, why="rate_limit", opened_at=NOON - 1, open_until=NOON + 24)


def status(name: str = "a", state: BreakerState = SOUND, **facts: Any) -> ModelStatus:
    its = model(name)
    shown = {"attempts": 812, "success": 0.991, "p50_s": 0.412, "p95_s": 1.23, "last_error": "", "last_error_at": 0.0}
    circuits = (Circuit(f"provider {name}", state), Circuit(its.key, SOUND))
    return ModelStatus(its, circuits, **{**shown, **facts})


def attempt(name: str = "a", outcome: str = "ok", ttft_s: float | None = 0.4) -> AttemptRecord:
    return AttemptRecord("r", NOON, name, "m", outcome, True, 1.0, ttft_s)


def view(*statuses: ModelStatus, recent: list[AttemptRecord] | None = None, **facts: Any) -> StatusView:
    providers = list({s.model.provider.name: s.model.provider for s in statuses}.values())
    return StatusView(providers, statuses, recent_of(recent or []), {}, NOON, **facts) if "providers" not in facts else (
        StatusView(statuses=statuses, recent=recent_of(recent or []), spent={}, now=NOON, **facts)
    )  # fmt: skip


def said(of: StatusView, width: int | None = None, glyphs: Glyphs = UNICODE) -> list[str]:
    return [plain(line) for line in of.lines(width, glyphs)]


def test_a_model_is_a_line_of_figures_and_a_picture_of_its_last_attempts() -> None:
    recent = [attempt(), attempt(outcome="rate_limit", ttft_s=None), attempt(ttft_s=3.2)]
    head, line, legend = said(replace(view(status(), recent=recent), spent={"a/m": 0.25}))
    assert head.split() == ["model", "circuit", "p50", "p95", "ok", "asked", "spent", "recent"]
    assert line.split() == ["a/m", "●", "closed", "412", "ms", "1.2", "s", "99.1%", "812", "$0.25", "▁L█"]
    assert legend == "  spent, recent: the last 7 days; L rate limit; not in asked and ok: L"


def test_the_legend_tells_only_of_columns_that_are_there() -> None:
    of = view(status(), recent=[attempt(), attempt(outcome="rate_limit", ttft_s=None)])
    assert said(of)[-1] == "  recent: the last 7 days; L rate limit; not in asked and ok: L"
    head, *rest = said(of, 30)
    assert "recent" not in head
    assert "7 days" not in " ".join(rest)


def test_an_open_circuit_says_how_long_still_and_below_why() -> None:
    _, line, why = said(view(status(state=OPEN)))
    assert "○ open 24 s" in line
    assert why == "  ○ provider a: open after rate limit, 24 s left"


@pytest.mark.parametrize(
    ("state", "light", "why"),
    [
        (replace(OPEN, open_until=NOON - 1), "◐ probe due", "open after rate limit, may be probed now"),
        (
            replace(OPEN, phase=Phase.HALF_OPEN, lease_until=NOON + 3),
            "◐ half open",
            "half open, a probe is out, its lease ends in 3.0 s",
        ),
        (replace(OPEN, phase=Phase.HALF_OPEN, lease_until=NOON - 3), "◐ half open", "half open"),
        (replace(SOUND, forced=Forced.OPEN), "○ held open", "held open by hand"),
        (replace(OPEN, forced=Forced.CLOSED), "● held closed", "held closed by hand"),
    ],
)
def test_each_state_of_a_circuit_has_its_sign_and_its_words(state: BreakerState, light: str, why: str) -> None:
    _, line, below = said(view(status(state=state)))
    assert light in line
    assert below.endswith(f"provider a: {why}")


def test_one_trouble_of_two_models_is_told_once() -> None:
    two = replace(status(state=OPEN), model=replace(model("a"), id="n"))
    assert sum("open after" in line for line in said(view(status(state=OPEN), two))) == 1


def test_the_error_behind_an_open_circuit_is_told_with_it_and_not_twice() -> None:
    lines = said(view(status(state=replace(OPEN, fails=5), last_error="server 503", last_error_at=NOON - 16)))
    assert lines[2:] == [
        "  ○ provider a: open after rate limit, 24 s left; last error server 503, 16 s ago, 5 failed in a row"
    ]


def test_the_last_error_is_told_while_it_is_news() -> None:
    fresh = said(view(status(last_error="server 503", last_error_at=NOON - 300)))
    assert fresh[-1] == "  a/m: last error server 503, 5 min ago"
    assert len(said(view(status(last_error="server 503", last_error_at=NOON - 90_000)))) == 2
    failing = replace(SOUND, fails=3)
    assert said(view(status(state=failing, last_error="server", last_error_at=NOON - 90_000)))[-1].endswith(
        ", 3 failed in a row"
    )


def test_what_is_not_known_is_a_dash_and_not_nothing() -> None:
    never = status(attempts=0, success=None, p50_s=None, p95_s=None)
    assert said(view(never))[1].split() == ["a", "●", "closed", "–", "–", "–", "0"]
    assert said(view(never, whole=True))[1].split() == ["a/m", "●", "closed", "–", "–", "–", "0"]
    assert "1 model (never asked)" in said(view(never))[-1]


def test_what_is_assumed_does_not_look_measured_and_a_fit_of_what_was_measured_does() -> None:
    assert said(view(status(fitted=True)))[1].split()[3:7] == ["412", "ms", "1.2", "s"]
    forgotten = status(fitted=True, assumed=True)
    assert said(view(forgotten))[1].split()[3:7] == ["~412", "ms", "~1.2", "s"]
    assert "~ assumed, not measured" in " ".join(said(view(forgotten, recent=[attempt()])))


def test_who_only_lost_a_race_has_a_line_too() -> None:
    loser = status(attempts=0, success=None, p50_s=None, p95_s=None)
    assert said(view(loser, recent=[attempt(outcome="cancelled", ttft_s=None)]))[1].split()[-1] == "c"


def test_a_provider_that_is_off_is_one_line_with_its_reason_below() -> None:
    off = replace(provider("z"), off_reason="Z_KEY is not set")
    lines = said(view(status(), providers=[model("a").provider, off]))
    assert lines[2].split() == ["z", "off"]
    assert lines[-1] == "  z is off: Z_KEY is not set"


@pytest.mark.parametrize("width", [60, 80, 100, 120])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_no_line_is_wider_than_the_screen(width: int, glyphs: Glyphs) -> None:
    long = "a-provider-with-a-name-that-is-far-too-long-for-anybody"
    recent = [attempt(long)] * 60
    lines = view(status(long, OPEN), status("b"), recent=recent, hidden=10).lines(width, glyphs)
    assert all(width_of(line) <= width for line in lines), [plain(line) for line in lines]
    assert glyphs is UNICODE or all("●" not in plain(line) and "▁" not in plain(line) for line in lines)


def test_a_model_s_name_is_foreign_text() -> None:
    evil = replace(status(), model=replace(model("a"), id="m\x1b]0;x\x07"))
    assert any("a/m␛]0;x␇" in line for line in said(view(evil)))


def test_success_is_coloured_where_it_is_poor() -> None:
    def tone(of: list[Line]) -> Tone:
        return next(span.tone for span in of[1] if "%" in span.text)

    assert tone(view(status(success=0.991)).lines(None, UNICODE)) is Tone.PLAIN
    assert tone(view(status(success=0.9)).lines(None, UNICODE)) is Tone.WARN
    assert tone(view(status(success=0.5)).lines(None, UNICODE)) is Tone.BAD
