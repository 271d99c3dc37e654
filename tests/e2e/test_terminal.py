"""`llmr chat` on a real pseudo-terminal: what a person sees, as pyte shows it."""

import base64
import os
import re
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pyte
import pytest

from llmr.lab import Behavior, Fault, LabProvider

LLMR = Path(sysconfig.get_path("scripts")) / "llmr"

ANSWER = """\
# Title

Some **bold** text and a list:

- one
- two

| a | b |
|---|---|
| 1 | 2 |

```python
def f(): return 1
```

日本語 👍 end.
"""


class Terminal:
    """A program on a pty, and the screen it draws."""

    def __init__(self, arguments: list[str], environment: dict[str, str], columns: int, rows: int) -> None:
        self.screen = pyte.HistoryScreen(columns, rows, history=10_000, ratio=1)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.child: Any = pexpect.spawn(
            str(LLMR), arguments, env=environment, cwd=environment["HOME"], dimensions=(rows, columns), timeout=60
        )

    def read(self, until: str | None = None) -> None:
        """Read until the text is on the screen; None: to the end."""
        while until is None or until not in self.shown:
            try:
                chunk = self.child.read_nonblocking(4096, timeout=60)
            except pexpect.EOF:
                break
            self.raw += chunk
            self.stream.feed(chunk)
        if until is None:
            self.child.wait()

    @property
    def shown(self) -> str:
        """Scrolled away and on the screen."""
        above = ["".join(row[x].data for x in range(self.screen.columns)) for row in self.screen.history.top]
        return "\n".join(line.rstrip() for line in [*above, *self.screen.display]).rstrip("\n")

    @property
    def code(self) -> int:
        return self.child.exitstatus if self.child.exitstatus is not None else 128 + self.child.signalstatus


@pytest.fixture
def on_terminal(box) -> Iterator[Any]:
    opened: list[Terminal] = []

    def start(
        text: str,
        *arguments: str,
        columns: int = 60,
        rows: int = 30,
        more: Any = None,
        others: Any = (),
        **variables: str,
    ) -> Any:
        here = box([LabProvider("a", [Behavior(text=text, **(more or {}))]), *others])
        here.configure(
            "a",
            *(other.name for other in others),
            provider_extra='api_key_env = "LAB_API_KEY"' if "LAB_API_KEY" in variables else "",
        )
        environment = {**here.environment, "TERM": "xterm-256color", **variables}
        terminal = Terminal(["chat", *arguments, "hi"], environment, columns, rows)
        terminal.lab, terminal.box = here.lab, here
        opened.append(terminal)
        return terminal

    yield start
    for terminal in opened:
        terminal.child.close(force=True)


DRAWN = """\
Title

Some bold text and a list:

• one
• two

a  b
──────
1  2

```python
def f(): return 1
```

日本語 👍 end."""


@pytest.mark.parametrize("columns", [80, 40])
def test_markdown_is_drawn_on_a_terminal(on_terminal: Any, columns: int) -> None:
    terminal = on_terminal(ANSWER, columns=columns)
    terminal.read()
    assert terminal.code == 0
    assert re.sub(r"a +b\n─+\n1 +2", "a  b\n──────\n1  2", terminal.shown) == DRAWN
    assert b"\x1b[1m" in terminal.raw


@pytest.mark.parametrize(
    ("arguments", "variables"), [(["--raw"], {}), ([], {"TERM": "dumb"}), (["--safe-output", "never"], {})]
)
def test_the_text_as_it_came_where_markdown_is_not_wanted_or_not_possible(
    on_terminal: Any, arguments: list[str], variables: dict[str, str]
) -> None:
    terminal = on_terminal("# **T**\n\n- x", *arguments, **variables)
    terminal.read()
    assert terminal.shown == "# **T**\n\n- x"


def test_b58_one_column_is_no_reason_to_fail(on_terminal: Any) -> None:
    terminal = on_terminal("ab **c**", columns=1)
    terminal.read()
    assert terminal.code == 0
    assert "".join(terminal.shown.split()) == "ab**c**"


def test_b01_b04_hostile_sequences_are_inert_on_a_real_terminal(on_terminal: Any) -> None:
    terminal = on_terminal("a \x1b]52;c;ZXZpbA==\x07 b \x1b[2J \x1b]0;title\x07 \x9b2J c &#27;[31m")
    terminal.read()
    assert "␛]52;c;ZXZpbA==␇" in terminal.shown
    assert b"\x1b]52" not in terminal.raw
    assert b"\x1b[2J" not in terminal.raw
    assert b"\x1b]0" not in terminal.raw


def test_never_safe_hands_the_terminal_what_the_model_said(on_terminal: Any) -> None:
    terminal = on_terminal("\x1b]0;title\x07x", "--safe-output", "never")
    terminal.read()
    assert b"\x1b]0;title\x07x" in terminal.raw


def test_the_answer_is_copied_through_the_terminal_in_base64(on_terminal: Any) -> None:
    terminal = on_terminal("a \x1b]52;c;evil\x07", "--copy")
    terminal.read()
    assert terminal.raw.count(b"\x1b]52;") == 1
    assert b"\x1b]52;c;" + base64.b64encode(b"a \x1b]52;c;evil\x07") + b"\x07" in terminal.raw
    assert "asked the terminal to copy 14 characters" in terminal.shown


