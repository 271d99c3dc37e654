"""The interactive client on a real pseudo-terminal: what a person types, and what the screen then shows (issue 5, item 3)."""

import signal
import sqlite3
import sysconfig
import termios
import time
from contextlib import closing
from pathlib import Path

import pexpect
import pyte
import pytest

from llmr.cli.client.commands import help_lines
from llmr.lab import Behavior, LabProvider

LLMR = str(Path(sysconfig.get_path("scripts")) / "llmr")
PATIENCE_S = 40
ENTER, ALT_ENTER, CTRL_C, CTRL_D = "\r", "\x1b\r", "\x03", "\x04"


class Terminal:
    """A screen of `columns` × `rows`, and somebody who types at it."""

    def __init__(self, here, *arguments, columns=80, rows=40, program=LLMR, before=("chat",)):
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        environment = {"TERM": "xterm-256color", **here.environment}
        self.child = pexpect.spawn(
            program, [*before, *arguments], env=environment, cwd=str(here.home), dimensions=(rows, columns)
        )
        self.screen.write_process_input = self.child.send  # the answer to "where is the cursor?"

    @property
    def text(self):
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def until(self, words, times=1):
        """Read until the screen shows `words` so many times."""
        deadline = time.monotonic() + PATIENCE_S
        while self.text.count(words) < times:
            assert time.monotonic() < deadline, f"never showed {words!r}:\n{self.text}"
            self._read()
        return self.text

    def _read(self):
        try:
            data = self.child.read_nonblocking(65_536, timeout=0.1)
        except pexpect.TIMEOUT:
            return
        self.raw += data
        self._stream.feed(data)

    def type(self, text):
        self.child.send(text)

    def ask(self, text, answer, times=1):
        self.type(text + ENTER)
        return self.until(answer, times)

    def ended(self):
        """The exit code, when it has left."""
        deadline = time.monotonic() + PATIENCE_S
        while self.child.isalive():
            assert time.monotonic() < deadline, self.text
            try:
                self._read()
            except pexpect.EOF:
                break
        self.child.close()
        return self.child.exitstatus


@pytest.fixture
def here(box):
    made = box([LabProvider("a"), LabProvider("b")])
    made.variables["LLMR_SAVE"] = "1"
    return made


@pytest.fixture
def at(here):
    """Opens terminals; whatever is left is ended."""
    opened = []

    def open_one(*arguments, **size):
        opened.append(Terminal(here, *arguments, **size))
        opened[-1].until("\n>")
        return opened[-1]

    yield open_one
    for one in opened:
        one.child.close(force=True)


def asked(here, name="a"):
    return [request.json["messages"] for request in here.lab.provider(name).requests]


def local_modes(screen):
    """Of the terminal; both ends of a pseudo-terminal have the same."""
    return termios.tcgetattr(screen.child.child_fd)[3]


def kept(here):
    return here.run("log", "show", "--json").json["turns"]


def test_a_conversation_goes_on_and_ctrl_d_leaves(here, at):
    here.lab.provider("a").follow([Behavior(text="first answer"), Behavior(text="second answer")])
    screen = at()
    screen.ask("one", "first answer")
    screen.ask("two", "second answer")
    screen.type(CTRL_D)
    assert screen.ended() == 0
    assert [m["content"] for m in asked(here)[-1]] == ["one", "first answer", "two"]
    assert [t["parent"] for t in kept(here)] == [None, 1]


def test_the_bottom_line_says_who_answered_and_how_fast(here, at):
    screen = at()
    screen.ask("hi", "Hello from the lab.")
    bottom = screen.until("m · a/lab-model · ").splitlines()[-1]
    assert " ms" in bottom


def test_an_answer_is_drawn_as_it_streams(here, at):
    here.lab.provider("a").follow([Behavior(text="# Title\n\nfirst words then more", gate="go", gate_at=3)])
    screen = at()
    screen.ask("hi", "first")
    assert "more" not in screen.text
    here.lab.provider("a").release("go")
    text = screen.until("more")
    assert "# Title" not in text
    assert text.count("first words then more") == 1


def test_ctrl_c_stops_the_answer_only_and_keeps_what_came(here, at):
    here.lab.provider("a").follow(
        [Behavior(text="one two three four", gate="never", gate_at=2), Behavior(text="after")]
    )
    screen = at()
    screen.ask("hi", "two")
    screen.type(CTRL_C)
    screen.until("stopped; what came is kept")
    screen.ask("go on", "after")
    assert asked(here)[-1][1]["content"].strip() == "one two"
    assert [t["outcome"] for t in kept(here)] == ["cancelled", "ok"]


