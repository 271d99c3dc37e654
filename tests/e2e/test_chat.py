"""`llmr chat` as a person meets it: what is on stdout, on stderr, and in the exit code."""

import contextlib
import fcntl
import json
import os
import signal
import struct
import subprocess
import termios
import time

import pytest

from llmr.lab import Behavior, Fault, LabProvider, rate_limited

FAILING = Behavior(status=500, error_message="the lab is on fire")


def test_a_healthy_answer_is_all_that_stdout_holds_and_stderr_is_silent(box):
    here = box([LabProvider("a", [Behavior(text="Hello\nthere, wörld ✓")])])
    ended = here.run("chat", "hi")
    assert (ended.code, ended.raw, ended.err) == (0, "Hello\nthere, wörld ✓".encode(), "")


def test_the_prompt_reaches_the_provider_with_standard_input_below_it(box):
    here = box([LabProvider("a")])
    assert here.run("chat", "write", "a commit message", stdin=b"diff --git a b\n").code == 0
    (request,) = here.lab.provider("a").requests
    assert request.json["messages"] == [{"role": "user", "content": "write a commit message\n\ndiff --git a b\n"}]
    assert request.json["stream"] is True


def test_a_dash_puts_standard_input_in_its_place(box):
    here = box([LabProvider("a")])
    here.run("chat", "before", "-", "after", stdin=b"middle\n")
    assert here.lab.provider("a").requests[0].json["messages"][0]["content"] == "before middle after"


def test_options_reach_the_provider(box):
    here = box([LabProvider("a")])
    here.run("chat", "-s", "be brief", "--max-tokens", "7", "--temperature", "0.5", "--no-stream", "hi")
    sent = here.lab.provider("a").requests[0].json
    assert sent["messages"][0] == {"role": "system", "content": "be brief"}
    assert (sent["max_tokens"], sent["temperature"], sent.get("stream", False)) == (7, 0.5, False)


def test_an_unstreamed_answer_is_the_same_answer(box):
    here = box([LabProvider("a", [Behavior(text="one two three")])])
    assert here.run("chat", "--no-stream", "hi").raw == b"one two three"


def test_the_second_provider_answers_when_the_first_fails_and_stdout_holds_only_the_answer(box):
    here = box([LabProvider("a", [FAILING]), LabProvider("b", [Behavior(text="from b")])])
    ended = here.run("chat", "hi")
    assert (ended.code, ended.raw) == (0, b"from b")
    (line,) = ended.err_lines
    assert line.startswith("llmr: a/lab-model 500 server → b/lab-model (")
    assert line.endswith("to the first token)")


def test_quiet_says_nothing_of_a_fallback(box):
    here = box([LabProvider("a", [FAILING]), LabProvider("b")])
    assert here.run("chat", "-q", "hi").err == ""


def test_verbose_prints_the_receipt_with_every_attempt(box):
    here = box([LabProvider("a", [FAILING]), LabProvider("b")])
    err = here.run("chat", "-v", "hi").err
    assert "1. a/lab-model 500 server after" in err
    assert "2. b/lab-model ok, first token after" in err
    assert "cost unknown" in err


def test_when_everyone_fails_every_failure_is_named_and_the_code_is_5(box):
    here = box([LabProvider("a", [FAILING]), LabProvider("b", [FAILING])])
    ended = here.run("chat", "hi")
    assert (ended.code, ended.raw) == (5, b"")
    assert "a/lab-model: 500 server: the lab is on fire" in ended.err
    assert "b/lab-model: 500 server: the lab is on fire" in ended.err


def test_when_everyone_is_rate_limited_the_code_is_6_and_the_wait_is_told(box):
    here = box([LabProvider("a", [rate_limited("600")]), LabProvider("b", [rate_limited("900")])])
    ended = here.run("chat", "--json", "hi")
    assert ended.code == 6
    error = ended.json["error"]
    assert (error["kind"], error["exit_code"]) == ("rate_limit", 6)
    assert 590 < error["retry_after_s"] <= 600


