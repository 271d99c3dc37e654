"""What is one terminal, and what is another."""

import os
import subprocess
import sys

from llmr.conversations.terminal import terminal_key

TMUX = {"TMUX": "/tmp/tmux-0/default,123,0", "TMUX_PANE": "%3"}


def test_a_pane_is_itself_in_whatever_session_it_is_shown():
    assert terminal_key(TMUX) == terminal_key({**TMUX, "TMUX": "/tmp/tmux-0/default,123,7"})
    assert terminal_key(TMUX) != terminal_key({**TMUX, "TMUX_PANE": "%4"})
    assert terminal_key(TMUX) != terminal_key({**TMUX, "TMUX": "/tmp/tmux-0/default,999,0"})


def test_a_variable_that_is_left_over_without_its_server_is_no_pane():
    assert terminal_key({"WINDOW": "2"}) == terminal_key({})


def test_the_session_is_the_terminal_however_the_streams_are_redirected():
    script = "import os; from llmr.conversations.terminal import terminal_key; print(terminal_key({}))"

    def key(**how):
        return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, **how).stdout

    assert key(stdin=subprocess.DEVNULL).strip() == terminal_key({})
    assert key(preexec_fn=os.setsid) != key(preexec_fn=os.setsid)


def test_the_key_says_nothing_about_the_machine():
    assert len(terminal_key(TMUX)) == 16
    int(terminal_key(TMUX), 16)
