"""Conversations from the command line: kept, gone on with, searched, purged; and never in the way of an answer."""

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sysconfig
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llmr.lab import Behavior, Fault, LabProvider
from llmr.lab.behavior import LabToolCall
from llmr.money import dollars, dollars_alike

LLMR = Path(sysconfig.get_path("scripts")) / "llmr"


@pytest.fixture
def here(box):
    made = box([LabProvider("a")])
    made.variables["LLMR_SAVE"] = ""
    return made


@pytest.fixture
def kept_in(here):
    return here.home / ".local/state/llmr/conversations.db"


def asked(here, index=-1):
    """The messages of a request that the lab got: `(role, content)` each."""
    return [(m["role"], m["content"]) for m in here.lab.provider("a").requests[index].json["messages"]]


def shown(here, *arguments):
    return here.run("log", "show", "--json", *arguments).json["turns"]


def test_the_first_time_says_where_and_how_to_turn_it_off_and_then_no_more(here, kept_in):
    ended = here.run("chat", "hi")
    (line,) = ended.err_lines
    for word in (str(kept_in), "--no-save", "LLMR_SAVE=0", "save = false"):
        assert word in line
    assert here.run("chat", "again").err == ""
    assert oct(kept_in.stat().st_mode)[-3:] == "600"


@pytest.mark.parametrize(
    ("arguments", "variables", "settings"),
    [
        (["--no-save"], {}, ""),
        ([], {"LLMR_SAVE": "0"}, ""),
        ([], {"LLMR_SAVE": "off"}, ""),
        ([], {"LLMR_LOG": "off"}, ""),
        ([], {}, "[conversations]\nsave = false"),
    ],
)
def test_every_way_of_turning_it_off_leaves_no_file(here, kept_in, arguments, variables, settings):
    here.variables.update(variables)
    here.configure("a", extra=settings)
    ended = here.run("chat", *arguments, "hi")
    assert (ended.code, ended.err) == (0, "")
    assert not kept_in.exists()


def test_one_run_may_be_kept_though_the_file_says_no(here, kept_in):
    here.configure("a", extra="[conversations]\nsave = false")
    here.run("chat", "--save", "hi")
    assert kept_in.exists()


def test_continue_sends_what_was_said_with_the_system_prompt_that_held(here):
    here.lab.provider("a").follow([Behavior(text="one"), Behavior(text="two"), Behavior(text="three")])
    first = here.run("chat", "-s", "be brief", "--json", "first").json["conversation_id"]
    assert here.run("chat", "-c", "--json", "second").json["conversation_id"] == first
    assert here.run("chat", "--conversation", first[:6], "-s", "be long", "third").out == "three"
    assert asked(here) == [
        ("system", "be long"), ("user", "first"), ("assistant", "one"), ("user", "second"), ("assistant", "two"),
        ("user", "third"),
    ]  # fmt: skip
    assert [turn["parent"] for turn in shown(here, first)] == [None, 1, 2]


def test_the_model_may_change_in_the_middle_and_is_else_the_one_asked_last(box):
    here = box([LabProvider("a"), LabProvider("b")])
    here.variables["LLMR_SAVE"] = ""
    here.run("chat", "-m", "a/lab-model", "hi")
    here.run("chat", "-c", "more")
    here.run("chat", "-c", "-m", "b/lab-model", "and you?")
    here.run("chat", "-c", "and again?")
    assert [turn["provider"] for turn in shown(here)] == ["a", "a", "b", "b"]
    assert len(here.lab.provider("b").requests[-1].json["messages"]) == 7


def test_tool_calls_and_reasoning_come_back_as_they_were(here):
    call = LabToolCall("look", '{"at": "sky"}')
    here.lab.provider("a").follow([Behavior(text="t", reasoning="hm", tool_calls=(call,)), Behavior()])
    here.run("chat", "look up")
    (turn,) = shown(here)
    kinds = [part["type"] for part in turn["messages"][1]["parts"]]
    assert kinds == ["thinking", "text", "tool_call"]
    here.run("chat", "-c", "and?")
    said = here.lab.provider("a").requests[-1].json["messages"][1]
    assert said["tool_calls"][0]["function"]["arguments"] == '{"at": "sky"}'