def test_what_is_typed_while_an_answer_comes_waits_for_the_prompt(here, at):
    here.lab.provider("a").follow([Behavior(text="one two three", gate="go", gate_at=2), Behavior(text="second")])
    screen = at()
    screen.ask("hi", "two")
    screen.type("typed ahead" + ENTER)
    here.lab.provider("a").release("go")
    text = screen.until("second")
    assert "one two three" in text
    assert asked(here)[-1][-1]["content"] == "typed ahead"


def test_what_is_typed_while_a_command_works_waits_for_the_prompt(here, at):
    screen = at()
    screen.ask("hi", "Hello from the lab.")
    screen.until("\n>", 2)
    screen.type("/status" + ENTER)
    deadline = time.monotonic() + PATIENCE_S
    while not local_modes(screen) & termios.ISIG:  # until the prompt has let go of the terminal
        assert time.monotonic() < deadline
    screen.child.kill(signal.SIGSTOP)
    stopped_at_work = local_modes(screen)
    assert not stopped_at_work & (termios.ECHO | termios.ICANON)
    screen.type("typed ahead" + ENTER)
    screen.child.kill(signal.SIGCONT)
    text = screen.until("Hello from the lab.", 2)
    assert asked(here)[-1][-1]["content"] == "typed ahead"
    assert text.count("typed ahead") == 1


def test_a_command_of_the_person_s_own_and_whoever_comes_after_have_the_terminal_as_it_was(here, at):
    shell = Terminal(here, program="/bin/bash", before=["--norc", "--noediting", "-i"])
    shell.until("bash")
    shell.type(f"{LLMR} chat --no-save" + ENTER)
    shell.until("\n>")
    stty = "stty -a < /dev/tty | tr ' ;' '\\n\\n' | grep -x -e echo -e icanon -e icrnl"
    shell.ask(f"!{stty} | wc -l", "  3")
    shell.type(CTRL_D)
    shell.until("bash", 2)
    shell.ask("stty -a < /dev/tty | grep -c -e ' echo ' -e ' icanon ' -e ' icrnl '", "\n2")
    shell.child.close(force=True)


def test_retry_asks_the_next_candidate_and_keeps_both_answers(here, at):
    here.lab.provider("a").follow([Behavior(text="from a")])
    here.lab.provider("b").follow([Behavior(text="from b")])
    screen = at()
    screen.ask("hi", "from a")
    screen.ask("/retry", "from b")
    assert [m["content"] for m in asked(here, "b")[-1]] == ["hi"]
    assert [(t["provider"], t["parent"], t["asked_model"]) for t in kept(here)] == [("a", None, ""), ("b", None, "")]
    screen.ask("/retry", "every candidate has been asked this; asking a/lab-model again")
    screen.until("from a", 2)
    screen.ask("/retry", "from b", 2)


def test_retry_asks_the_only_candidate_again_and_whom_ctrl_c_stopped(box):
    here = box([LabProvider("a"), LabProvider("b")])
    here.configure("a")
    slow = Behavior(text="one two three", gate="never", gate_at=2)
    here.lab.provider("a").follow([Behavior(text="first"), slow, Behavior(text="third")])
    screen = Terminal(here)
    screen.until("\n>")
    screen.ask("hi", "first")
    screen.ask("/retry", "asking a/lab-model again")
    screen.until("two")
    screen.type(CTRL_C)
    screen.until("stopped; what came is kept")
    screen.ask("/retry", "third")
    assert screen.text.count("every candidate has been asked this") == 1
    screen.child.close(force=True)


def test_edit_takes_the_prompt_up_again_on_a_branch(here, at):
    screen = at()
    screen.ask("hello", "Hello from the lab.")
    screen.type("/edit" + ENTER)
    screen.until("> hello", 2)
    screen.ask(" again", "Hello from the lab.", 2)
    assert [m["content"] for m in asked(here)[-1]] == ["hello again"]
    assert [t["parent"] for t in kept(here)] == [None, None]


