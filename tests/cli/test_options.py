"""A command's options are one frozen value, and each of them reaches what the command works with."""

from dataclasses import fields, replace
from typing import Annotated

import pytest
import typer
from typer.main import get_command

from llmr.cli.arguments import ChatArguments
from llmr.cli.asking import asking_of, request_of
from llmr.cli.chat_command import ChatOptions
from llmr.cli.command import takes
from llmr.cli.options import Model, Tags
from llmr.cli.rank_command import RankOptions
from llmr.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    where: Annotated[str, typer.Argument()]
    tag: Tags = ()
    model: Model = "usual"
    often: Annotated[int, typer.Option("--often", count=True)] = 0


def command_for(run):
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(takes(Options)(run))
    return get_command(app)


@pytest.mark.parametrize(
    ("typed", "options"),
    [
        (["here"], Options("here")),
        (["here", "--tag", "a", "--tag", "b"], Options("here", tag=("a", "b"))),
        (["-m", "x", "here", "--often", "--often"], Options("here", model="x", often=2)),
    ],
)
def test_what_is_typed_becomes_one_value_and_what_is_not_typed_its_default(typed, options):
    seen = []

    def run(given: Options) -> int:
        """Go."""
        seen.append(given)
        return 7

    with pytest.raises(SystemExit) as end:
        command_for(run).main(typed, prog_name="go")
    assert (end.value.code, seen) == (7, [options])
    assert hash(seen[0]) == hash(options)  # nothing in it can change


def test_options_are_listed_in_the_order_of_the_fields_under_what_the_function_says():
    def run(given: Options) -> int:
        """Go there."""
        raise AssertionError(given)

    command = command_for(run)
    assert [parameter.name for parameter in command.params] == [field.name for field in fields(Options)]
    assert (command.help, command.name) == ("Go there.", "run")


def another(value):
    """A value that is none of the field's usual ones."""
    if isinstance(value, bool):
        return not value
    return (value or 0) + 3 if isinstance(value, int | float) else ("x",) if value == () else "x"


UNTYPED = {"hedge": True, "attach_urls": True, "save": False, "max_tokens": 5, "temperature": 0.5, "times": 3}


@pytest.mark.parametrize("name", [field.name for field in fields(ChatOptions)])
def test_every_option_of_chat_reaches_what_chat_works_with(name):
    plain = ChatOptions()
    typed = replace(plain, **{name: UNTYPED.get(name, another(getattr(plain, name)))})
    assert ChatArguments.of(typed) != ChatArguments.of(plain)


@pytest.mark.parametrize(
    "name",
    sorted({field.name for field in fields(RankOptions)} - {"system", "schema", "as_json", "verbose", "config"}),
)
def test_every_option_that_rank_has_of_chat_reaches_the_request(name):
    plain = RankOptions()
    typed = replace(plain, **{name: UNTYPED.get(name, another(getattr(plain, name)))})
    assert (asking_of(typed), request_of(typed)) != (asking_of(plain), request_of(plain))
