"""The commands, in this process: arguments in, exit code out, the right words on the right stream."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from llmr.app import SystemClock
from llmr.chat import Delta
from llmr.cli import COMMANDS, crashed, run
from llmr.cli.delivery import Delivery
from llmr.cli.exit_codes import ExitCode
from llmr.cli.file_target import FileTarget
from llmr.cli.keeping import Keeping
from llmr.cli.output import told_to_end
from llmr.cli.signals import Signals
from llmr.errors import OutputError
from llmr.lab import Behavior, Fault, rate_limited
from llmr.render.transcript import Transcript
from llmr.router import Event, Router

DOWN = Behavior(status=500, error_message="on fire")
SPEC = Behavior(text="Once upon a time")


def test_help_lists_every_command_without_importing_one(shell: Any) -> None:
    loaded = set(sys.modules)
    said = shell("--help")
    assert said.code == 0
    assert all(f"  {name} " in said.out for name in COMMANDS)
    assert not {m for m in set(sys.modules) - loaded if m.startswith("llmr.cli.") and m.endswith("_command")}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(shell: Any, name: str) -> None:
    said = shell(name, "--help")
    assert said.code == 0
    assert f"llmr {name}" in said.out


def test_the_version_is_one_line(shell: Any) -> None:
    said = shell("--version")
    assert said.out.startswith("llmr ")
    assert said.code == 0


@pytest.mark.parametrize("arguments", [("caht",), ("chat", "--no-such"), ("chat", "--max-tokens", "0", "x")])
def test_what_cannot_be_used_is_a_usage_error(shell: Any, arguments: tuple[str, ...]) -> None:
    said = shell(*arguments)
    assert (said.code, said.out) == (2, "")
    assert said.err


def test_a_mistyped_command_is_answered_with_the_nearest(shell: Any) -> None:
    assert shell("caht").err == "llmr: no such command: 'caht'; did you mean chat?\n"


def test_no_arguments_show_the_help(shell: Any) -> None:
    said = shell()
    assert "Usage" in said.out + said.err


# chat


def test_the_answer_is_on_stdout_and_nothing_else_is(shell: Any) -> None:
    shell.serve(a=[SPEC])
    said = shell("chat", "tell me")
    assert (said.code, said.out, said.err) == (0, "Once upon a time", "")


def test_a_fallback_is_one_line_on_stderr(shell: Any) -> None:
    shell.serve(a=[DOWN], b=[SPEC])
    said = shell("chat", "tell me")
    assert (said.code, said.out) == (0, "Once upon a time")
    (line,) = said.err_lines
    assert line.startswith("llmr: a/lab-model 500 server → b/lab-model (")


def test_quiet_says_nothing_of_it(shell: Any) -> None:
    shell.serve(a=[DOWN], b=[SPEC])
    assert shell("chat", "-q", "tell me").err == ""


def test_verbose_gives_the_receipt_and_twice_the_decision(shell: Any) -> None:
    shell.serve(a=[SPEC])
    said = shell("chat", "-v", "--no-stream", "-s", "be brief", "--tag", "t", "--temperature", "0", "x")
    assert "  1. a/lab-model ok, first token after" in said.err
    assert "priority order" not in said.err
    assert "llmr: m: priority order for ~" in shell("chat", "-vv", "x").err


def test_the_system_prompt_comes_first(shell: Any) -> None:
    lab = shell.serve(a=[SPEC])
    shell("chat", "-s", "be brief", "hello", "--max-tokens", "5")
    sent = lab.provider("a").requests[0].json
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    assert sent["max_tokens"] == 5


def test_everyone_down_is_told_with_each_reason(shell: Any) -> None:
    shell.serve(a=[Behavior(status=401)], b=[Behavior(status=401, error_message="who\x1b[2J are you")])
    said = shell("chat", "x")
    assert (said.code, said.out) == (4, "")
    assert said.err_lines[0] == "llmr: no answer for 'm': nobody else can be asked, 2 attempts"
    assert "  b/lab-model: 401 auth: who␛[2J are you" in said.err_lines


def test_twice_quiet_leaves_only_the_exit_code(shell: Any) -> None:
    shell.serve(a=[Behavior(status=401)])
    said = shell("chat", "-qq", "x")
    assert (said.code, said.out, said.err) == (4, "", "")


def test_json_is_one_document_for_an_answer_and_for_a_failure(shell: Any) -> None:
    shell.serve(a=[SPEC, Behavior(status=400, error_message="bad temperature")])
    answered, failed = shell("chat", "--json", "x"), shell("chat", "--json", "x")
    assert (answered.code, answered.json["text"], answered.json["error"]) == (0, "Once upon a time", None)
    assert (failed.code, failed.json["error"]["kind"], failed.json["error"]["exit_code"]) == (9, "bad_request", 9)
    assert failed.json["attempts"][0]["http"] == 400
    assert failed.err_lines[0].startswith("llmr: no answer")
    assert answered.json["id"] != failed.json["id"]
    assert all(len(said.json["id"]) == 16 for said in (answered, failed))
    assert failed.json["timing_ms"]["total"] >= failed.json["attempts"][0]["ms"]


def test_json_of_a_usage_error_is_a_document_too(shell: Any) -> None:
    said = shell("chat", "--json")
    assert (said.code, said.json["error"]["kind"]) == (2, "usage")
    assert said.json["id"] is None, "it came to no request"
    assert said.json["timing_ms"]["total"] >= 0


def test_a_broken_answer_keeps_what_came_and_says_so(shell: Any) -> None:
    shell.serve(a=[Behavior(text="Once upon a time", fault=Fault.CUT, fault_at=2)])
    said = shell("chat", "-v", "x")
    assert said.code == 8
    assert said.out.startswith("Once")
    assert "a/lab-model broke off" in said.err
    assert "  1. a/lab-model incomplete" in said.err


def test_a_broken_answer_is_told_in_exactly_one_line_and_its_json_is_complete(shell: Any) -> None:
    shell.serve(a=[Behavior(text="Once upon a time", fault=Fault.CUT, fault_at=2)])
    (line,) = shell("chat", "x").err_lines
    assert line.startswith("llmr: a/lab-model broke off: ")
    said = shell("chat", "--json", "x")
    assert (said.code, said.json["partial"], len(said.json["id"])) == (8, True, 16)
    assert said.json["timing_ms"]["total"] >= said.json["timing_ms"]["first_token"]


def test_a_tag_that_no_rule_knows_is_told_and_one_that_some_rule_knows_is_not(shell: Any) -> None:
    """A typo must not pass for protection."""
    shell.serve(a=[SPEC])
    said = shell("chat", "--tag", "privat", "x")
    assert (said.code, said.out) == (0, "Once upon a time")
    assert said.err_lines == ["llmr: no rule mentions the tag 'privat': it changes nothing"]
    assert shell("chat", "-q", "--tag", "privat", "x").err == ""
    kept = shell("chat", "--tag", "private", "x")
    assert kept.code == 3, "the shipped rule keeps it at home, where nobody is"
    assert "no rule mentions" not in kept.err
    giving = '[[rules]]\nwhen.stream = false\ntags = ["given"]\ncontinue = true\n'
    asking = '[[rules]]\nwhen.tags = ["asked"]\navoid = ["a/*"]\n'
    file = shell.home / ".config/llmr/routing.toml"
    shell.configure(f"{file.read_text()}\n{giving}{asking}")
    said = shell("chat", "--tag", "asked", "--tag", "given", "--tag", "private", "x")
    assert said.err_lines == ["llmr: no rule mentions the tag 'private': it changes nothing"]


@pytest.mark.parametrize("wish", ["restart", "continue"])
def test_going_on_after_a_break_is_marked_for_everyone_to_see(shell: Any, wish: str) -> None:
    shell.serve(a=[Behavior(text="Once upon a time", fault=Fault.CUT, fault_at=2)], b=[Behavior(text="and so on")])
    said = shell("chat", "-v", "--on-break", wish, "x")
    assert said.code == 0
    assert said.out.startswith("Once")
    assert said.out.endswith("and so on")
    assert "a/lab-model" in said.err
    assert shell("chat", "--on-break", "explode", "x").code == 2


@pytest.mark.parametrize(
    ("reason", "code", "note"), [("length", 0, "raise --max-tokens"), ("content_filter", 10, "content policy")]
)
def test_an_answer_that_was_cut_says_by_what(shell: Any, reason: str, code: int, note: str) -> None:
    shell.serve(a=[Behavior(text="Once", finish_reason=reason)])
    said = shell("chat", "x")
    assert (said.code, said.out) == (code, "Once")
    assert note in said.err


def test_an_answer_that_a_content_policy_ended_is_an_error_in_the_json_and_no_whole_turn(shell: Any) -> None:
    shell.serve(a=[Behavior(text="Once", finish_reason="content_filter")])
    said = shell("chat", "--json", "--save", "x")
    assert (said.code, said.json["error"]["kind"], said.json["error"]["exit_code"]) == (10, "content_filter", 10)
    assert said.json["text"] == "Once"
    kept = shell("log", "show", said.json["conversation_id"], "--json").json
    assert [turn["outcome"] for turn in kept["turns"]] == ["content_filter"]
    events = shell("chat", "--jsonl", "x").out.splitlines()
    assert '"event": "error"' in events[-1]


def test_a_signal_after_the_last_token_finds_the_books_and_the_file_whole(shell: Any) -> None:
    """While `-o` is written, Ctrl-C is heard, and what has begun is done."""
    shell.serve(a=[SPEC])
    write = FileTarget.write

    def interrupted(self: FileTarget, content: bytes) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        write(self, content)

    shell.monkeypatch.setattr(FileTarget, "write", interrupted)
    said = shell("chat", "--save", "-o", "out.txt", "x")
    assert (said.code, said.err.count("Traceback")) == (0, 0)
    assert Path("out.txt").read_text() == "Once upon a time"
    kept = shell("log", "show", "--json").json
    assert [turn["outcome"] for turn in kept["turns"]] == ["ok"]


def test_a_turn_is_kept_once_though_its_answer_cannot_be_written(shell: Any) -> None:
    shell.serve(a=[SPEC])

    def full(self: FileTarget, content: bytes) -> None:
        raise OutputError("No space left on device")

    shell.monkeypatch.setattr(FileTarget, "write", full)
    shell.monkeypatch.setattr(FileTarget, "write_part", full)
    assert shell("chat", "--save", "-o", "out.txt", "x").code == 12
    kept = shell("log", "show", "--json").json
    assert [turn["outcome"] for turn in kept["turns"]] == ["ok"]


def test_a_short_wait_is_told(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ahead_s = 0.0

    async def at_once(_: object, seconds: float) -> None:
        nonlocal ahead_s
        ahead_s += seconds

    for name in ("now", "monotonic"):
        real = getattr(SystemClock, name)
        monkeypatch.setattr(SystemClock, name, lambda clock, real=real: real(clock) + ahead_s)
    monkeypatch.setattr("llmr.app.SystemClock.sleep", at_once)
    shell.serve(a=[rate_limited("2"), SPEC])
    said = shell("chat", "-v", "x")
    assert said.out == "Once upon a time"
    assert "llmr: waiting" in said.err
    assert "waited" in said.err


def test_nobody_set_up_names_the_keys(shell: Any) -> None:
    shell.configure('default_model = "m"\n[models.m]\ncandidates = ["openai/gpt-4o"]\n')
    said = shell("chat", "x")
    assert said.code == 3
    assert "OPENAI_API_KEY" in said.err


def test_an_unknown_strategy_is_a_usage_error(shell: Any) -> None:
    said = shell("chat", "--strategy", "fastest", "x")
    assert said.code == 2
    assert "unknown strategy 'fastest'" in said.err


def test_a_configuration_that_is_wrong_says_where(shell: Any) -> None:
    shell.configure("strategy = 'fastest'\n")
    said = shell("chat", "x")
    assert said.code == 3
    assert "routing.toml" in said.err


def test_the_demo_needs_nothing(shell: Any) -> None:
    said = shell("chat", "--demo", "hello")
    assert "llmr: demo-fast/demo 503 overloaded → demo-steady/demo (" in said.err
    assert said.code == 0
    assert "no model was asked" in said.out
    assert not list(shell.home.rglob("*.db"))


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_disk_that_is_full_is_told_and_nobody_is_said_to_be_still_running(shell: Any, form: tuple[str, ...]) -> None:
    shell.serve(a=[SPEC])
    shell.monkeypatch.setattr("sys.stdin", None)
    kept = os.dup(1)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, 1)
    try:
        code = run(["chat", "-v", *form, "x"])
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(full)
    err = shell.capfd.readouterr().err
    assert code == 12
    assert "No space left on device" in err
    assert "running" not in err


@pytest.mark.parametrize("arguments", [("chat", "x"), ("chat", "--json", "x"), ("rank",), ("help",)])
def test_a_reader_that_has_gone_ends_the_run_in_silence(shell: Any, arguments: tuple[str, ...]) -> None:
    shell.serve(a=[SPEC])
    kept = os.dup(1)
    read_end, write_end = os.pipe()
    os.dup2(write_end, 1)
    os.close(write_end)
    os.close(read_end)
    shell.monkeypatch.setattr("sys.stdin", None)
    try:
        code = run(list(arguments))
    finally:
        os.dup2(kept, 1)
        os.close(kept)
    assert code == 141
    assert shell.capfd.readouterr().err == ""


def test_a_failed_json_run_whose_reader_has_gone_is_silent_too(shell: Any) -> None:
    shell.serve(a=[Behavior(status=400)])
    kept = os.dup(1)
    read_end, write_end = os.pipe()
    os.dup2(write_end, 1)
    os.close(write_end)
    os.close(read_end)
    shell.monkeypatch.setattr("sys.stdin", None)
    try:
        assert run(["chat", "--json", "x"]) == 141
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def test_a_closed_stdout_is_told_before_anyone_is_asked(shell: Any) -> None:
    lab = shell.serve(a=[SPEC])
    kept = os.dup(1)
    os.close(1)
    shell.monkeypatch.setattr("sys.stdin", None)
    try:
        assert run(["chat", "x"]) == 12
    finally:
        os.dup2(kept, 1)
        os.close(kept)
    assert lab.provider("a").requests == ()


def test_what_the_store_has_to_say_is_told_though_the_request_failed(shell: Any) -> None:
    shell.serve("[state]", f'path = "{shell.home}/store.db"', a=[Behavior(status=401)])
    (shell.home / "store.db").write_bytes(b"this is no database at all" * 100)
    (shell.home / "store.db").chmod(0o600)
    said = shell("chat", "x")
    assert said.code == 4
    assert "set aside" in said.err


def test_ctrl_c_ends_the_answer_keeps_what_came_and_holds_it_against_nobody(shell: Any) -> None:
    shell.serve(a=[Behavior(text="Once upon a time", gate="never", gate_at=1)])
    interrupted = False

    def on_write(_: object, text: str) -> None:
        nonlocal interrupted
        os.write(1, text.encode())
        if not interrupted:
            interrupted = True
            os.kill(os.getpid(), signal.SIGINT)

    shell.monkeypatch.setattr("llmr.cli.answers.AnswerText.write", on_write)
    said = shell("chat", "-v", "x")
    assert said.code == 130
    assert said.out.startswith("Once")
    assert "a/lab-model cancelled" in said.err
    status = shell("providers", "status", "--json").json
    (model,) = next(p for p in status["providers"] if p["name"] == "a")["models"]
    assert (model["attempts"], model["last_error"]) == (0, None)


def test_ctrl_c_of_a_json_run_is_a_document_with_what_came_its_id_and_how_long_it_took(shell: Any) -> None:
    shell.serve(a=[Behavior(text="Once upon a time", gate="never", gate_at=1)])
    add = Transcript.add

    def interrupting(self: Transcript, event: Event) -> None:
        add(self, event)
        if isinstance(event, Delta):
            os.kill(os.getpid(), signal.SIGINT)

    shell.monkeypatch.setattr(Transcript, "add", interrupting)
    said = shell("chat", "--json", "x")
    assert (said.code, said.json["error"]["kind"], said.json["partial"]) == (130, "cancelled", True)
    assert said.json["text"].startswith("Once")
    assert len(said.json["id"]) == 16
    assert said.json["timing_ms"]["total"] >= said.json["timing_ms"]["first_token"]


def test_a_second_signal_within_two_seconds_leaves_at_once(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int | str] = []
    monkeypatch.setattr("os._exit", left.append)
    monkeypatch.setattr(told_to_end, "give_back", lambda: left.append("given back"))

    async def scenario() -> None:
        stubborn = asyncio.create_task(asyncio.Event().wait())
        with Signals(stubborn) as signals:
            signals._received(signal.SIGTERM, None)
            signals._received(signal.SIGTERM, None)
            with pytest.raises(asyncio.CancelledError):
                await stubborn
        assert signals.code is ExitCode.TERMINATED

    run(scenario())
    assert left == ["given back", 143]


def test_in_the_client_a_double_tap_is_one_interrupt(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []
    monkeypatch.setattr("os._exit", left.append)

    async def scenario() -> None:
        stubborn = asyncio.create_task(asyncio.Event().wait())
        with Signals(stubborn, hangs_after_s=100.0) as signals:
            signals._received(signal.SIGINT, None)
            signals._received(signal.SIGINT, None)
            with pytest.raises(asyncio.CancelledError):
                await stubborn

    run(scenario())
    assert left == []


def test_a_second_signal_does_not_interrupt_the_books_of_an_answer_that_is_over(run: Any, monkeypatch: Any) -> None:
    left: list[int] = []
    monkeypatch.setattr("os._exit", left.append)

    async def scenario() -> None:
        over = asyncio.create_task(asyncio.sleep(0))
        with Signals(over) as signals:
            await over
            signals._received(signal.SIGINT, None)
            signals._received(signal.SIGINT, None)
            assert told_to_end.code is ExitCode.INTERRUPTED  # a write that nobody reads still ends
        assert signals.code is ExitCode.INTERRUPTED

    run(scenario())
    assert left == []


@pytest.mark.parametrize(
    ("answer", "code", "outcome"), [(Behavior(status=400), 9, "bad_request"), (Behavior(), 0, "ok")]
)
def test_an_interrupt_while_the_books_are_kept_changes_nothing(
    shell: Any, answer: Behavior, code: int, outcome: str
) -> None:
    shell.monkeypatch.setenv("LLMR_SAVE", "1")
    shell.serve(a=[answer])
    keep = Keeping.keep

    def interrupted(*arguments: Any, **more: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return keep(*arguments, **more)

    with shell.monkeypatch.context() as patch:
        patch.setattr(Keeping, "keep", interrupted)
        assert shell("chat", "hi").code == code
    (turn,) = shell("log", "show", "last", "--json").json["turns"]
    assert turn["outcome"] == outcome


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_signal_counts_for_more_than_an_end_that_cannot_be_written(
    shell: Any, number: signal.Signals, code: int
) -> None:
    shell.monkeypatch.setenv("LLMR_SAVE", "1")
    shell.serve(a=[Behavior(text="one two three", gate="never", gate_at=1)])
    take = Delivery.take

    def signalled(delivery: Delivery, event: Event, redact: Any) -> None:
        take(delivery, event, redact)
        if isinstance(event, Delta):
            os.kill(os.getpid(), number)

    def gone(*_: object) -> Any:
        raise OutputError("the terminal has gone")

    with shell.monkeypatch.context() as patch:
        patch.setattr(Delivery, "take", signalled)
        for name in ("cut_short", "disturbed"):
            patch.setattr(Delivery, name, gone)
        assert shell("chat", "hi").code == code
    (turn,) = shell("log", "show", "last", "--json").json["turns"]
    assert turn["outcome"] == "cancelled"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_write_that_finds_the_terminal_gone_is_the_end_that_the_signal_tells(
    shell: Any, number: signal.Signals
) -> None:
    shell.monkeypatch.setenv("LLMR_SAVE", "1")
    shell.serve(a=[Behavior()])

    def gone(*_: object) -> None:
        os.kill(os.getpid(), number)
        raise OutputError("the terminal has gone")

    with shell.monkeypatch.context() as patch:
        patch.setattr(Delivery, "take", gone)
        assert shell("chat", "hi").code == 128 + number
    (turn,) = shell("log", "show", "last", "--json").json["turns"]
    assert turn["outcome"] == "cancelled"


def test_a_cancellation_that_no_signal_caused_is_not_swallowed(shell: Any) -> None:
    shell.serve(a=[SPEC])

    async def broken(*_: object) -> AsyncGenerator[Event, None]:
        raise asyncio.CancelledError
        yield

    shell.monkeypatch.setattr(Router, "stream", broken)
    with pytest.raises(asyncio.CancelledError):
        shell("chat", "x")


# rank, providers, config, help


def test_rank_shows_the_order_and_asks_nobody(shell: Any) -> None:
    lab = shell.serve('[[rules]]\nname = "home"\nprefer = ["b/*"]', a=[SPEC], b=[SPEC])
    said = shell("rank", "-v", "hello")
    assert said.code == 0
    assert said.out.index("b/lab-model") < said.out.index("a/lab-model")
    assert "✓ rule 'home'" in said.out
    assert [place["candidate"] for place in shell("rank", "--json").json["ranked"]] == ["b/lab-model", "a/lab-model"]
    assert lab.provider("a").requests == ()


def test_rank_with_nobody_to_ask_says_so_in_its_code(shell: Any) -> None:
    shell.serve(a=[SPEC])
    shell("providers", "open", "a")
    said = shell("rank")
    assert said.code == 5
    assert "held open by hand" in said.out


def test_providers_status_follows_what_happened(shell: Any) -> None:
    shell.serve(a=[DOWN, SPEC], b=[Behavior(status=401)])
    assert "closed" in shell("providers", "status").out
    shell("chat", "x")
    text = shell("providers", "status").out
    assert "closed" in text
    assert "server 500" in text
    assert "providers (off)" in text
    everyone = shell("providers", "status", "--all").out
    assert "groq is off: GROQ_API_KEY is not set" in everyone


def test_the_status_for_programs_says_what_a_providers_trouble_has_caused_beyond_what_was_asked(shell: Any) -> None:
    shell.serve(a=[DOWN], b=[SPEC])
    shell("chat", "x")
    a, b = (p for p in shell("providers", "status", "--json").json["providers"] if p["name"] in "ab")
    counted = {"requests": 1, "retries": 0, "hedges": 0, "fallbacks": 1, "retries_left": 10, "hedges_left": 10}
    assert a["budget"] == counted
    assert (b["budget"]["requests"], b["budget"]["retries_left"]) == (0, 10)


def test_a_provider_without_models_is_listed_too(shell: Any) -> None:
    shell.configure('[providers.bare]\nwire = "openai"\nbase_url = "http://127.0.0.1:1"\n')
    (line,) = [line for line in shell("providers", "status").out.splitlines() if line.startswith("bare ")]
    assert line.split() == ["bare", "●", "closed", "–", "–", "–", "0"]


def test_a_rejected_key_shows_as_open_with_the_time_left(shell: Any) -> None:
    shell.serve(b=[Behavior(status=401)])
    shell("chat", "x")
    assert "open after auth, " in shell("providers", "status").out


def test_holding_open_and_closed_and_resetting(shell: Any) -> None:
    shell.serve(a=[SPEC])
    assert shell("providers", "open", "a").out == "a: held open until `llmr providers reset a`\n"
    assert "provider a: held open by hand" in shell("providers", "status").out
    assert shell("chat", "x").code == 5
    assert shell("providers", "close", "a").code == 0
    assert shell("chat", "x").code == 0
    assert shell("providers", "reset", "a").out == "a: 1 circuit was not closed; it is now\n"
    assert shell("providers", "reset", "a").out == "a: every circuit was closed already\n"
    unknown = shell("providers", "reset", "aa")
    assert unknown.code == 2
    assert "unknown provider 'aa'" in unknown.err


def test_the_list_of_providers_says_who_is_off_and_why(shell: Any) -> None:
    shell.serve(a=[SPEC])
    text = shell("providers", "list").out
    assert "OPENAI_API_KEY" in text
    document = shell("providers", "list", "--json").json
    assert next(p for p in document["providers"] if p["name"] == "a")["on"] is True


def test_config_says_which_files_speak_and_whether_they_are_right(shell: Any) -> None:
    shell.serve(a=[SPEC])
    assert "routing.toml" in shell("config", "path").out
    assert shell("config", "check").out.startswith("ok: ")
    shell.configure("nonsense = 1\n")
    assert shell("config", "check").code == 3


def test_a_projects_file_is_trusted_by_hand(shell: Any) -> None:
    project: Path = shell.home / "project"
    (project / ".git").mkdir(parents=True)
    mine = '[providers.mine]\nwire = "openai"\nbase_url = "http://127.0.0.1:1"\n'
    (project / "routing.toml").write_text(mine)
    shell.monkeypatch.chdir(project)
    assert "a project's file may not set it" in shell("config", "path").err
    assert "a project's file may not set it" in shell("chat", "-m", "openai/gpt-4o", "x").err
    assert "as it is now" in shell("config", "trust").out
    assert shell("config", "path").err == ""


def test_a_file_that_sends_a_key_where_nobody_consented_is_trusted_after_the_consent(shell: Any) -> None:
    project: Path = shell.home / "project"
    (project / ".git").mkdir(parents=True)
    theirs = '[providers.theirs]\nbase_url = "https://llm.corp.example/v1"\napi_key_env = "WORK_LLM_KEY"\n'
    (project / "routing.toml").write_text(theirs)
    told = shell("config", "trust", str(project))
    assert told.code == 3
    assert "nothing is trusted" in told.err
    consent = '[providers.theirs] key_origins = ["https://llm.corp.example"]'
    assert consent in told.err
    shell.configure(f"{consent.replace('] ', ']' + chr(10), 1)}\n")
    assert "as it is now" in shell("config", "trust", str(project)).out


def test_the_schema_is_one_json_document(shell: Any) -> None:
    said = shell("config", "schema")
    assert (said.code, said.err) == (0, "")
    assert json.loads(said.out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize(("topic", "word"), [("exit-codes", "130"), ("json", "llmr.chat/1"), ("env", "LLMR_CONFIG")])
def test_help_on_each_topic(shell: Any, topic: str, word: str) -> None:
    said = shell("help", topic)
    assert said.code == 0
    assert word in said.out


def test_help_on_exit_codes_names_them_all(shell: Any) -> None:
    lines = shell("help", "exit-codes").out.splitlines()
    assert [int(line.split()[0]) for line in lines] == [int(code) for code in ExitCode]


def test_help_on_something_else_says_what_there_is(shell: Any) -> None:
    said = shell("help", "me")
    assert said.code == 2
    assert "exit-codes, json, env" in said.err


def test_what_the_store_has_to_say_is_told_by_listings_too(shell: Any) -> None:
    shell.serve("[state]", f'path = "{shell.home}/store.db"', a=[SPEC])
    (shell.home / "store.db").write_bytes(b"this is no database at all" * 100)
    (shell.home / "store.db").chmod(0o600)
    assert "set aside" in shell("rank").err


def test_a_probe_under_way_shows_as_half_open(shell: Any) -> None:
    shell.serve("[circuit_breaker]", "failure_threshold = 1", a=[DOWN], b=[SPEC])
    shell("chat", "x")
    real = SystemClock.now
    shell.monkeypatch.setattr(SystemClock, "now", lambda clock: real(clock) + 60)
    assert "may be probed now" in shell("providers", "status").out
    shell.monkeypatch.setattr("llmr.registry.ProviderRegistry.report", lambda *_: None)  # the prober is killed
    shell("chat", "x")
    assert "half open, a probe is out" in shell("providers", "status").out


# What is unexpected


@pytest.mark.parametrize(("debug", "lines"), [("", 1), ("1", 2)])
def test_a_bug_is_one_line_unless_the_traceback_was_asked_for(shell: Any, debug: str, lines: int) -> None:
    shell.monkeypatch.setenv("LLMR_DEBUG", debug)
    shell.monkeypatch.setattr("sys.stdout", sys.stdout)
    assert crashed(ValueError("odd")) == 1
    err = shell.capfd.readouterr().err.splitlines()
    assert err[0] == "llmr: unexpected ValueError: odd (a bug; LLMR_DEBUG=1 shows where)"
    assert len(err) == lines


def test_ctrl_c_before_anything_is_asked_is_an_interruption(shell: Any) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    shell.monkeypatch.setattr("llmr.cli.chat.run_chat", interrupted)
    assert shell("chat", "x").code == 130


def test_who_is_held_open_by_hand_is_let_go_by_the_command_that_the_error_names(shell):
    shell.serve(a=[Behavior("hi")])
    assert shell("providers", "open", "a").code == 0
    said = shell("chat", "hi")
    assert said.code == 5
    assert said.err_lines[-1] == "  let it be asked again: `llmr providers reset a`"
    assert shell("chat", "--json", "hi").json["error"]["hint"].endswith("`llmr providers reset a`")
    assert shell("providers", "reset", "a").code == 0
    assert shell("chat", "hi").code == 0


def test_a_candidate_is_named_once_where_it_is_said_what_is_waited_for(shell):
    shell.serve(rate=[rate_limited("1"), Behavior("hi")])
    said = shell("chat", "hi")
    assert said.code == 0
    (line,) = [line for line in said.err_lines if "waiting" in line]
    assert line.count("rate/lab-model") == 1
