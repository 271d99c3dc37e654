"""Templates: places and nothing else, errors that name the place, and files that come back as they were written."""

import os
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmr import templates
from llmr.errors import ConfigError, UsageError
from llmr.templates import Filled, Template, check_name, fill, parsed, toml_of

REVIEW = Template(prompt="Review for $focus.", system="Be ${tone}.", defaults=MappingProxyType({"tone": "kind"}))


def test_places_are_filled_by_values_and_defaults_and_the_input_follows():
    assert fill(REVIEW, "review", {"focus": "bugs"}, "the diff\n") == Filled(
        "Review for bugs.\n\nthe diff\n", "Be kind."
    )


def test_input_stands_where_the_template_says():
    filled = fill(Template(prompt="<$input> costs $$5"), "t", {}, "this")
    assert filled.prompt == "<this> costs $5"


def test_a_value_is_not_looked_through_for_places():
    assert fill(Template(prompt="$a"), "t", {"a": "$b ${c} $$"}, "$d").prompt == "$b ${c} $$\n\n$d"


def test_a_missing_place_is_named_with_what_to_type():
    with pytest.raises(UsageError, match=r"'review' needs a value for \$focus: -P focus=…"):
        fill(REVIEW, "review", {}, "")


def test_a_value_for_no_place_is_a_typo():
    with pytest.raises(UsageError, match=r"no place \$focsu; did you mean focus"):
        fill(REVIEW, "review", {"focsu": "x", "focus": "y"}, "")


@pytest.mark.parametrize("name", ["../../x", "a/b", ".", "..", "x" * 65, "x\0y", "", "a b", "é", "'; DROP TABLE x"])
def test_b53_a_name_that_is_none_is_refused(name, tmp_path: Path):
    with pytest.raises(UsageError, match="is no name"):
        check_name(name)
    with pytest.raises(UsageError, match="is no name"):
        templates.read(name, tmp_path, owner=os.geteuid())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("promt = 'x'", "'promt': unknown key; did you mean prompt"),
        ("prompt = 3", "prompt: must be a string, not 3"),
        ("temperature = 'hot'", "temperature: must be a number"),
        ("max_tokens = 0", "max_tokens: must be a whole number of at least 1, not 0"),
        ("tags = 'x'", "tags: must be a list of strings"),
        ("[defaults]\na = 1", "defaults: must be a table of strings"),
        ("prompt = 'costs $5'", r"write `\$\$` for a dollar sign"),
        ("system = '$input'", "belongs into the prompt"),
        ("prompt = ", "is not valid TOML"),
    ],
)
def test_a_wrong_file_is_one_line_with_key_and_mend(text, words):
    with pytest.raises(ConfigError, match=words) as caught:
        parsed(text.encode(), "templates/t.toml")
    assert str(caught.value).startswith("templates/t.toml: ")


def test_an_unknown_template_suggests_the_nearest(tmp_path: Path):
    templates.write("review", REVIEW, tmp_path, replace=False)
    with pytest.raises(UsageError, match="no template 'reviw'; did you mean review"):
        templates.read("reviw", tmp_path, owner=os.geteuid())


def test_a_template_is_read_through_no_link_and_from_nobody_else(tmp_path: Path):
    file = templates.write("review", REVIEW, tmp_path, replace=False)
    (file.parent / "link.toml").symlink_to(file)
    with pytest.raises(ConfigError, match="symbolic link"):
        templates.read("link", tmp_path, owner=os.geteuid())
    file.chmod(0o666)
    with pytest.raises(ConfigError, match="lets others write"):
        templates.read("review", tmp_path, owner=os.geteuid())


def test_one_of_that_name_is_not_written_over_unasked(tmp_path: Path):
    templates.write("t", Template(prompt="a"), tmp_path, replace=False)
    with pytest.raises(UsageError, match="--replace"):
        templates.write("t", Template(prompt="b"), tmp_path, replace=False)
    templates.write("t", Template(prompt="b"), tmp_path, replace=True)
    assert templates.read("t", tmp_path, owner=os.geteuid()).prompt == "b"
    assert templates.names(tmp_path) == ("t",)


any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(any_text, any_text, st.dictionaries(st.sampled_from(["a", "b"]), any_text), st.floats(0, 5))
def test_what_is_written_is_what_is_read(prompt, system, defaults, temperature):
    template = Template(
        prompt=templates.escaped(prompt), system=templates.escaped(system) or None, temperature=temperature,
        tags=("x", "y"), defaults=MappingProxyType(defaults),
    )  # fmt: skip
    back = parsed(toml_of(template).encode(), "t")
    assert back == template
    assert fill(back, "t", {}, "").prompt == prompt