def test_a_bad_request_stops_at_the_first_provider_with_code_9(box):
    here = box([LabProvider("a", [Behavior(status=400, error_message="no such parameter")]), LabProvider("b")])
    ended = here.run("chat", "hi")
    assert ended.code == 9
    assert here.lab.provider("b").requests == ()


def test_a_rejected_key_moves_on_and_is_code_4_when_nobody_is_left(box):
    denied = Behavior(status=401, error_code="invalid_api_key", error_message="Incorrect API key provided")
    here = box([LabProvider("a", [denied])])
    assert here.run("chat", "hi").code == 4


def test_a_stream_cut_after_three_tokens_keeps_the_partial_and_asks_nobody_else(box):
    here = box([LabProvider("a", [Behavior(text="one two three four", fault=Fault.CUT, fault_at=3)]), LabProvider("b")])
    ended = here.run("chat", "hi")
    assert (ended.code, ended.out.split()) == (8, ["one", "two", "three"])
    assert ended.err_lines[0].startswith("llmr: a/lab-model broke off: ")
    assert here.lab.provider("b").requests == ()


def test_a_cut_stream_is_a_valid_json_document_too(box):
    here = box([LabProvider("a", [Behavior(text="one two three four", fault=Fault.RESET, fault_at=2)])])
    ended = here.run("chat", "--json", "hi")
    assert ended.code == 8
    document = ended.json
    assert document["partial"] is True
    assert document["text"].split() == ["one", "two"]
    assert document["error"]["exit_code"] == 8


def test_done_without_a_finish_reason_is_not_success(box):
    here = box([LabProvider("a", [Behavior(text="one two", finish_reason=None)])])
    assert here.run("chat", "hi").code == 8


def test_json_names_who_answered_after_whom(box):
    here = box([LabProvider("a", [FAILING]), LabProvider("b", [Behavior(text="from b")])])
    document = here.run("chat", "--json", "hi").json
    assert document["schema"] == "llmr.chat/1"
    assert (document["text"], document["provider"], document["model"]) == ("from b", "b", "lab-model")
    assert (document["fallback"], document["partial"], document["error"]) == (True, False, None)
    assert [(a["provider"], a["outcome"], a["http"]) for a in document["attempts"]] == [
        ("a", "server", 500),
        ("b", "ok", 200),
    ]
    assert document["usage"]["output"] > 0


def test_a_slow_first_token_is_abandoned_for_the_next_provider(box):
    here = box([LabProvider("a", [Behavior(gate="never", gate_at=0)]), LabProvider("b", [Behavior(text="from b")])])
    here.configure("a", "b", extra="[timeouts]\nfirst_token_s = 0.3")
    ended = here.run("chat", "hi")
    assert (ended.code, ended.raw) == (0, b"from b")
    assert here.lab.provider("a").requests[0].client_closed.wait()


def test_a_stall_between_tokens_ends_with_the_partial(box):
    here = box([LabProvider("a", [Behavior(text="one two three", gate="never", gate_at=2)])])
    here.configure("a", extra="[timeouts]\nstall_s = 0.3")
    ended = here.run("chat", "hi")
    assert (ended.code, ended.out.split()) == (8, ["one", "two"])


def test_the_model_id_survives_from_the_command_line_to_the_provider(box):
    here = box([LabProvider("a")])
    here.run("chat", "-m", "a/vendor/Some-Model:7b", "hi")
    assert here.lab.provider("a").requests[0].json["model"] == "vendor/Some-Model:7b"
    models = [m["model"] for p in here.run("providers", "status", "--json").json["providers"] for m in p["models"]]
    assert "vendor/Some-Model:7b" in models


def test_ctrl_c_keeps_the_partial_closes_the_stream_and_is_held_against_nobody(box):
    here = box([LabProvider("a", [Behavior(text="one two three", gate="never", gate_at=2)])])
    process = here.start("chat", "hi")
    assert process.stdout is not None
    assert process.stdout.read(3) == b"one"
    process.send_signal(signal.SIGINT)
    ended = here.end(process)
    assert ended.code == 130
    assert here.lab.provider("a").requests[0].client_closed.wait()
    status = here.status("a")
    assert (status["attempts"], status["circuits"][0]["failures_in_a_row"]) == (0, 0)