def test_edit_gives_back_what_was_typed_and_sends_each_file_once(here, at):
    (here.home / "a.c").write_text("int main;")
    (here.home / "more.txt").write_text("the rest")
    screen = at()
    screen.ask("/attach more.txt", "goes along with the next prompt")
    screen.ask("look @a.c please", "Hello from the lab.")
    screen.type("/edit" + ENTER)
    screen.until("> look @a.c please", 2)
    assert "int main;" not in screen.text
    screen.ask(" again", "Hello from the lab.", 2)
    first, again = (messages[-1]["content"] for messages in asked(here))
    files = '\n\n<file name="more.txt">\nthe rest\n</file>\n\n<file name="a.c">\nint main;\n</file>'
    assert (first, again) == (f"look @a.c please{files}", f"look @a.c please again{files}")
    assert [turn["prompt"] for turn in kept(here)] == [first, again]


def test_an_edit_that_is_not_sent_changes_nothing(here, at):
    screen = at()
    screen.ask("hello", "Hello from the lab.")
    screen.type("/edit" + ENTER)
    screen.until("> hello", 2)
    screen.type(CTRL_C)
    screen.until("nothing was edited")
    screen.ask("go on", "Hello from the lab.", 2)
    assert [m["content"] for m in asked(here)[-1]] == ["hello", "Hello from the lab.", "go on"]
    assert [t["parent"] for t in kept(here)] == [None, 1]


@pytest.mark.parametrize("key", [ENTER, "\t", "\x1b[C"])
def test_what_ctrl_r_found_is_taken_into_the_line(here, at, key):
    screen = at()
    screen.ask("the first prompt", "Hello from the lab.")
    screen.type("\x12first")
    screen.until("first", 2)
    screen.type(key)
    screen.ask(" again", "Hello from the lab.", 2)
    assert asked(here)[-1][-1]["content"] == "the first prompt again"


def test_a_file_that_a_prompt_names_goes_along_and_tab_completes_it(here, at):
    (here.home / "notes.txt").write_text("from the file")
    screen = at()
    screen.type("what is in @not\t")
    screen.until("@notes.txt")
    screen.ask(", @nobody?", "notes.txt goes along")
    screen.until("Hello from the lab.")
    said = asked(here)[-1][-1]["content"]
    assert said.startswith("what is in @notes.txt, @nobody?\n\n")
    assert "from the file" in said


def test_a_name_that_nobody_knows_ends_the_client_before_a_word_is_typed(here):
    screen = Terminal(here, "-m", "lab-modle")
    assert screen.ended() == 2
    assert "unknown model 'lab-modle'" in screen.text


def test_continuing_shows_what_was_said_last(here, at):
    here.variables.update(TMUX="/tmp/x,1,0", TMUX_PANE="%1")
    here.lab.provider("a").follow([Behavior(text="l1\nl2\nl3\nl4\nthe end")])
    here.run("chat", "what was this?")
    screen = at("-c")
    assert "1 turn: what was this?" in screen.text
    assert "> what was this?" in screen.text
    assert "the end" in screen.text
    assert "l1" not in screen.text
    screen.ask("/system be brief", "said with the next prompt")
    screen.ask("/new", "the instructions of before still hold")


def test_what_was_typed_is_read_but_not_added_to_where_nothing_is_kept(here, at):
    screen = at()
    screen.ask("typed before", "Hello from the lab.")
    screen.type(CTRL_D)
    screen.ended()
    file = here.home / ".local/state/llmr/prompts"
    before = file.read_text()
    again = at("--no-save")
    again.type("\x12typed")
    again.until("typed before")
    again.type(ENTER + ENTER)
    again.until("Hello from the lab.")
    again.type(CTRL_D)
    again.ended()
    assert file.read_text() == before


def test_a_fallback_is_said(here, at):
    here.lab.provider("a").follow([Behavior(status=400, error_code="model_not_found"), Behavior(status=500)])
    here.lab.provider("b").follow([Behavior(text="from b")])
    screen = at()
    text = screen.ask("hi", "from b")
    assert "a/lab-model" in text
    assert "→ b/lab-model" in text


def test_why_tells_who_failed_and_who_answered(here, at):
    here.lab.provider("a").follow([Behavior(status=500, error_message="out of order")])
    screen = at(columns=120)
    screen.ask("hi", "Hello from the lab.")
    told = screen.ask("/why", "answered by b/lab-model:").split("> /why")[1]
    assert "1. a/lab-model 500 server" in told
    assert "out of order" in told
    assert "2. b/lab-model" in told
    assert "the order is your own list's (priority)" in told
    assert "least first" not in told


def test_a_failed_request_is_told_and_the_session_goes_on(here, at):
    here.lab.provider("a").follow([Behavior(status=400, error_message="no such thing"), Behavior(text="better")])
    screen = at()
    screen.ask("hi", "no such thing")
    screen.ask("again", "better")
    assert [m["content"] for m in asked(here)[-1]] == ["again"]


