"""Conditions: what a rule asks of a request and of the moment, and what it hears.

A new condition is one field of `Condition` and one clause below. A clause says what was wanted, what was found and
whether that will do, so the trace of a rule that did not match is the very comparison that failed. What is not known
satisfies nobody.
"""

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Final

from llmr.catalog import Strategy
from llmr.chat import ChatRequest
from llmr.dataclass import dataclass, replace
from llmr.routing.circuit import Phase
from llmr.routing.situation import Situation

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
UNKNOWN: Final = "not known"


@dataclass(frozen=True, slots=True)
class Range:
    """Both bounds are exclusive; None: unbounded."""

    over: float | None = None
    under: float | None = None

    def holds(self, amount: float) -> bool:
        """Whether `amount` lies strictly between the bounds."""
        return (self.over is None or amount > self.over) and (self.under is None or amount < self.under)

    def __str__(self) -> str:
        bounds = (("over", self.over), ("under", self.under))
        return " and ".join(f"{word} {bound:,.15g}" for word, bound in bounds if bound is not None)


@dataclass(frozen=True, slots=True)
class Hours:
    """Local time of day in minutes after midnight, start inclusive, end exclusive; may wrap past midnight."""

    start_min: int
    end_min: int

    def holds(self, minute_of_day: int) -> bool:
        """Whether the minute lies in the range."""
        if self.start_min <= self.end_min:
            return self.start_min <= minute_of_day < self.end_min
        return minute_of_day >= self.start_min or minute_of_day < self.end_min

    def __str__(self) -> str:
        return f"{_clock(self.start_min)}-{_clock(self.end_min)}"


