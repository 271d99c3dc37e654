"""What is purged is gone from the disk: the bytes of every file are looked through (trust.md T28)."""

import sqlite3

import pytest
from fakes import NOON, turn

from llmr.chat import Media, MediaKind, Message, Role, Text
from llmr.conversations import OK, Turn
from llmr.conversations.purging import all_ids, ids_before, purge, remove_copies, stray_copies
from llmr.errors import StateBusy

PICTURE = b"\x89PNG" + b"unmistakable-bytes-of-a-picture" * 200


def secret_turn(**more):
    asked = (
        Message(Role.USER, (Text("xylophone-prompt " * 300), Media(MediaKind.IMAGE, "image/png", content=PICTURE))),
    )
    return Turn(asked, Message.text(Role.ASSISTANT, "quokka-answer " * 300), OK, NOON, system="zeppelin-system", **more)


def remembered(path):
    """Which of the words still stand anywhere beside the database."""
    everything = b"".join(file.read_bytes() for file in path.parent.iterdir()).lower()
    words = (b"xylophone", b"quokka", b"zeppelin", b"unmistakable-bytes")
    return [word.decode() for word in words if word in everything]


def test_a_purged_conversation_is_in_no_byte_of_no_file(store, path):
    gone, _ = store.add(secret_turn())
    stays, _ = store.add(turn("stays where it is"))
    assert len(remembered(path)) == 4
    assert purge(store, [gone]) == 1
    assert remembered(path) == []
    assert [one.id for one in store.overviews(9)] == [stays]
    assert [hit.conversation_id for hit in store.search("stays", 9)] == [stays]
    assert store.search("xylophone", 9) == ()


def test_purging_all_leaves_an_empty_sound_file(store, path, opened):
    for _ in range(5):
        store.add(secret_turn())
    assert purge(store, all_ids(store)) == 5
    assert remembered(path) == []
    assert opened().database.rows("PRAGMA integrity_check") == [("ok",)]


def test_an_attachment_that_another_conversation_has_too_stays(store):
    first, _ = store.add(secret_turn())
    second, _ = store.add(secret_turn())
    purge(store, [first])
    assert store.line(second)[0].asked == secret_turn().asked


def test_before_a_date_counts_from_the_newest_turn(store):
    old, _ = store.add(turn("old", at=NOON - 100))
    revived, first = store.add(turn("revived", at=NOON - 100))
    store.add(turn("again", at=NOON, parent=first), conversation_id=revived)
    assert ids_before(store, NOON - 50) == (old,)


def test_a_reader_elsewhere_makes_it_say_that_the_log_is_not_empty_yet(store, path):
    store.add(secret_turn())
    reader = sqlite3.connect(path)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM turns").fetchall()
    with pytest.raises(StateBusy, match=r"purge again|locked"):
        purge(store, all_ids(store))
    reader.close()
    purge(store, all_ids(store))
    assert remembered(path) == []


def test_copies_of_the_file_are_known_and_can_be_removed(store, path):
    for name in ("conversations.db.backup-v1", "conversations.db.corrupt-20260101T000000Z", "state.db"):
        (path.parent / name).write_bytes(b"quokka")
    copies = stray_copies(path)
    assert copies == ("conversations.db.backup-v1", "conversations.db.corrupt-20260101T000000Z")
    remove_copies(path, copies)
    assert (path.parent / "state.db").exists()
    assert stray_copies(path) == ()
