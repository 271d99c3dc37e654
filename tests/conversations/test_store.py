"""Conversations on disk: nothing that was said is lost, altered or found by the wrong person."""

import random
import stat
from dataclasses import replace

import pytest
from fakes import NOON, turn

from llmr.chat import Media, MediaKind, Message, Role, Text, Thinking, ToolCall, ToolResult
from llmr.conversations import history, system_of
from llmr.conversations.schema import CONVERSATIONS
from llmr.conversations.store import ConversationStore
from llmr.errors import StateUnusable, UsageError
from llmr.state.database import Database
from llmr.state.schema import STATE

PNG = b"\x89PNG\r\n\x1a\n" + b"picture" * 50

RICH = (
    Message(
        Role.USER,
        (
            Text("look at this"),
            Media(MediaKind.IMAGE, "image/png", content=PNG, name="a.png", detail="low"),
            Media(MediaKind.IMAGE, "image/jpeg", url="https://example.org/b.jpg"),
        ),
    ),
    Message(
        Role.TOOL,
        (ToolResult("call_1", "look", "a cat", is_error=True, media=(Media(MediaKind.IMAGE, "image/png", PNG),)),),
    ),
)
ANSWER = Message(
    Role.ASSISTANT,
    (
        Thinking("hm", signature="c2ln+/=", format="anthropic-claude-v1"),
        Thinking("", redacted="b3BhcXVl"),
        Text("a cat", signature="Z2VtaW5p"),
        ToolCall("call_2", "feed", '{"what": "f\u00efsh"}', signature="dGg="),
    ),
)


def test_a_turn_of_every_kind_of_part_comes_back_as_it_was(store, opened):
    kept = replace(
        turn("x"), asked=RICH, answer=ANSWER, system="be brief", asked_model="m", provider="a", model="b", request_id="r1",
        input_tokens=3, output_tokens=4, cost_usd=0.25, ttft_s=0.5, total_s=1.5,
    )  # fmt: skip
    conversation, number = store.add(kept)
    (back,) = opened().line(conversation)
    assert back == replace(kept, number=number)


def test_the_same_attachment_is_kept_once(store):
    conversation, _ = store.add(replace(turn("x"), asked=RICH))
    store.add(replace(turn("x"), asked=RICH), conversation_id=conversation)
    assert store.database.rows("SELECT count(*) FROM attachments") == [(1,)]


def test_an_attachment_that_is_gone_is_named_in_its_place(store):
    conversation, _ = store.add(replace(turn("x"), asked=RICH))
    store.database.rows("DELETE FROM attachments")
    (back,) = store.line(conversation)
    assert back.asked[0].parts[1] == Text("[the attachment a.png is gone]")


def test_b10_a_lone_surrogate_is_kept_as_valid_text(store):
    conversation, _ = store.add(turn("bad \ud800 text", "worse \udfff"))
    (back,) = store.line(conversation)
    assert back.prompt_text == "bad \ufffd text"
    assert back.answer_text == "worse \ufffd"


def test_turns_follow_their_parents_and_a_branch_leaves_the_others_alone(store):
    conversation, first = store.add(turn("one"))
    _, second = store.add(turn("two", parent=first), conversation_id=conversation)
    _, edited = store.add(turn("two, edited", parent=first), conversation_id=conversation)
    assert [t.prompt_text for t in store.line(conversation)] == ["one", "two, edited"]
    assert [t.prompt_text for t in store.line(conversation, second)] == ["one", "two"]
    assert [t.number for t in store.turns(conversation)] == [first, second, edited]


def test_the_newest_turn_is_the_last_one_added_whatever_the_clock_says(store):
    conversation, first = store.add(turn("one", at=NOON))
    store.add(turn("two", at=NOON - 86_400 * 365, parent=first), conversation_id=conversation)
    assert [t.prompt_text for t in store.line(conversation)] == ["one", "two"]
    assert store.named("last") == conversation


def test_a_model_is_told_what_was_answered_and_of_a_broken_answer_its_text_alone():
    half = Message(Role.ASSISTANT, (Thinking("unsigned"), Text("half of it"), ToolCall("c", "f", '{"a"')))
    line = [
        turn("asked and answered", system="old"),
        turn("asked in vain", None, outcome="server"),
        replace(turn("broke off", outcome="stall"), answer=half),
        turn("last", system="new"),
    ]
    said = [(m.role.value, "".join(getattr(p, "text", "?") for p in m.parts)) for m in history(line)]
    assert said == [
        ("user", "asked and answered"), ("assistant", "fine"),
        ("user", "broke off"), ("assistant", "half of it"),
        ("user", "last"), ("assistant", "fine"),
    ]  # fmt: skip
    assert system_of(line) == "new"


def test_each_terminal_has_a_last_conversation_of_its_own(store):
    here, _ = store.add(turn("here"), terminal="t1")
    there, _ = store.add(turn("there"), terminal="t2")
    assert (store.last_of("t1"), store.last_of("t2"), store.last_of("t3")) == (here, there, None)
    store.add(turn("there, from here"), conversation_id=there, terminal="t1")
    assert store.last_of("t1") == there


