"""Secrets print as `***` whichever way they are printed, and the last filter finds what slipped through."""

import copy
import json
import logging
import pickle
import traceback
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmr.catalog import Model, Provider, WireFormat
from llmr.secret import MASK, Redactor, Secret

VALUE = "sk-proj-Zq8vT1xYw2Uu9Rr7"
KEY = Secret(VALUE)


def test_no_way_of_printing_shows_it() -> None:
    printed = [repr(KEY), str(KEY), f"{KEY}", f"{KEY!r:>40}", f"{KEY:>40}", f"{KEY} {KEY!r}", repr([KEY])]
    assert all(VALUE not in text and MASK in text for text in printed)
    assert f"{KEY:>40}" == MASK


def test_nothing_that_holds_it_shows_it() -> None:
    provider = Provider(
        "p", WireFormat.OPENAI, "https://p.example", key=KEY, headers={"x-key": VALUE}, proxy=f"http://u:{VALUE}@proxy"
    )
    assert VALUE not in repr(provider)
    assert VALUE not in repr(Model(provider, "m"))
    assert VALUE not in repr(replace(provider, name="q"))
    assert VALUE not in repr(Redactor((KEY,)))


def test_it_can_be_neither_pickled_nor_copied_nor_written_as_json() -> None:
    for way in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="never pickled"):
            way(KEY)
    with pytest.raises(TypeError):
        json.dumps(KEY)


def test_it_has_no_dictionary_of_attributes() -> None:
    with pytest.raises(TypeError):
        vars(KEY)
    with pytest.raises(AttributeError):
        KEY.value = VALUE  # type: ignore[attr-defined]


def test_a_traceback_and_a_log_line_do_not_show_it(caplog: pytest.LogCaptureFixture) -> None:
    assert VALUE not in "".join(traceback.format_exception(ValueError(KEY)))
    logging.getLogger("t").warning("key %s %r", KEY, KEY)
    assert VALUE not in caplog.text


def test_only_reveal_gives_it_out() -> None:
    assert KEY.reveal() == VALUE


def test_secrets_compare_and_hash_by_value() -> None:
    assert Secret(VALUE) == KEY
    assert hash(Secret(VALUE)) == hash(KEY)
    assert Secret("other") != KEY
    assert KEY != VALUE
    assert hash(KEY) != hash(VALUE)


# THE REDACTOR


def test_every_known_secret_is_replaced_wherever_it_stands() -> None:
    redact = Redactor((Secret("hunter22"), Secret("opensesame")))
    assert redact("hunter22/opensesame,xhunter22x") == "***/***,x***x"


def test_a_secret_that_begins_with_another_is_replaced_whole() -> None:
    for order in ((Secret("abcdef"), Secret("abcdefghij")), (Secret("abcdefghij"), Secret("abcdef"))):
        assert Redactor(order)("abcdefghij abcdef") == "*** ***"


def test_a_very_short_secret_does_not_blank_out_words() -> None:
    assert Redactor((Secret("the"), Secret("")))("the other") == "the other"
    assert Redactor((Secret("secret"),))("secret") == MASK


def test_a_redactor_learns_more_and_the_old_one_does_not() -> None:
    old = Redactor()
    new = old.with_secrets([Secret("hunter22")])
    assert (old("hunter22"), new("hunter22")) == ("hunter22", MASK)


@pytest.mark.parametrize(
    "text",
    [
        "sk-abcdefg1",
        "sk-ant-api03-AbC_d-123456",
        "sk-proj-1234567890",
        "sk-or-v1-0123456789abcdef",
        "gsk_abcdefgh12345678",
        "AIzaSyA1234567890",
        "xai-12345678",
        "hf_abcdefghij",
        "ghp_abcdefghij",
        "gho_abcdefghij",
        "pplx-abcdefghij",
        "fw_abcdefghij",
        "csk-abcdefghij",
        "tgp_v1_abcdefghij",
        "AKIAIOSFODNN7EXAMPLE",
    ],
)
@pytest.mark.parametrize("around", ["{}", "key={}&x=1", '{{"k": "{}"}}', "in\\n{}\\n", "%20{}%20", "({})"])
def test_whatever_is_shaped_like_a_key_is_replaced(text: str, around: str) -> None:
    before, after = around.split("{}") if around != '{{"k": "{}"}}' else ('{"k": "', '"}')
    assert Redactor()(before + text + after) == before + MASK + after


def test_a_key_glued_to_a_word_is_replaced_if_it_looks_like_one() -> None:
    assert Redactor()("tokensk-AbC123xyz0") == "token***"


@pytest.mark.parametrize("token", ["abcdefgh", "abc.def.ghi", "a+b/c~d-e_f==", "eyJhbGciOi.J9.e30", "sk-abcdefgh.ijk"])
def test_what_follows_bearer_is_replaced_to_its_end(token: str) -> None:
    assert Redactor()(f"authorization: Bearer {token}, next") == "authorization: Bearer ***, next"
    assert Redactor()(f"bearer {token}") == "bearer ***"


@pytest.mark.parametrize(
    "prose",
    [
        "import sk-learn",
        "task-management",
        "a risk-assessment of disk-encryption",
        "Bearer of bad news",
        "hf_hub",
        "https://p.example/v1",
        "",
    ],
)
def test_prose_is_left_alone(prose: str) -> None:
    assert Redactor()(prose) == prose


words = st.text(st.characters(exclude_characters="*", exclude_categories=["Cs"]), max_size=20)
pieces = st.one_of(words, st.sampled_from([VALUE, "Bearer ", "sk-", "abcdefgh12", "hunter22", "hunter", "22hunter22"]))


@given(st.lists(pieces).map("".join), st.lists(words | st.sampled_from(["hunter22", "hunter", VALUE]), max_size=4))
def test_redacting_twice_is_redacting_once_and_leaves_no_secret(text: str, secrets: list[str]) -> None:
    redact = Redactor(tuple(map(Secret, secrets)))
    once = redact(text)
    assert redact(once) == once
    assert not any(len(secret) >= 6 and secret in once for secret in secrets)


def test_a_late_secret_is_equal_to_itself_alone_and_never_printed():
    late, other = Secret.late(lambda: "late-key-1"), Secret.late(lambda: "late-key-1")
    assert late == late
    assert late != other
    assert len({late, other, late}) == 2
    before = hash(late)
    assert Redactor((late,))("late-key-1") == "late-key-1"  # nobody has it yet
    assert late.reveal() == "late-key-1"
    assert f"{late!r} {late}" == "Secret(***) ***"
    assert Redactor((late,))("late-key-1") == "***"
    assert hash(late) == before