def test_an_interrupt_draws_what_is_open_and_leaves_with_130(on_terminal: Any) -> None:
    terminal = on_terminal("some **bold** and more", more={"gate": "g", "gate_at": 3})
    terminal.read(until="bold")
    terminal.child.sendintr()
    terminal.read()
    assert terminal.code == 130
    assert "some bold" in terminal.shown


def test_a_window_that_changes_its_size_in_the_middle_keeps_every_word_once(on_terminal: Any) -> None:
    terminal = on_terminal(
        "first **words**, then a resize, then more\n\nlast *words*", more={"gate": "g", "gate_at": 4}
    )
    terminal.read(until="then")
    terminal.child.setwinsize(30, 30)
    terminal.screen.resize(30, 30)
    terminal.lab.provider("a").release("g")
    terminal.read()
    assert re.findall(r"\w+", terminal.shown) == "first words then a resize then more last words".split()


def test_a_long_answer_scrolls_and_is_whole(on_terminal: Any) -> None:
    text = "".join(f"- item **{number}** of the list\n" for number in range(3_000))
    terminal = on_terminal(text, rows=24)
    terminal.read()
    assert terminal.shown.split("\n") == [f"• item {number} of the list" for number in range(3_000)]


def test_b56_a_pipe_is_byte_exact_with_every_variable_that_colours(box) -> None:
    here = box([LabProvider("a", [Behavior(text=ANSWER + "\x1b[31m\r\n\x00")])])
    here.variables |= {"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1", "TERM": "xterm-256color", "COLUMNS": "20"}
    done = subprocess.run([LLMR, "chat", "hi"], env=here.environment, capture_output=True, check=True)
    assert done.stdout == (ANSWER + "\x1b[31m\r\n\x00").encode()


@pytest.mark.parametrize("arguments", [["--help"], ["chat", "--help"], ["--version"], ["help", "exit-codes"]])
def test_b56_help_that_cannot_be_written_is_code_12_and_that_nobody_reads_141(box, arguments: list[str]) -> None:
    here = box([LabProvider("a")])
    with open("/dev/full", "wb") as full:
        assert subprocess.run([LLMR, *arguments], env=here.environment, stdout=full, check=False).returncode == 12
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [LLMR, *arguments], env=here.environment, stdout=write_end, stderr=subprocess.PIPE, check=False
    )
    os.close(write_end)
    assert (done.returncode, done.stderr) == (141, b"")


HOSTILE_MARKDOWN = """\
\x1b]8;;http://evil\x1b\\bank\x1b]8;;\x1b\\ \x9d0;t\x9c safe\revil \u202egnp.exe

[https://bank](https://evil) [/] [bold]x :smile: &#27;]52;c;eA==&#7;
"""


def test_b02_b03_b05_b06_b07_b08_are_inert_and_visible_on_a_terminal(on_terminal: Any) -> None:
    terminal = on_terminal(HOSTILE_MARKDOWN, columns=100)
    terminal.read()
    assert b"\x1b]" not in terminal.raw
    assert b"\xc2\x9d" not in terminal.raw
    for visible in (
        "␛]8;;http://evil",
        "safe␍evil",
        "⟨U+202E⟩gnp.exe",
        "https://bank (https://evil)",
        "[/] [bold]x :smile:",
    ):
        assert visible in terminal.shown


def test_b42_a_key_that_a_provider_echoes_is_masked_beside_the_answers_of_others(on_terminal: Any) -> None:
    broken = {"fault": Fault.ERROR_EVENT, "fault_at": 1, "error_message": "no such key: plain-words-1234"}
    terminal = on_terminal("one two", "--n", "2", columns=120, more=broken, LAB_API_KEY="plain-words-1234")
    terminal.read()
    assert terminal.shown.count("no such key: ***") == 2
    assert b"plain-words" not in terminal.raw


@pytest.mark.parametrize("columns", [60, 100])
def test_several_answers_are_seen_while_they_come_and_once_when_they_are_there(on_terminal: Any, columns: int) -> None:
    terminal = on_terminal(
        "alpha **beta** gamma",
        *("--compare", "a/lab-model,b/lab-model"),
        columns=columns,
        more={"gate": "go", "gate_at": 2},
        others=[LabProvider("b", [Behavior(text="delta", gate="go")])],
    )
    terminal.read(until="alpha **beta**")
    assert "first token" in terminal.shown
    assert "waiting" in terminal.shown
    for name in "ab":
        terminal.lab.provider(name).release("go")
    terminal.read()
    assert terminal.code == 0
    assert [terminal.shown.count(word) for word in ("alpha", "**beta", "waiting", "delta")] == [1, 0, 0, 1]
    assert terminal.shown.startswith("a/lab-model")


def test_an_interrupt_of_several_shows_and_keeps_what_came(on_terminal: Any) -> None:
    terminal = on_terminal(
        "one two three",
        *("--compare", "a/lab-model,b/lab-model"),
        more={"gate": "never", "gate_at": 2},
        others=[LabProvider("b", [Behavior(text="whole")])],
        LLMR_SAVE="1",
    )
    terminal.read(until="one two")
    terminal.child.sendintr()
    terminal.read()
    assert terminal.code == 130
    assert "one two" in terminal.shown
    turns = terminal.box.run("log", "show", "last", "--json").json["turns"]
    assert [(turn["provider"], turn["outcome"]) for turn in turns] == [("a", "cancelled"), ("b", "ok")]