def test_a_beginning_of_an_id_is_enough_where_it_is_the_only_one(store):
    ids = [store.add(turn(str(n)))[0] for n in range(3)]
    assert [store.named(one[:6]) for one in ids] == ids
    with pytest.raises(UsageError, match="no conversation"):
        store.named(ids[0][:3])  # too short to mean one


@pytest.mark.parametrize(
    "name",
    ["../../x", "a/b", ".", "CON", "x" * 300, "x\0y", "' OR 1=1 --", '"; DROP TABLE turns; --', "%", "____", ""],
)
def test_b53_a_name_that_is_none_finds_nothing_and_harms_nothing(store, name):
    conversation, _ = store.add(turn("still here"))
    with pytest.raises(UsageError):
        store.named(name)
    assert store.line(conversation)[0].prompt_text == "still here"


def test_a_list_has_the_newest_first_with_counts_cost_and_how_it_ended(store):
    old, first = store.add(turn("old", cost_usd=0.25))
    new, _ = store.add(turn("new"))
    store.add(turn("more", None, outcome="stall", parent=first, cost_usd=0.5), conversation_id=old)
    top, below = store.overviews(10)
    assert (top.id, top.title, top.turns, top.failed, top.cost_usd, top.outcome) == (old, "old", 2, 1, 0.75, "stall")
    assert (below.id, below.turns, below.failed, below.cost_usd) == (new, 1, 0, None)
    assert [one.id for one in store.overviews(1)] == [old]


def test_a_long_prompt_is_titled_by_its_first_line_cut(store):
    store.add(turn("\n\n  " + "word " * 40 + "\nsecond line"))
    (one,) = store.overviews(1)
    assert one.title.startswith("word word")
    assert len(one.title) == 80
    assert one.title.endswith("…")


def test_the_files_are_mine_alone_b52(store, path):
    store.add(turn("x"))
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


def test_b47_a_damaged_file_is_set_aside_with_one_notice_and_the_turn_is_kept(path, opened):
    path.parent.mkdir(mode=0o700)
    path.write_bytes(b"garbage" * 1000)
    store = opened()
    conversation, _ = store.add(turn("kept"))
    assert store.line(conversation)[0].prompt_text == "kept"
    (notice,) = store.notices
    assert "set aside as conversations.db.corrupt-" in notice


def test_the_state_store_is_not_taken_for_conversations(path, opened):
    path.parent.mkdir(mode=0o700)
    Database(path, STATE, lambda: NOON).close()
    with pytest.raises(StateUnusable, match="another program"):
        opened()


def test_a_conversation_that_was_purged_meanwhile_begins_anew_under_its_name(store):
    conversation, first = store.add(turn("one"))
    store.database.rows("DELETE FROM conversations")
    again, _ = store.add(turn("two", parent=first), conversation_id=conversation)
    assert again == conversation
    assert [t.prompt_text for t in store.line(conversation)] == ["two"]


def test_people_are_told_once(store, opened):
    assert [store.first_time(), store.first_time(), opened().first_time()] == [True, False, False]


def test_two_ids_that_are_drawn_alike_are_told_apart(path):
    with ConversationStore(path, lambda: NOON, random.Random(7)) as one:
        first, _ = one.add(turn("one"))
    with ConversationStore(path, lambda: NOON, random.Random(7)) as other:
        second, _ = other.add(turn("two"))
    assert first != second


def test_a_file_of_the_version_before_is_migrated_with_all_that_was_said(path):
    old = Database(path, replace(CONVERSATIONS, migrations=CONVERSATIONS.migrations[:1]), lambda: NOON)
    old.rows("INSERT INTO conversations VALUES ('0123456789', 1.0, 'hi')")
    old.rows(
        "INSERT INTO turns (conversation_id, prompt, answer, outcome, at, asked_model, cost_usd, total_s)"
        " VALUES ('0123456789', 'hi', 'there', 'ok', 1.0, 'm', 0.25, 1.5)"
    )
    old.close()
    with ConversationStore(path, lambda: NOON, random.Random(1)) as store:
        (kept,) = store.turns("0123456789")
        assert (kept.answer_text, kept.cost_usd, kept.estimated_usd, kept.total_s) == ("there", 0.25, None, 1.5)
        store.add(replace(kept, estimated_usd=0.125), conversation_id="0123456789")
        assert [turn.estimated_usd for turn in store.turns("0123456789")] == [None, 0.125]


def test_a_list_knows_what_is_estimated_and_takes_free_beside_unknown_for_unknown(store):
    store.add(turn("a", cost_usd=0.5, estimated_usd=0.25))
    mixed, _ = store.add(turn("b", cost_usd=0.0))
    store.add(turn("b", cost_usd=None), conversation_id=mixed)
    below, top = store.overviews(9)[::-1]
    assert (below.cost_usd, below.estimated_usd) == (0.5, 0.25)
    assert top.cost_usd is None


def test_another_process_s_lock_is_waited_for_as_long_as_the_caller_says_from_the_first_statement_on(store, path):
    with ConversationStore(path, lambda: NOON, random.Random(1), patience_s=0.25) as hasty:
        assert hasty.database.rows("PRAGMA busy_timeout") == [(250,)]
    assert store.database.rows("PRAGMA busy_timeout") == [(2000,)]