def test_a_paste_of_many_lines_is_one_prompt_and_sends_nothing_by_itself(here, at):
    screen = at()
    screen.type("\x1b[200~line one\rline two\nline three\x1b[201~")
    screen.until("line three")
    assert asked(here) == []
    screen.ask("!", "Hello from the lab.")
    assert asked(here)[-1][-1]["content"] == "line one\nline two\nline three!"


def test_alt_enter_and_ctrl_j_are_new_lines(here, at):
    screen = at()
    screen.type("one" + ALT_ENTER + "two\nthree")
    screen.until("three")
    screen.ask("", "Hello from the lab.")
    assert asked(here)[-1][-1]["content"] == "one\ntwo\nthree"


def test_b01_escape_sequences_in_an_answer_are_shown_and_not_obeyed(here, at):
    here.lab.provider("a").follow([Behavior(text="a\x1b]52;c;ZXZpbA==\x07b \x1b[2J \x1b]0;owned\x07 finis")])
    screen = at()
    text = screen.ask("hi", "finis")
    assert "a␛]52;c;ZXZpbA==␇b" in text
    assert "␛[2J" in text
    assert b"\x1b]52;" not in screen.raw
    assert screen.screen.title != "owned"


def test_a_resize_while_an_answer_comes_loses_and_doubles_nothing(here, at):
    here.lab.provider("a").follow([Behavior(text="first paragraph\n\nsecond paragraph", gate="go", gate_at=3)])
    screen = at(columns=60)
    screen.ask("hi", "first paragraph")
    screen.child.setwinsize(40, 100)
    screen.screen.resize(40, 100)
    here.lab.provider("a").release("go")
    text = screen.until("second paragraph")
    assert text.count("first paragraph") == 1
    screen.type(CTRL_D)
    assert screen.ended() == 0


def test_a_shell_command_s_output_goes_along_and_no_key_reaches_it(here, at):
    here.variables.update(SOME_API_KEY="sk-never-seen-12345", WORK_LLM_KEY="never-seen-1", LAB_WORD="never-seen-2")
    here.configure("a", "b", provider_extra='api_key_env = "LAB_WORD"')
    screen = at()
    screen.ask("!echo out; env | grep -c -e SOME_API -e WORK_LLM -e LAB_WORD; exit 3", "go along with the next prompt")
    screen.until("1 attached")
    screen.ask("what is this?", "Hello from the lab.")
    said = asked(here)[-1][-1]["content"]
    assert said.startswith("what is this?\n\n$ echo out")
    assert "\nout\n0\n" in said
    assert "[exit 3]" in said


def test_commands_set_what_the_next_request_asks(here, at):
    (here.home / "notes").write_text("from the file")
    screen = at()
    screen.ask("/model b/lab-model", "asking b/lab-model")
    screen.ask("/system be brief", "said with the next prompt")
    screen.ask("/attach notes", "notes goes along")
    screen.ask("/model nope", "unknown model 'nope'")
    screen.ask("hi", "Hello from the lab.")
    (messages,) = asked(here, "b")
    assert messages[0] == {"role": "system", "content": "be brief"}
    assert "from the file" in messages[1]["content"]
    screen.ask("/cost", "1 turn,")
    screen.ask("/why", "candidate")
    screen.ask("/save out.md", "saved as out.md")
    assert "Hello from the lab." in (here.home / "out.md").read_text()
    screen.ask("/new", "a new conversation")
    screen.ask("hi", "Hello from the lab.", 2)
    assert [m["role"] for m in asked(here, "b")[-1]] == ["system", "user"]


def test_what_was_typed_is_found_again_next_time_in_a_private_file(here, at):
    screen = at()
    screen.ask("remember this prompt, not sk-neverSEEN12345678", "Hello from the lab.")
    screen.type(CTRL_D)
    screen.ended()
    assert "neverSEEN" not in (here.home / ".local/state/llmr/prompts").read_text()
    assert oct((here.home / ".local/state/llmr/prompts").stat().st_mode)[-3:] == "600"
    again = at()
    again.type("\x12remember")  # Ctrl-R
    again.until("remember this prompt, not ***")
    for conversations in (here.home / ".local/state/llmr").glob("conversations*"):
        conversations.unlink()  # its own file is purged whether or not there is another
    here.run("log", "purge", "--all", "--yes")
    assert not (here.home / ".local/state/llmr/prompts").exists()


