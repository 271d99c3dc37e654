"""`--schema`: JSON of the asked shape, from whoever gives it."""

import json
import re
import sys
from pathlib import Path

import pytest

from llmr.chat import ChatResponse
from llmr.cli.schema import MOST_BYTES, json_text, read_schema
from llmr.errors import ConfigError, UsageError
from llmr.lab import Behavior

AGE = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"], "additionalProperties": False}
SCHEMA = json.dumps(AGE)
GOOD = '{"age": 7}'


def wrong(text: str, schema: str = SCHEMA) -> str | None:
    return read_schema(schema)(ChatResponse(text, None))


@pytest.mark.parametrize("text", [GOOD, f" {GOOD}\n", f"```json\n{GOOD}\n```", f"~~~\n{GOOD}"])
def test_json_of_the_shape_is_accepted_in_a_fence_or_without(text: str) -> None:
    assert wrong(text) is None
    assert json.loads(json_text(text)) == {"age": 7}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"age": "7"}', r"\$\.age: '7' is not of type 'integer'"),
        ("{}", "'age' is a required property"),
        ('{"age": 7, "x": 1}', "Additional properties"),
        ("[]", "not of type 'object'"),
        ("Sure! " + GOOD, "not JSON: it begins with 'Sure! {\"age\": 7}'$"),
        ('{"age":\n seven}', "not JSON: at line 2, column 2 stands 'seven}'$"),
        ('{"age": ', "not JSON: it stops in the middle, after '{\"age\":'$"),
        ("", "not JSON: there is no text in it"),
        ('{"age": NaN}', "NaN is no JSON number"),
        ("[" * 100_000, "not JSON"),
        ("```", "not JSON"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, why: str) -> None:
    said = wrong(text)
    assert said is not None
    assert re.search(why, said)
    assert len(said) < 300


def test_a_reference_to_elsewhere_is_not_fetched() -> None:
    assert "refers to what it does not hold" in str(wrong(GOOD, '{"$ref": "http://127.0.0.1:9/schema"}'))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("no-such-file.json", "is no file"),
        ('{"type": 5}', "not a JSON schema"),
        ("{nonsense", "not JSON"),
        ("{" * 50_000, "not JSON"),
    ],
)
def test_a_schema_that_is_none_is_told_before_anybody_is_asked(shell, said: str, why: str) -> None:
    lab = shell.serve(a=[Behavior()])
    ended = shell("chat", "--schema", said, "hi")
    assert ended.code == 2
    assert why in ended.err
    assert lab.provider("a").requests == ()


def test_a_file_is_read_and_must_be_an_object_of_bounded_size(tmp_path: Path) -> None:
    file = tmp_path / "s.json"
    file.write_text(SCHEMA)
    assert read_schema(str(file)).schema == AGE
    file.write_text("[]")
    with pytest.raises(UsageError, match="is an object"):
        read_schema(str(file))
    file.write_bytes(b"\xff")
    with pytest.raises(UsageError, match="cannot be read"):
        read_schema(str(file))
    file.write_text(" " * (MOST_BYTES + 1))
    with pytest.raises(UsageError, match="larger than"):
        read_schema(str(file))


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema.validators", None)
    with pytest.raises(ConfigError, match=r"pip install 'llmr\[schema\]'"):
        read_schema(SCHEMA)


def test_who_does_not_meet_the_schema_is_passed_over_and_nothing_of_it_is_shown(shell) -> None:
    lab = shell.serve(a=[Behavior(text='{"age": "seven"}')], b=[Behavior(text=f"```json\n{GOOD}\n```")])
    ended = shell("chat", "--schema", SCHEMA, "hi")
    assert (ended.code, ended.out) == (0, f"{GOOD}\n")
    assert "a/lab-model not accepted" in ended.err
    sent = lab.provider("b").requests[0].json["response_format"]
    assert (sent["type"], sent["json_schema"]["schema"]) == ("json_schema", AGE)
    assert len(lab.provider("a").requests) == 1, "the same question gets the same answer: no second try"


def test_when_nobody_meets_the_schema_the_code_is_9_and_the_circuits_know_nothing_of_it(shell) -> None:
    shell.serve(a=[Behavior(text="no")])
    ended = shell("chat", "--json", "--schema", SCHEMA, "hi")
    assert ended.code == 9
    assert ended.json["error"]["kind"] == "not_accepted"
    assert ended.json["text"] == ""
    for _ in range(6):
        shell("chat", "--schema", SCHEMA, "hi")
    assert shell("chat", "hi").code == 0, "an answer of the wrong shape opens no circuit"


def test_a_bad_answer_beside_a_rejected_key_is_no_matter_of_keys(shell) -> None:
    shell.serve(a=[Behavior(status=401), Behavior(text="no")], b=[Behavior(text="no"), Behavior(text="Sure! 7")])
    assert shell("chat", "--schema", SCHEMA, "hi").code == 9, "one of them was asked and rejected the key"
    ended = shell("chat", "--schema", SCHEMA, "hi")
    assert ended.code == 9, "one of them was not asked"
    assert "no JSON" not in ended.err
    assert "begins with 'Sure! 7'" in ended.err
    assert "try another model, or a simpler schema" in ended.err
    assert "change the request" not in ended.err


def test_answers_that_were_not_accepted_are_kept_marked_and_are_no_part_of_the_talk(shell) -> None:
    lab = shell.serve(a=[Behavior(text="from a")], b=[Behavior(text="from b"), Behavior(text="after")])
    ended = shell("chat", "--save", "--schema", SCHEMA, "hi")
    assert ended.code == 9
    (show,) = [line for line in ended.err.splitlines() if "what was answered is in" in line]
    log = shell("log", "show", "--json", "last")
    turns = [(t["provider"], t["answer"], t["outcome"], t["partial"]) for t in log.json["turns"]]
    assert turns == [("a", "from a", "not_accepted", False), ("b", "from b", "not_accepted", False)]
    told = shell(*show.split("`")[1].split()[1:]).out
    assert told.count("not accepted: it is not what was asked for, and was not shown") == 2
    conversation = log.json["id"]
    assert shell("chat", "--save", "--conversation", conversation, "-m", "b/lab-model", "again").code == 0
    assert [m["content"] for m in lab.provider("b").requests[-1].json["messages"]] == ["again"]


def test_an_answer_that_was_not_accepted_is_kept_beside_the_one_that_was(shell) -> None:
    shell.serve(a=[Behavior(text="from a")], b=[Behavior(text=GOOD)])
    assert shell("chat", "--save", "--schema", SCHEMA, "hi").code == 0
    turns = shell("log", "show", "--json", "last").json["turns"]
    assert [(t["provider"], t["answer"], t["outcome"], t["parent"]) for t in turns] == [
        ("a", "from a", "not_accepted", None),
        ("b", GOOD, "ok", None),
    ]