def test_continue_is_of_this_terminal_only(here):
    here.variables.update(TMUX="/tmp/tmux-0/default,1,0", TMUX_PANE="%1")
    here.run("chat", "in pane one")
    here.variables["TMUX_PANE"] = "%2"
    refused = here.run("chat", "-c", "more")
    assert refused.code == 2
    assert "no conversation of this terminal" in refused.err
    here.run("chat", "in pane two")
    here.variables["TMUX_PANE"] = "%1"
    here.run("chat", "-c", "more")
    assert asked(here)[0] == ("user", "in pane one")


def test_nothing_to_go_on_with_is_refused_before_anybody_is_asked(here):
    for arguments in (["-c"], ["--conversation", "last"], ["--conversation", "abcd"]):
        ended = here.run("chat", *arguments, "hi")
        assert (ended.code, len(ended.err_lines)) == (2, 1)
    assert here.lab.provider("a").requests == ()


@pytest.mark.parametrize("name", ["../../x", "a/b", ".", "CON", "x" * 300, "'; DROP TABLE turns; --"])
def test_b53_a_conversation_that_cannot_be_is_code_2(here, name):
    here.run("chat", "hi")
    ended = here.run("chat", "--conversation", name, "hi")
    assert (ended.code, len(ended.err_lines)) == (2, 1)
    assert here.run("log", "show", name).code == 2


def test_a_failed_turn_is_kept_marked_and_not_told_to_the_next_model(here):
    here.lab.provider("a").follow([Behavior(status=400, error_message="no"), Behavior(text="fine")])
    assert here.run("chat", "asked in vain").code == 9
    assert here.run("chat", "-c", "asked again").out == "fine"
    assert asked(here) == [("user", "asked again")]
    failed, whole = shown(here)
    assert (failed["outcome"], failed["answer"], failed["partial"]) == ("bad_request", "", False)
    assert whole["outcome"] == "ok"


def test_a_broken_answer_is_kept_as_far_as_it_came_and_gone_on_from(here):
    here.lab.provider("a").follow([Behavior(text="one two three four", fault=Fault.CUT, fault_at=2), Behavior()])
    broken = here.run("chat", "tell me")
    assert broken.code == 8
    here.run("chat", "-c", "go on")
    assert asked(here)[1] == ("assistant", broken.out)
    first, _ = shown(here)
    assert first["partial"] is True
    assert first["answer"] == broken.out


def test_b57_an_interrupted_answer_is_kept_as_far_as_it_came(here):
    here.lab.provider("a").follow([Behavior(text="one two three four", gate="never", gate_at=2), Behavior()])
    process = here.start("chat", "tell me")
    assert process.stdout is not None
    first = os.read(process.stdout.fileno(), 100)
    process.send_signal(signal.SIGINT)
    ended = here.end(process)
    assert ended.code == 130
    (turn,) = shown(here)
    assert (turn["outcome"], turn["answer"]) == ("cancelled", (first + ended.raw).decode().rstrip("\n"))


@pytest.mark.parametrize(
    ("more", "where"),
    [(["-o", "/dev/full"], "/dev/full"), (["--json", "-o", "/dev/full"], "/dev/full"), ([], "standard")],
)
def test_an_answer_that_cannot_be_written_is_kept_once_and_told_in_one_line(here, more, where):
    here.run("chat", "--save", "-q", "before")
    with Path("/dev/full").open("wb") as full:
        ended = here.end(here.start("chat", "-q", *more, "hi", stdout=subprocess.PIPE if more else full))
    assert ended.code == 12
    (line,) = ended.err_lines
    assert where in line
    conversation = here.run("log", "show", "last", "--json").json
    assert f"is in `llmr log show {conversation['id']}`" in line
    assert [turn["prompt"] for turn in conversation["turns"]] == ["hi"]
    assert conversation["turns"][0]["answer"]


def test_minus_o_minus_is_standard_output(here):
    assert here.run("chat", "-o", "-", "hi").out == "Hello from the lab."
    assert not (here.home / "-").exists()


