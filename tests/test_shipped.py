"""What a wheel puts beside the program: the manual page and the completion scripts, made of the command tree."""

from pathlib import Path

from llmr.cli.man import shipped

SHARE = Path(__file__).parent.parent / "share"


def test_what_a_wheel_ships_is_what_the_commands_say_now():
    old = [name for name, content in shipped().items() if (SHARE / name).read_text() != content]
    assert not old, "made from an older command tree; run: python -m llmr.cli.man share"