def test_nothing_is_written_where_nothing_is_to_be_kept(here, at):
    screen = at("--no-save")
    screen.ask("secret", "Hello from the lab.")
    screen.type(CTRL_D)
    screen.ended()
    files = [file.name for file in (here.home / ".local/state/llmr").iterdir()]
    assert not any(name.startswith(("conversations", "prompts")) for name in files)


def test_continue_takes_the_last_conversation_of_this_terminal_up(here, at):
    here.variables.update(TMUX="/tmp/x,1,0", TMUX_PANE="%1")
    here.run("chat", "before")
    screen = at("-c")
    screen.ask("after", "Hello from the lab.")
    assert asked(here)[-1][0]["content"] == "before"


def test_b58_a_dumb_terminal_gets_plain_lines(here):
    here.variables["TERM"] = "dumb"
    screen = Terminal(here)
    screen.until(">")
    screen.ask("hi", "Hello from the lab.")
    screen.type(CTRL_D)
    assert screen.ended() == 0
    assert b"\x1b" not in screen.raw


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_b57_a_signal_in_an_answer_ends_the_client_and_keeps_what_came(here, at, number, code):
    here.lab.provider("a").follow([Behavior(text="one two three", gate="never", gate_at=2)])
    screen = at()
    screen.ask("hi", "two")
    screen.child.kill(number)
    assert screen.ended() == code
    (one,) = kept(here)
    assert (one["outcome"], one["answer"].strip()) == ("cancelled", "one two")


def test_a_terminal_that_is_closed_in_an_answer_ends_the_client_and_keeps_what_came(here, at):
    here.lab.provider("a").follow([Behavior(text="one two three", gate="never", gate_at=2)])
    screen = at()
    screen.ask("hi", "two")
    screen.child.ptyproc.fileobj.close()  # and nothing else: pexpect's own close() sends signals too
    assert screen.child.wait() == 129
    (one,) = kept(here)
    assert (one["outcome"], one["answer"].strip()) == ("cancelled", "one two")


def test_the_demo_can_be_talked_to_and_keeps_nothing(here):
    screen = Terminal(here, "--demo")
    screen.until("\n>")
    screen.ask("hi", "a demo provider")
    screen.type(CTRL_D)
    assert screen.ended() == 0
    assert not list(here.home.glob(".local/state/llmr/*"))


def test_nobody_to_ask_is_said_with_what_is_missing_and_the_words_are_given_back(here):
    here.config_file.write_text('default_model = "gpt-4o"\n')
    screen = Terminal(here)
    begun = screen.until("\n>")
    assert "no provider is ready for 'gpt-4o'\n  missing  OPENAI_API_KEY" in begun
    assert "try it   /quit, and then: llmr chat --demo\n" in begun
    screen.ask("hello?", "OPENAI_API_KEY", 2)
    text = screen.until("> hello?", 2)
    assert "no provider is ready for 'gpt-4o'\n  missing  OPENAI_API_KEY" in text.split("> hello?")[1], (
        "no line between"
    )
    screen.type(CTRL_C + CTRL_D)
    assert screen.ended() == 0


def test_what_cannot_be_done_is_told_and_the_session_goes_on(here, at):
    rule = '[[rules]]\nname = "no"\nwhen = { tags = ["never"] }\ndeny = "not here"'
    here.config_file.write_text(f"{here.config_file.read_text()}\n{rule}\n")
    screen = at("--tag", "never")
    screen.ask("/model a/lab-model", "not here")
    screen.ask("/attach ~nobody-of-this-name/x", "there is no such home directory")
    screen.ask("hi", "not here", 2)
    screen.type(CTRL_C + CTRL_D)
    assert screen.ended() == 0


def test_retry_passes_over_who_failed_and_begins_anew_where_all_did(box):
    here = box([LabProvider("a"), LabProvider("b"), LabProvider("c")])
    for name in "abc":
        here.lab.provider(name).follow([Behavior(status=400, error_message=f"{name} does not want to")] * 9)
    screen = Terminal(here)
    screen.until("\n>")
    screen.ask("hi", "a does not want to")
    screen.ask("/retry", "b does not want to")
    screen.ask("/retry", "c does not want to")
    screen.ask("/retry", "asking all of them again")
    screen.until("a does not want to", 2)
    screen.type(CTRL_D)
    assert screen.ended() == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_at_the_prompt_leaves_the_terminal_as_it_was(at, number, code):
    screen = at()
    screen.type("half a line")
    screen.until("half a line")
    screen.child.kill(number)
    assert screen.ended() == code
    assert screen.raw.rfind(b"\x1b[?2004l") > screen.raw.rfind(b"\x1b[?2004h"), "bracketed paste is still on"