def test_a_file_named_within_quotes_is_said_to_be_sent_as_it_is(here):
    (here.home / "f.txt").write_text("x")
    ended = here.run("chat", "what is in @f.txt?")
    assert "llmr: @f.txt was sent as it is: put it outside of the quotes" in ended.err_lines


def test_a_request_that_was_never_made_is_not_kept(here, kept_in):
    here.run("chat", "-m", "gpt-4o", "hi")  # no key
    here.run("chat", "@nothing")
    assert not kept_in.exists()


def test_a_key_that_was_pasted_is_masked_in_what_is_kept(here, kept_in):
    here.configure("a", provider_extra='api_key_env = "LAB_KEY"')
    here.variables["LAB_KEY"] = "correct-horse-battery"
    here.run("chat", "my key is correct-horse-battery, and sk-ant-abcdefgh12345678")
    (turn,) = shown(here)
    assert turn["prompt"] == "my key is ***, and ***"
    everything = b"".join(file.read_bytes() for file in kept_in.parent.iterdir())
    assert b"correct-horse" not in everything


def test_log_lists_searches_and_shows(here):
    here.lab.provider("a").follow([Behavior(text="Foxes dig burrows."), Behavior(text="Owls do not.")])
    here.run("chat", "What do foxes dig?")
    here.run("chat", "And owls?")
    head, newest, oldest = here.run("log").out.splitlines()
    assert head.split()[:3] == ["id", "when", "turns"]
    assert "And owls?" in newest
    assert "a/lab-model" in oldest
    assert here.run("log", "-n", "1").err == "llmr: 1 of 2: -n shows more\n"
    assert here.run("log", "-n", "2").err == ""
    both = here.run("log", "show", "--json", "--markdown")
    assert (both.code, both.out) == (2, "")
    found, snippet = here.run("log", "burrow*").out.splitlines()
    assert "What do foxes dig?" in found
    assert "[burrows]" in snippet
    plain = here.run("log", "show", found.split()[0]).out
    assert "## You\n\nWhat do foxes dig?\n\n## a/lab-model\n\nFoxes dig burrows.\n" in plain
    exported = [json.loads(line) for line in here.run("log", "export").out.splitlines()]
    assert [one["title"] for one in exported] == ["What do foxes dig?", "And owls?"]


def test_purge_takes_every_byte_and_asks_where_it_cannot_be_undone(here, kept_in):
    here.run("chat", "remember the xylophone")
    here.run("chat", "nothing else")
    assert here.run("log", "purge").code == 2
    assert here.run("log", "purge", "--all").code == 2  # nobody to ask
    assert b"xylophone" in b"".join(file.read_bytes() for file in kept_in.parent.glob("conversations*"))
    name = here.run("log", "xylophone", "--json").json["hits"][0]["id"]
    assert here.run("log", "purge", name).err == "llmr: purged 1 conversation\n"
    assert b"xylophone" not in b"".join(file.read_bytes() for file in kept_in.parent.iterdir())
    assert here.run("log", "purge", "--before", "1h").err == "llmr: purged 0 conversations\n"  # nothing to ask about
    assert here.run("log", "purge", "--before", "1h", "--yes").err == "llmr: purged 0 conversations\n"
    assert here.run("log", "purge", "--all", "--yes").err == "llmr: purged 1 conversation\n"


# Whatever is wrong with the file, the answer still comes.


def answered(here, notes):
    ended = here.run("chat", "hi")
    assert (ended.code, ended.out) == (0, "Hello from the lab.")
    assert len(ended.err_lines) == notes, ended.err
    return ended.err


def test_b47_a_corrupt_file_is_set_aside(here, kept_in):
    kept_in.parent.mkdir(parents=True, mode=0o700)
    kept_in.write_bytes(b"garbage" * 999)
    assert "set aside" in answered(here, 2)  # and that conversations are kept
    assert answered(here, 0) == ""
    assert len(shown(here)) == 1


def test_b47_a_symlink_or_directory_in_its_place_is_one_note(here, kept_in, tmp_path):
    kept_in.parent.mkdir(parents=True, mode=0o700)
    (tmp_path / "elsewhere").write_bytes(b"")
    kept_in.symlink_to(tmp_path / "elsewhere")
    assert "this turn is not kept" in answered(here, 1)
    assert (tmp_path / "elsewhere").read_bytes() == b""
    kept_in.unlink()
    kept_in.mkdir()
    assert "this turn is not kept" in answered(here, 1)