@dataclass(frozen=True, slots=True)
class Condition:
    """All that is set must hold; what is None or empty is not asked.

    `model` are globs on the name asked for; `tags` must all be on the request; `metadata` pairs a key with globs, one of
    which its value must match. `output_tokens` is held against the longest answer that was asked for, or else against what
    the model usually says. `weekdays`: 0 is Monday. `strategy` is the one asked for with the request, not the configured
    one. `circuit` pairs a glob on `provider/model-id` with states: every model it matches must be in one of them.
    """

    model: tuple[str, ...] = ()
    prompt_tokens: Range | None = None
    output_tokens: Range | None = None
    tools: bool | None = None
    images: bool | None = None
    json: bool | None = None
    stream: bool | None = None
    tags: tuple[str, ...] = ()
    metadata: tuple[tuple[str, tuple[str, ...]], ...] = ()
    strategy: tuple[Strategy, ...] = ()
    hours: Hours | None = None
    weekdays: tuple[int, ...] = ()
    circuit: tuple[tuple[str, tuple[Phase, ...]], ...] = ()
    budget_left_usd: Range | None = None


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition, judged: what it wanted, what was found, both in words."""

    condition: str
    wanted: str
    actual: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """What conditions are held against. A tag `k=v` and metadata `{k: v}` are one thing, said in two ways.

    `output_tokens` None: nobody said how long the answer may be, and nobody knows how long it usually is.
    """

    asked: str
    request: ChatRequest
    prompt_tokens: int
    output_tokens: float | None
    situation: Situation
    tags: tuple[str, ...]
    metadata: Mapping[str, str]

    @staticmethod
    def of(
        asked: str, request: ChatRequest, *, prompt_tokens: int, output_tokens: float | None, situation: Situation
    ) -> "Facts":
        """The facts before any rule has added a tag."""
        facts = Facts(asked, request, prompt_tokens, output_tokens, situation, (), {})
        return facts.tagged((*request.tags, *(f"{key}={value}" for key, value in request.metadata.items())))

    def tagged(self, tags: Iterable[str]) -> "Facts":
        """With these tags too; of two values for one key the later one counts."""
        more = tuple(tags)
        pairs = (tag.partition("=") for tag in more)
        metadata = {key: value for key, equals, value in pairs if key and equals}
        return replace(self, tags=(*self.tags, *more), metadata={**self.metadata, **metadata})


def clauses(when: Condition, facts: Facts) -> Iterator[Clause]:
    """Everything that `when` asks, judged: of the request first, then of the moment, each in the order of its fields."""
    yield from _of_request(when, facts, facts.request)
    yield from _of_moment(when, facts.situation)


def _of_request(when: Condition, facts: Facts, request: ChatRequest) -> Iterator[Clause]:
    if when.model:
        yield Clause("model", _either(when.model), facts.asked, matches_any(facts.asked, when.model))
    if when.prompt_tokens is not None:
        yield _amount("prompt_tokens", when.prompt_tokens, facts.prompt_tokens, f"~{facts.prompt_tokens:,}")
    if when.output_tokens is not None:
        tokens = facts.output_tokens
        yield _amount("output_tokens", when.output_tokens, tokens, _longest(request, tokens))
    for name, wanted, actual in (
        ("tools", when.tools, bool(request.tools)),
        ("images", when.images, request.wants_images),
        ("json", when.json, request.wants_json),
        ("stream", when.stream, request.stream),
    ):
        if wanted is not None:
            yield Clause(name, _truth(wanted), _truth(actual), wanted is actual)
    for tag in when.tags:
        yield Clause("tags", tag, ", ".join(facts.tags) or "none", tag in facts.tags)
    for key, globs in when.metadata:
        value = facts.metadata.get(key)
        found = "none" if value is None else value or "empty"
        holds = value is not None and matches_any(value, globs)
        yield Clause(f"metadata.{key}", _either(globs), found, holds)
    if when.strategy:
        yield Clause("strategy", _either(when.strategy), request.strategy or "none", request.strategy in when.strategy)


def _of_moment(when: Condition, moment: Situation) -> Iterator[Clause]:
    if when.hours is not None:
        minute = moment.minute_of_day
        yield Clause("hours", str(when.hours), _clock(minute), when.hours.holds(minute))
    if when.weekdays:
        days = [WEEKDAYS[day] for day in when.weekdays]
        yield Clause("weekdays", _either(days), WEEKDAYS[moment.weekday], moment.weekday in when.weekdays)
    for glob, phases in when.circuit:
        yield _circuit(glob, phases, moment.circuits)
    if when.budget_left_usd is not None:
        left = moment.budget_left_usd
        yield _amount("budget_left_usd", when.budget_left_usd, left, UNKNOWN if left is None else f"{left:.2f}")


def matches_any(text: str, globs: Iterable[str]) -> bool:
    """Whether one of the globs matches the whole text, upper and lower case apart. Wildcards match slashes too."""
    return any(fnmatchcase(text, glob) for glob in globs)


def mentions(when: Condition, tag: str) -> bool:
    """Whether this tag, plain or `k=v`, could make a difference to `when`."""
    key, equals, value = tag.partition("=")
    named = (name == key and matches_any(value, globs) for name, globs in when.metadata)
    return tag in when.tags or (bool(equals) and any(named))


def _amount(name: str, wanted: Range, amount: float | None, shown: str) -> Clause:
    return Clause(name, str(wanted), shown, amount is not None and wanted.holds(amount))


def _longest(request: ChatRequest, tokens: float | None) -> str:
    if tokens is None:
        return UNKNOWN
    return f"at most {tokens:,.0f}" if request.max_output_tokens is not None else f"~{tokens:,.0f}"


def _circuit(glob: str, wanted: tuple[Phase, ...], circuits: Mapping[str, Phase]) -> Clause:
    found = {key: phase for key, phase in sorted(circuits.items()) if fnmatchcase(key, glob)}
    others = {key: phase for key, phase in found.items() if phase not in wanted}
    key, phase = next(iter((others or found).items()), ("", None))
    several = f" ({key})" if len(found) > 1 and others else ""
    actual = UNKNOWN if phase is None else f"{phase}{several}"
    return Clause(f"circuit of {glob}", _either(wanted), actual, bool(found) and not others)


def _either(words: Iterable[str]) -> str:
    return " or ".join(words)


def _truth(value: bool) -> str:
    return "true" if value else "false"


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