def test_sigterm_and_sighup_have_their_own_codes(box):
    for number, code in ((signal.SIGTERM, 143), (signal.SIGHUP, 129)):
        here = box([LabProvider("a", [Behavior(text="one two", gate="never", gate_at=1)])])
        process = here.start("chat", "hi")
        assert process.stdout is not None
        assert process.stdout.read(3) == b"one"
        process.send_signal(number)
        assert here.end(process).code == code


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_b57_one_signal_is_enough_although_nobody_reads_the_answer(box, form, number, code):
    """More than a pipe holds: the signal finds a write under way that would never end, of a stream or of a held answer."""
    here = box([LabProvider("a", [Behavior(text="word " * 60_000)])])
    process = here.start("chat", *form, "hi")
    deadline = time.monotonic() + 60

    def until(happened):
        while not happened() and time.monotonic() < deadline:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
        assert happened()

    until(lambda: _waiting_in(process.stdout) > 61_000)  # of 65,536: a page that is begun counts as full, pipe(7)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(1)  # what little room is left is filled meanwhile
    process.send_signal(number)
    try:
        until(lambda: process.poll() is not None)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == code


def _waiting_in(pipe):
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0]


def test_b57_a_signal_before_the_headers_is_its_own_code_and_leaves_the_books_whole(box):
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
        here = box([LabProvider("a", [Behavior(gate="never"), Behavior("well")])])
        process = here.start("chat", "hi")
        assert here.lab.provider("a").wait_for_requests(1)
        (request,) = here.lab.provider("a").requests
        process.send_signal(number)
        ended = here.end(process)
        assert (ended.code, ended.raw) == (code, b"")
        assert "Traceback" not in ended.err
        assert request.client_closed.wait()
        assert here.run("chat", "hi").out == "well"
        assert here.status("a")["circuits"][0]["failures_in_a_row"] == 0


def test_a_reader_that_leaves_ends_it_silently_and_the_stream_is_closed(box):
    here = box([LabProvider("a", [Behavior(tokens=200_000, token_s=0.001)])])
    process = here.start("chat", "hi")
    assert process.stdout is not None
    process.stdout.read(3)
    process.stdout.close()
    process.wait(timeout=60)
    assert process.stderr is not None
    assert (process.returncode, process.stderr.read()) == (141, b"")
    process.stderr.close()
    assert here.lab.provider("a").requests[0].client_closed.wait()


def test_a_full_disk_under_stdout_is_code_12_and_one_line(box):
    here = box([LabProvider("a")])
    with open("/dev/full", "wb") as full:
        ended = here.end(here.start("chat", "-q", "hi", stdout=full))
    assert ended.code == 12
    assert "No space left on device" in ended.err_lines[0]


def test_a_closed_stdout_is_code_12_before_anyone_is_asked(box):
    here = box([LabProvider("a")])
    command = f'exec "{here.start.__globals__["LLMR"]}" chat hi >&-'
    done = subprocess.run(["sh", "-c", command], env=here.environment, capture_output=True, check=False)
    assert done.returncode == 12
    assert here.lab.provider("a").requests == ()


def test_a_closed_stderr_does_not_matter(box):
    here = box([LabProvider("a", [FAILING]), LabProvider("b", [Behavior(text="from b")])])
    command = f'exec "{here.start.__globals__["LLMR"]}" chat -v hi 2>&-'
    done = subprocess.run(["sh", "-c", command], env=here.environment, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"from b")


def test_escape_sequences_reach_a_pipe_untouched_and_never_stderr(box):
    text = "a\x1b]52;c;ZXZpbA==\x07b"
    here = box([LabProvider("a", [Behavior(status=500, error_message=text)]), LabProvider("b", [Behavior(text=text)])])
    ended = here.run("chat", "-v", "hi")
    assert ended.raw == text.encode()
    assert "\x1b" not in ended.err
    assert "\x07" not in ended.err


