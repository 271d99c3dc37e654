"""Whether a stream is coloured: `--color`, then LLMR_COLOR, NO_COLOR, FORCE_COLOR, TERM=dumb, then whether it is a terminal."""

from enum import StrEnum

from llmr.cli.choices import check
from llmr.config.environment import Environment


class ColorWish(StrEnum):
    """What can be asked for."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


def color_wish(said: str | None, environment: Environment) -> ColorWish:
    """The wish that was said in so many words, by option or LLMR_COLOR. Raises UsageError."""
    check("color", said, ColorWish)
    check("LLMR_COLOR", environment.color, ColorWish)
    return ColorWish(said or environment.color or ColorWish.AUTO)


def colored(wish: ColorWish, environment: Environment, *, terminal: bool) -> bool:
    """Whether to colour a stream that is a terminal, or is none."""
    match wish:
        case ColorWish.ALWAYS:
            return True
        case ColorWish.NEVER:
            return False
        case ColorWish.AUTO:
            if environment.no_color:
                return False
            return environment.force_color or (terminal and not environment.dumb_terminal)