def test_b48_a_newer_file_is_not_written(here, kept_in):
    answered(here, 1)
    with sqlite3.connect(kept_in) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    before = kept_in.read_bytes()
    assert "schema 999" in answered(here, 1)
    assert kept_in.read_bytes() == before
    refused = here.run("chat", "-c", "hi")
    assert refused.code == 2  # an answer without its history would be a wrong one
    assert "schema 999" in refused.err


def test_b49_a_locked_file_delays_the_end_by_a_moment_and_is_one_note(here, kept_in):
    answered(here, 1)
    holder = sqlite3.connect(kept_in, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    began = time.perf_counter()
    free = answered(here, 1)
    took_s = time.perf_counter() - began
    holder.execute("ROLLBACK")
    holder.close()
    assert "locked" in free
    assert took_s < 60  # 0.25 s of it are the lock's; a loaded machine's are its own


def test_b50_fifty_at_once_lose_nothing(here):
    answered(here, 1)
    with ThreadPoolExecutor(8) as pool:
        ended = list(pool.map(lambda n: here.run("chat", "-q", f"number {n}"), range(50)))
    assert {one.code for one in ended} == {0}
    kept = here.run("log", "--json", "-n", "99").json["conversations"]
    assert {one["title"] for one in kept} == {"hi", *(f"number {n}" for n in range(50))}


def test_b51_a_disk_that_is_full_is_one_note(here, kept_in):
    def little():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    ended = here.end(here.start("chat", "hi", preexec_fn=little))
    assert (ended.code, ended.out) == (0, "Hello from the lab.")
    assert any("this turn is not kept" in line for line in ended.err_lines)


@pytest.mark.parametrize("home", ["", "relative", "/nonexistent"])
def test_b51_without_a_home_nothing_is_kept_and_the_answer_comes(here, home):
    environment = {**here.environment, "HOME": home}
    done = subprocess.run(
        [LLMR, "chat", "hi"], env=environment, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "Hello from the lab.")


def test_b52_whatever_the_umask_the_file_is_mine_alone(here, kept_in):
    here.end(here.start("chat", "hi", umask=0o000))
    assert oct(kept_in.stat().st_mode)[-3:] == "600"
    assert oct(kept_in.parent.stat().st_mode)[-3:] == "700"


def test_b55_a_clock_that_was_years_off_breaks_nothing(here, kept_in):
    answered(here, 1)
    with sqlite3.connect(kept_in) as connection:
        connection.execute("UPDATE turns SET at = 1e13")
    connection.close()
    answered(here, 0)
    assert len(here.run("log").out.splitlines()) == 3
    assert here.run("log", "show", "--json").code == 0
    first = here.run("log", "--json").json["conversations"][-1]
    assert here.run("log", "show", first["id"]).code == 0


@pytest.mark.parametrize("how", ["broken", "interrupted"])
def test_what_an_answer_cost_that_did_not_come_to_its_end_is_an_estimate_and_says_so(here, how):
    with here.config_file.open("a") as file:
        file.write("\n[providers.a.models.lab-model]\nprice = { input_usd = 1000, output_usd = 1000 }\n")
    fault = {"fault": Fault.CUT, "fault_at": 2} if how == "broken" else {"gate": "never", "gate_at": 2}
    here.lab.provider("a").follow([Behavior(text="one two three four", **fault)])
    process = here.start("chat", "-v", "--jsonl", "hi")
    if how == "interrupted":
        for line in process.stdout:
            if b'"two' in line:
                break
        process.send_signal(signal.SIGINT)
    ended = here.end(process)
    last = json.loads(ended.raw.splitlines()[-1])
    (turn,) = shown(here, "last")
    assert last["cost_usd"] == last["estimated_usd"] == turn["cost_usd"] == turn["estimated_usd"] > 0
    assert dollars(turn["cost_usd"], estimated=True) in ended.err
    assert f"~{dollars_alike([turn['cost_usd']])[0]}" in here.run("log").out
