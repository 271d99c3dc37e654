"""How the providers are, at a glance: a line per model, then what needs a sentence.

    ● closed  ◐ half open, or a probe is due  ○ open

The `recent` column is the story of the last attempts, oldest on the left: a bar as high as the first token was late, or the
letter of what went wrong; a legend below says what the letters mean. Everything that needs words (why a circuit is open, the
last error) stands below the table, so that the table lines up and never wraps. A dash is what nobody has measured: `rank`,
which must assume something there, marks it `~`, and so does this view where what was measured is so old that it counts for
nothing now. How much the others are worth, `asked` says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Final

from llmr.catalog import Provider
from llmr.dataclass import dataclass
from llmr.errors import kind_named
from llmr.registry import ModelStatus
from llmr.render.figures import ASSUMED, NOTHING, UNMEASURED, count, counted, dollars, left, seconds, share
from llmr.render.ink import Keep, Line, Span, Tone, ink, plain, wrapped_line
from llmr.render.pictures import Glyphs, legend, mark, outcome_words, strip
from llmr.render.table import Align, Column, table
from llmr.routing.breaker import remaining_s
from llmr.routing.budget import Budget
from llmr.routing.circuit import BreakerState, Phase
from llmr.routing.disposition import disposition
from llmr.routing.health import Circuit
from llmr.state import AttemptRecord

RECENT_ATTEMPTS: Final = 40
RECENT_S: Final = 7 * 86_400.0  # as far as the percentiles look back
_ERROR_IS_NEWS_S: Final = 86_400.0
_COLUMNS: Final = (
    Column("model", least=20, keep=Keep.ENDS),
    Column("circuit"),
    Column("p50", Align.RIGHT),
    Column("p95", Align.RIGHT, rank=1),
    Column("ok", Align.RIGHT),
    Column("asked", Align.RIGHT, rank=3),
    Column("spent", Align.RIGHT, rank=2),
    Column("recent", least=10, keep=Keep.END, rank=1),
)


def recent_of(records: Sequence[AttemptRecord]) -> dict[str, list[AttemptRecord]]:
    """The records by model key, oldest first."""
    by_model: dict[str, list[AttemptRecord]] = {}
    for record in records:
        by_model.setdefault(f"{record.provider}/{record.model}", []).append(record)
    return by_model


@dataclass(frozen=True, slots=True)
class StatusView:
    """What is to be shown. `providers` in their order; `recent` and `spent` (dollars) by model key, of the last RECENT_S;
    `hidden`: how many providers are left out because they are off; `whole`: models that were never asked have lines, too.
    `budgets`, by provider, are for programs only."""

    providers: Sequence[Provider]
    statuses: Sequence[ModelStatus]
    recent: Mapping[str, Sequence[AttemptRecord]]
    spent: Mapping[str, float]
    now: float
    hidden: int = 0
    whole: bool = False
    budgets: Mapping[str, Budget] = field(default_factory=dict[str, Budget])

    def lines(self, width: int | None, glyphs: Glyphs) -> list[Line]:
        """The table, and what is to be said below it."""
        rows: list[list[Line]] = []
        troubles: dict[str, Line] = {}
        notes: list[Line] = []
        quiet = idle = 0
        for provider in self.providers:
            known = [status for status in self.statuses if status.model.provider.name == provider.name]
            off = provider.off_reason is not None
            asked = [
                s for s in known if not off and (self.whole or s.attempts or s.last_error or s.model.key in self.recent)
            ]
            quiet += 0 if off else len(known) - len(asked)
            if provider.local and not asked and not self.whole and blocking(known[0].circuits if known else ()) is None:
                idle += 1
                continue
            rows += [self._row(status, glyphs) for status in asked] or [self._silent_row(provider, known, glyphs)]
            if off:
                notes.append(ink(f"  {provider.name} is off: {provider.off_reason}", Tone.FAINT))
                continue
            for status in asked or known[:1]:
                circuit = blocking(status.circuits)
                if circuit is not None:
                    troubles.setdefault(circuit.scope, self._trouble(circuit, status, glyphs))
                elif error := self._last_error(status):
                    notes.append(ink(f"  {status.model.key}: {error}", Tone.FAINT))
        drawn = table(_COLUMNS, rows, width)
        head = plain(drawn[0]).split()
        return [
            *drawn,
            *(
                each
                for note in [*troubles.values(), *self._legend(head), *notes, *self._left_out(quiet, idle)]
                for each in wrapped_line(note, width)
            ),
        ]

    def _silent_row(self, provider: Provider, known: Sequence[ModelStatus], glyphs: Glyphs) -> list[Line]:
        """A provider none of whose models was ever asked."""
        if provider.off_reason is not None:
            return [ink(provider.name, Tone.FAINT), ink("off", Tone.FAINT), (), (), (), (), (), ()]
        circuit = blocking(known[0].circuits) if known else None
        unknown = ink(NOTHING, Tone.FAINT)
        return [ink(provider.name), _light(circuit, self.now, glyphs), unknown, unknown, unknown, ink("0"), (), ()]

    def _row(self, status: ModelStatus, glyphs: Glyphs) -> list[Line]:
        recent = self.recent.get(status.model.key, ())
        drawn = [(record.outcome, record.ttft_s) for record in recent[-RECENT_ATTEMPTS:]]
        return [
            ink(status.model.key),
            _light(blocking(status.circuits), self.now, glyphs),
            ink(seconds(status.p50_s, expected=status.assumed)),
            ink(seconds(status.p95_s, expected=status.assumed)),
            ink(share(status.success), success_tone(status.success)),
            ink(count(status.attempts)),
            ink(dollars(spent) if (spent := self.spent.get(status.model.key)) else ""),
            strip(drawn, glyphs),
        ]

    def _trouble(self, circuit: Circuit, status: ModelStatus, glyphs: Glyphs) -> Line:
        """A circuit that is not closed, and the error that is behind it."""
        light, tone = _LIGHTS[_condition(circuit, self.now)]
        error = self._last_error(status) if circuit.state.forced is None else ""
        words = f" {circuit.scope}: {circuit_phrase(circuit, self.now)}" + (f"; {error}" if error else "")
        return (Span("  "), *_glyph(glyphs, light, tone), *ink(words))

    def _last_error(self, status: ModelStatus) -> str:
        """Where it is news, else ""."""
        fails = max((circuit.state.fails for circuit in status.circuits), default=0)
        in_a_row = f", {fails} failed in a row" if fails > 1 else ""
        if not status.last_error or (self.now - status.last_error_at > _ERROR_IS_NEWS_S and not in_a_row):
            return ""
        return f"last error {status.last_error}, {left(self.now - status.last_error_at)} ago{in_a_row}"

    def _legend(self, head: Sequence[str]) -> list[Line]:
        """What the columns of `head` mean that need it."""
        shown = {status.model.key for status in self.statuses}
        outcomes = {
            record.outcome
            for key, recent in self.recent.items()
            if key in shown
            for record in recent[-RECENT_ATTEMPTS:]
        }
        words = legend(sorted(outcomes))
        of_a_week = [title for title in ("spent", "recent") if title in head]
        told = [f"{', '.join(of_a_week)}: the last 7 days"] if of_a_week else []
        told += [words] if words and "recent" in head else []
        spared = dict.fromkeys(mark(outcome).letter for outcome in sorted(outcomes) if _is_spared(outcome))
        if spared and "recent" in head:
            told.append(f"not in asked and ok: {', '.join(spared)}")
        if any(status.p50_s is None or status.success is None for status in self.statuses):
            told.append(UNMEASURED)
        if any(status.p50_s is not None and status.assumed for status in self.statuses):
            told.append(ASSUMED)
        return [ink(f"  {'; '.join(told)}", Tone.FAINT)] if outcomes and told else []

    def _left_out(self, quiet: int, idle: int) -> list[Line]:
        words = [f"{counted(self.hidden, 'provider')} (off)"] if self.hidden else []
        words += [f"{counted(idle, 'local server')} (never asked)"] if idle else []
        words += [f"{counted(quiet, 'model')} (never asked)"] if quiet else []
        said = f"  not shown: {', '.join(words)}; `llmr providers status --all` has them"
        return [ink(said, Tone.FAINT)] if words else []


def blocking(circuits: Sequence[Circuit]) -> Circuit | None:
    """The circuit that is not simply closed; of several, the first that stands in the way."""
    troubled = [c for c in circuits if c.state.forced is not None or c.state.phase is not Phase.CLOSED]
    return next((c for c in troubled if c.state.forced is not None), troubled[0] if troubled else None)


def circuit_phrase(circuit: Circuit, now: float) -> str:
    """A circuit that is not simply closed, in words."""
    state = circuit.state
    if state.forced is not None:
        return f"held {state.forced.value} by hand"
    left_s = remaining_s(state, now) or 0.0
    if state.phase is Phase.HALF_OPEN:
        return f"half open, a probe is out, its lease ends in {left(left_s)}" if left_s else "half open"
    why = f" after {outcome_words(state.why)}" if state.why else ""
    return f"open{why}, {left(left_s)} left" if left_s else f"open{why}, may be probed now"


_LIGHTS: Final = {
    "closed": ("closed", Tone.GOOD),
    "held closed": ("closed", Tone.WARN),
    "held open": ("open", Tone.BAD),
    "half open": ("half", Tone.WARN),
    "probe due": ("half", Tone.WARN),
    "open": ("open", Tone.BAD),
}


def _condition(circuit: Circuit | None, now: float) -> str:
    if circuit is None:
        return "closed"
    state: BreakerState = circuit.state
    if state.forced is not None:
        return f"held {state.forced.value}"
    if state.phase is Phase.HALF_OPEN:
        return "half open"
    return "open" if remaining_s(state, now) else "probe due"


def _light(circuit: Circuit | None, now: float, glyphs: Glyphs) -> Line:
    """The circuit in a word, and how long still."""
    condition = _condition(circuit, now)
    light, tone = _LIGHTS[condition]
    time_left = f" {left(remaining_s(circuit.state, now) or 0.0)}" if circuit and condition == "open" else ""
    return (*_glyph(glyphs, light, tone), *ink(f" {condition}{time_left}", Tone.PLAIN if circuit else Tone.FAINT))


def _glyph(glyphs: Glyphs, light: str, tone: Tone) -> Line:
    return (Span(getattr(glyphs, light), tone),)


def _is_spared(outcome: str) -> bool:
    """Whether the tally leaves an attempt of this outcome out: it says nothing of how well the provider works."""
    kind = kind_named(outcome)
    return kind is not None and not disposition(kind).is_providers_fault


def success_tone(success: float | None) -> Tone:
    """A warning below 95 %, an alarm below 80 %."""
    if success is None:
        return Tone.FAINT
    return Tone.PLAIN if success >= 0.95 else Tone.WARN if success >= 0.8 else Tone.BAD
