"""Whether a stream is coloured: `--color`, then LLMR_COLOR, NO_COLOR, FORCE_COLOR, TERM=dumb, then whether it is a terminal."""

from enum import StrEnum

from llmr.cli.choices import check
from llmr.config.environment import Environment


class ColourWish(StrEnum):
    """What can be asked for."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


def colour_wish(said: str | None, environment: Environment) -> ColourWish:
    """The wish that was said in so many words, by option or LLMR_COLOR. Raises UsageError."""
    check("color", said, ColourWish)
    check("LLMR_COLOR", environment.color, ColourWish)
    return ColourWish(said or environment.color or ColourWish.AUTO)


def coloured(wish: ColourWish, environment: Environment, *, terminal: bool) -> bool:
    """Whether to colour a stream that is a terminal, or is none."""
    match wish:
        case ColourWish.ALWAYS:
            return True
        case ColourWish.NEVER:
            return False
        case ColourWish.AUTO:
            if environment.no_color:
                return False
            return environment.force_color or (terminal and not environment.dumb_terminal)
