"""What would turn a decision round: by how much the first one leads, and which figure of another would put that one first."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from llmr.catalog import Strategy
from llmr.render.figures import dollars, milliseconds
from llmr.render.ink import Line, Tone, ink, plain, wrapped
from llmr.routing.decision_record import DecisionRecord, Rival
from llmr.routing.selection import Selection


def flip_view(rivals: Sequence[Rival], winner: str, width: int | None) -> list[Line]:
    """By how much the first one leads, and what would put another in its place."""
    if not rivals:
        return []
    margin_s = min(rival.margin_s for rival in rivals)
    lead = "by nothing" if margin_s <= 0 else f"by {margin_s:.2f} s"
    texts = [f"{winner} leads {lead}", *map(_flip_phrase, rivals)]
    room = None if width is None else width - 4
    return [
        ink(("  " if place == 0 else "      ") + line)
        for text in texts
        for place, line in enumerate(wrapped(text, room))
    ]


def flip_lines(selection: Selection) -> list[str]:
    """`flip_view` of a selection, as plain text on lines of any length."""
    record = DecisionRecord.of(selection)
    return [plain(line) for line in flip_view(record.rivals, record.ranked[0].key if record.ranked else "", None)]


def _flip_phrase(rival: Rival) -> str:
    ways: list[str] = []
    if rival.p50_below_s is not None:
        ways.append(f"its p50 first token < {milliseconds(rival.p50_below_s)}")
    price = None
    if rival.input_usd_below is not None and rival.output_usd_below is not None:
        below = f"< {dollars(rival.input_usd_below)}/M in, {dollars(rival.output_usd_below)}/M out"
        price = f"price of {below}" if rival.price_unknown else f"price {below}"
    if price is not None and not rival.price_unknown:
        ways.append(f"its {price}")
    wins = [f"{rival.key} wins if {' or '.join(ways)}"] if ways else []
    if price is not None and rival.price_unknown:
        wins.append(f"a known {price} would put {'it first, too' if ways else f'{rival.key} first'}")
    if not wins and rival.margin_s <= 0:
        return f"{rival.key} is its equal by every figure that counts here: the one that is listed first is asked first"
    return "; ".join(wins) or f"no figure of its own puts {rival.key} first"


_BY_OTHER_MEANS: Final[Mapping[Strategy, str]] = MappingProxyType(
    {
        Strategy.PRIORITY: "the order is your own list's (priority): no time and no price changes it",
        Strategy.QUALITY: "the judged quality decides first (quality): no time and no price changes that",
        Strategy.ROUND_ROBIN: "whose turn it is decides (round_robin): no time and no price changes it",
        Strategy.WEIGHTED: "chance by weight decides (weighted): no time and no price changes it",
    }
)


def by_index(strategy: str) -> bool:
    """Whether the order is that of the index, the least first."""
    return strategy not in _BY_OTHER_MEANS


def takes_draws(strategy: str) -> bool:
    """Whether a draw of the figures can change the order: of equals in quality, too."""
    return by_index(strategy) or strategy == Strategy.QUALITY


def unflipped_view(strategy: str, record: DecisionRecord, width: int | None) -> list[Line]:
    """Why no figure would flip the decision, where several could be asked and none would."""
    if record.rivals or len(record.ranked) < 2:
        return []
    first, second = record.ranked[:2]
    why = _BY_OTHER_MEANS.get(Strategy(strategy)) if strategy in set(Strategy) else None
    if why is None and first.tier != second.tier:
        why = "the others are fallbacks for another model: no time and no price puts them first"
    elif why is None and first.favour != second.favour:
        why = "a rule's prefer or avoid decides: no time and no price puts another first"
    return (
        []
        if why is None
        else [ink(f"  {line}", Tone.FAINT) for line in wrapped(why, None if width is None else width - 4)]
    )