def test_a_turn_that_could_not_be_kept_does_not_cut_off_what_was_said_before(here, at):
    screen = at()
    screen.ask("one", "conversations are kept in")
    with closing(sqlite3.connect(here.home / ".local/state/llmr/conversations.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        screen.ask("two", "this turn is not kept")
        other.execute("ROLLBACK")
    screen.ask("three", "Hello from the lab.", 3)
    screen.type(CTRL_D)
    assert screen.ended() == 0
    assert [(t["prompt"], t["parent"]) for t in kept(here)] == [("one", None), ("three", 1)]


def test_loudness_is_as_in_one_shot_chat(here):
    here.lab.provider("a").follow([Behavior(status=503)] * 9)
    quiet = Terminal(here, "-q")
    quiet.until(">")
    quiet.ask("hi", "Hello from the lab.")
    quiet.until("m · b/lab-model")
    assert "llmr:" not in quiet.text
    loud = Terminal(here, "-vv")
    loud.until("\n>")
    loud.ask("hi", " in all · ")
    assert "b/lab-model ok, first token after" in loud.text


def test_urls_and_the_cache_are_as_the_command_line_says(here, at):
    screen = at("--attach-urls", "--cache", columns=120)
    screen.type("/attach https://example.org/cat.png" + ENTER)
    screen.until("goes along with the next prompt")
    screen.ask("what is it?", "Hello from the lab.")
    (image,) = (part for part in asked(here)[-1][-1]["content"] if part["type"] == "image_url")
    assert image["image_url"]["url"] == "https://example.org/cat.png"
    for number in (1, 2):
        screen.type("/new" + ENTER)
        screen.until("a new conversation", number)
        screen.ask("again", "Hello from the lab.", number + 1)
    screen.until("from the cache: a/lab-model answered it")


def test_the_wire_is_told_in_the_client_too(here, at):
    screen = at("--debug", columns=120)
    screen.ask("hi", "data: [DONE]")
    assert "POST http://127.0.0.1" in screen.text


def test_urls_are_off_in_the_client_too(at):
    screen = at()
    screen.type("/attach https://example.org/cat.png" + ENTER)
    assert "Say --attach-urls" in " ".join(screen.until("attach the file").split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--demo", "-c"], "--demo keeps nothing"),
        (["--demo", "--save", "hi"], "--demo keeps nothing"),
        (["--demo", "--conversation", "last", "hi"], "--demo keeps nothing"),
        (["-P", "name=value"], "-P fills the places of a template"),
    ],
)
def test_what_has_no_meaning_is_refused_and_not_passed_over(here, arguments, words):
    screen = Terminal(here, *arguments, columns=120)
    screen.until(words)
    assert screen.ended() == 2


@pytest.mark.parametrize("columns", [40, 60])
def test_a_narrow_terminal_breaks_words_of_ours_between_words(here, at, columns):
    screen = at(columns=columns, rows=90)
    screen.type("/help" + ENTER)
    screen.until("// and !!")
    shown = screen.until("\n>", 2).split("> /help\n")[1].rsplit("\n>", 1)[0]
    assert {*shown.split()} <= {word for line in help_lines() for word in line.split()}
    assert "command" in screen.ask("/nonsense", "takes two)").split()


def test_ctrl_z_at_the_prompt_suspends_and_fg_takes_the_line_up_again(here):
    shell = Terminal(here, program="/bin/bash", before=["--norc", "--noediting", "-i"])
    shell.until("bash")
    shell.type(f"{LLMR} chat --no-save" + ENTER)
    shell.until("\n>")
    shell.type("half a prompt")
    shell.until("> half a prompt")
    shell.type("\x1a")
    shell.until("Stopped")
    shell.type("fg" + ENTER)
    shell.until("> half a prompt")
    shell.ask(", whole", "Hello from the lab.")
    assert asked(here)[-1][-1]["content"] == "half a prompt, whole"


def test_a_second_ctrl_c_does_not_end_the_client(here, at):
    here.lab.provider("a").follow([Behavior(text="one two three", gate="never", gate_at=2), Behavior(text="after")])
    screen = at()
    screen.ask("hi", "two")
    screen.type(CTRL_C + CTRL_C)
    screen.until("stopped; what came is kept")
    screen.ask("go on", "after")
