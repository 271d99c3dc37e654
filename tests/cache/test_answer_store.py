"""The answer store: what is kept is found, grows old, makes room, and may be used by many processes at once."""

import multiprocessing
import os
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import NOON

from llmr.cache import Kept
from llmr.cache.store import AnswerStore
from llmr.chat import ChatResponse, Delta


def text_of(found: Kept | None) -> str | None:
    return None if found is None else ChatResponse.from_deltas(found.deltas).text


def test_what_is_kept_is_found_by_its_key_alone(store, kept):
    assert store.find("k") is None
    store.keep(kept("k", cost_usd=0.01))
    found = store.find("k")
    assert text_of(found) == "Hello world"
    assert (found.provider, found.model, found.cost_usd, found.at) == ("a", "m", 0.01, NOON)
    assert ChatResponse.from_deltas(found.deltas).usage.output_tokens == 2
    assert store.find("j") is None


def test_a_newer_answer_takes_the_place_of_the_older(store, kept):
    store.keep(kept("k"))
    store.keep(kept("k", deltas=(Delta(text="new"),)))
    assert text_of(store.find("k")) == "new"
    assert store.counts().entries == 1


def test_an_answer_is_given_until_its_time_is_over_and_not_a_second_longer(store, kept, clock):
    store.keep(kept("k"))
    clock.advance(3599)
    assert store.find("k") is not None
    assert store.find("k", max_age_s=60) is None
    clock.advance(2)
    assert store.find("k") is None


def test_an_answer_from_the_future_is_not_trusted(store, kept, clock):
    store.keep(kept("k"))
    clock.skew_s = -3600
    assert store.find("k") is None


def test_old_answers_leave_the_file_as_new_ones_come(store, kept, clock):
    store.keep(kept("old"))
    clock.advance(4000)
    store.keep(kept("new"))
    assert store.counts().entries == 1


def test_the_least_lately_used_make_room_and_the_size_is_kept(tmp_path, kept, clock):
    with AnswerStore(tmp_path / "cache.db", clock.now, ttl_s=3600, max_bytes=40_000) as store:
        long = (Delta(text="x" * 2000),)
        for number in range(15):
            store.keep(kept(f"k{number}", deltas=long))
            clock.advance(1)
        store.hit(store.find("k0"), semantic=False)
        for number in range(15, 28):
            store.keep(kept(f"k{number}", deltas=long))
            clock.advance(1)
        counts = store.counts()
        assert counts.bytes <= 40_000
        assert counts.entries + counts.evicted == 28
        assert store.find("k0") is not None
        assert store.find("k1") is None
        assert store.find("k27") is not None


def test_an_answer_that_would_cost_all_the_others_is_not_kept(tmp_path, kept, clock):
    with AnswerStore(tmp_path / "cache.db", clock.now, ttl_s=3600, max_bytes=10_000) as store:
        store.keep(kept("small"))
        store.keep(kept("large", deltas=(Delta(text="x" * 9_000),)))
        assert (store.find("small") is not None, store.find("large")) == (True, None)


def test_hits_misses_and_money_are_counted_over_all_processes(tmp_path, kept, clock):
    def opened() -> AnswerStore:
        return AnswerStore(tmp_path / "cache.db", clock.now, ttl_s=3600, max_bytes=1_000_000)

    with opened() as one:
        one.missed()
        one.keep(kept("k", cost_usd=0.25))
    with opened() as two:
        for _ in range(3):
            two.hit(two.find("k"), semantic=False)
        two.hit(two.find("k"), semantic=True)
    with opened() as three:
        counts = three.counts()
    assert (counts.hits, counts.semantic_hits, counts.misses, counts.kept) == (3, 1, 1, 1)
    assert counts.saved_usd == pytest.approx(1.0)
    assert counts.hit_rate == pytest.approx(0.8)


def test_the_file_is_ours_alone(store, kept, tmp_path):
    before = os.umask(0)
    try:
        store.keep(kept("k"))
    finally:
        os.umask(before)
    directory = tmp_path / "state"
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}


def test_while_another_process_holds_the_lock_nobody_waits_and_nothing_is_lost(store, kept, tmp_path):
    store.keep(kept("first"))
    other = sqlite3.connect(tmp_path / "state" / "cache.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store.keep(kept("second"))
    assert store.find("second") is None
    assert store.find("first") is not None
    other.execute("COMMIT")
    other.close()
    store.keep(kept("third"))
    assert store.find("second") is not None
    assert store.counts().kept == 3


def test_a_file_that_is_no_database_is_set_aside_and_told(tmp_path, kept, clock):
    path = tmp_path / "cache.db"
    path.write_bytes(b"this is no database" * 100)
    path.chmod(0o600)
    with AnswerStore(path, clock.now, ttl_s=3600, max_bytes=1_000_000) as store:
        store.keep(kept("k"))
        assert store.find("k") is not None
        assert "set aside" in store.notices[0]


def test_a_file_that_cannot_be_used_is_told_once_and_costs_no_answer(tmp_path, kept, clock):
    (tmp_path / "cache.db").mkdir()
    with AnswerStore(tmp_path / "cache.db", clock.now, ttl_s=3600, max_bytes=1_000_000) as store:
        store.keep(kept("k"))
        assert store.find("k") is None
        store.missed()
        (notice,) = store.notices
        assert "the cache is not used" in notice


def test_an_answer_that_cannot_be_read_is_no_answer(store, kept, tmp_path):
    store.keep(kept("k"))
    other = sqlite3.connect(tmp_path / "state" / "cache.db", isolation_level=None)
    for text in ("nonsense", "[1]", "{}", '[{"from_tomorrow":1}]', '[{"finish_reason":"new"}]', "[]"):
        other.execute("UPDATE answers SET answer = ?", (text,))
        assert store.find("k") is None, text
    other.close()


def test_purged_words_are_in_no_byte_of_the_file(store, kept, tmp_path):
    secret = "Rosebud-4711"
    long = f"{secret} " * 3000  # pages of its own, which a plain DELETE only sets free
    store.keep(kept("k", deltas=(Delta(text=long),), prompt=f"say {secret}"))
    held = b"".join(path.read_bytes() for path in (tmp_path / "state").iterdir())
    assert secret.encode() in held
    assert store.purge() == 1
    held = b"".join(path.read_bytes() for path in (tmp_path / "state").iterdir())
    assert secret.encode() not in held
    assert store.counts().entries == 0


def test_a_purge_by_age_leaves_what_is_younger(store, kept, clock):
    store.keep(kept("old"))
    clock.advance(100)
    store.keep(kept("new"))
    assert store.purge(before=clock.now() - 50) == 1
    assert (store.find("old"), store.find("new") is not None) == (None, True)


def _keep_many(path: Path, name: int) -> None:
    kept = Kept("", NOON, "a", "m", (Delta(text="x" * 100),))
    with AnswerStore(path, lambda: NOON, ttl_s=3600, max_bytes=10_000_000) as store:
        for number in range(40):
            store.keep(replace(kept, key=f"{name}/{number}"))
            store.missed()


def test_many_processes_keep_and_count_at_once_and_lose_nothing(tmp_path):
    path = tmp_path / "cache.db"
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_keep_many, args=(path, name)) for name in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    with AnswerStore(path, lambda: NOON, ttl_s=3600, max_bytes=10_000_000) as store:
        counts = store.counts()
    assert (counts.entries, counts.kept, counts.misses) == (240, 240, 240)