def test_an_escape_sequence_never_reaches_a_terminal(box):
    here = box([LabProvider("a", [Behavior(text="a\x1b]52;c;ZXZpbA==\x07b")])])
    ours, theirs = os.openpty()
    process = here.start("chat", "hi", stdout=theirs)
    os.close(theirs)
    shown = b""
    while chunk := _read(ours):
        shown += chunk
    os.close(ours)
    assert here.end(process).code == 0
    assert shown.decode() == "a␛]52;c;ZXZpbA==␇b\r\n"


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:  # EIO: the other side is closed
        return b""


def test_the_key_goes_to_its_provider_and_nowhere_else(box):
    key = "sk-lab-0123456789abcdef"
    echo = Behavior(status=401, error_message=f"Incorrect API key provided: {key}")
    here = box([LabProvider("a", [echo])])
    here.configure("a", provider_extra='api_key_env = "LAB_KEY"')
    here.variables["LAB_KEY"] = key
    ended = here.run("chat", "-vv", "--json", "hi")
    assert here.lab.provider("a").requests[0].header("authorization") == f"Bearer {key}"
    assert key not in ended.out + ended.err
    assert json.loads(ended.out)["error"]["kind"] == "auth"
    written = b"".join(p.read_bytes() for p in here.home.rglob("*") if p.is_file() and p != here.config_file)
    assert key.encode() not in written


def test_demo_answers_without_key_server_or_state_and_says_what_it_is(box):
    here = box([LabProvider("unused")])
    here.variables["LLMR_CONFIG"] = ""
    ended = here.run("chat", "--demo", "Hello")
    assert ended.code == 0
    assert "a demo provider" in ended.out
    assert "Hello" in ended.out
    assert not here.state_file.exists()


HALF = Behavior(text="one two three four five six", fault=Fault.CUT, fault_at=4)


def test_on_break_continue_hands_the_half_answer_on_and_drops_what_is_repeated(box):
    here = box([LabProvider("a", [HALF]), LabProvider("b", [Behavior(text="three four five six")])])
    ended = here.run("chat", "--on-break", "continue", "hi")
    assert (ended.code, ended.out) == (0, "one two three four five six")
    assert ended.err_lines[0].startswith("llmr: a/lab-model broke off: ")
    said = here.lab.provider("b").requests[0].json["messages"]
    assert [m["role"] for m in said] == ["user", "assistant", "user"]
    assert said[1]["content"].split() == ["one", "two", "three", "four"]


def test_on_break_continue_is_one_whole_answer_in_the_json(box):
    here = box([LabProvider("a", [HALF]), LabProvider("b", [Behavior(text=" five six")])])
    document = here.run("chat", "--json", "--on-break", "continue", "hi").json
    assert (document["text"].split(), document["partial"]) == ("one two three four five six".split(), False)


def test_on_break_restart_separates_the_two_visibly(box):
    here = box([LabProvider("a", [HALF]), LabProvider("b", [Behavior(text="the whole answer")])])
    ended = here.run("chat", "--on-break", "restart", "hi")
    assert ended.code == 0
    first, separator, second = ended.out.partition("--- a/lab-model broke off; from the beginning: ---")
    assert (first.split(), second.strip()) == (["one", "two", "three", "four"], "the whole answer")
    assert separator


def test_on_break_buffer_shows_nothing_of_what_breaks(box):
    here = box([LabProvider("a", [HALF]), LabProvider("b", [Behavior(text="the whole answer")])])
    ended = here.run("chat", "--on-break", "buffer", "hi")
    assert (ended.code, ended.out) == (0, "the whole answer")


def test_a_break_that_nobody_can_go_on_from_is_partial(box):
    here = box([LabProvider("a", [HALF]), LabProvider("b", [FAILING])])
    ended = here.run("chat", "--on-break", "continue", "hi")
    assert (ended.code, ended.out.split()) == (8, ["one", "two", "three", "four"])
