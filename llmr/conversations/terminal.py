"""Which terminal this is: what `-c` continues is the last conversation of *this* one, not of the machine.

A pane of tmux, screen, or a terminal program that names its panes is that pane, whatever shell runs in it. Elsewhere it is
the session, which the kernel knows by its leader: the shell of that window or login, or cron's job. (Not the terminal's
device: with all three streams redirected nobody knows it, and the next login gets the same one.) A leader's number is
used again one day, so the moment when it started belongs to the name, and the boot. What is kept is a hash: it says
nothing about the machine.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

# Each is unique among the panes of its program; with TMUX and STY, among its servers.
_PANES: Final = (
    ("TMUX_PANE", "TMUX"),
    ("WINDOW", "STY"),
    ("TERM_SESSION_ID", ""),
    ("WEZTERM_PANE", "WEZTERM_UNIX_SOCKET"),
    ("KITTY_WINDOW_ID", "KITTY_PID"),
    ("ZELLIJ_PANE_ID", "ZELLIJ_SESSION_NAME"),
    ("WT_SESSION", ""),
)


def terminal_key(variables: Mapping[str, str]) -> str:
    """The name of this terminal: 16 hex digits."""
    said = _pane(variables) or _session()
    return hashlib.sha256(f"{_boot()}\n{os.geteuid()}\n{said}".encode(errors="replace")).hexdigest()[:16]


def _pane(variables: Mapping[str, str]) -> str | None:
    for name, beside in _PANES:
        if variables.get(name) and (not beside or variables.get(beside)):
            server = variables.get(beside, "").rpartition(",")[0] if beside == "TMUX" else variables.get(beside, "")
            return f"{name}={variables[name]} {server}"  # TMUX=socket,pid,session: a pane may move to another session
    return None


def _session() -> str:
    leader = os.getsid(0)
    try:
        facts = Path(f"/proc/{leader}/stat").read_text(errors="replace")
    except OSError:  # not Linux, or the leader has gone
        return f"session {leader}"
    return f"session {leader} {facts.rpartition(')')[2].split()[19]}"  # field 22, starttime: proc_pid_stat(5)


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:  # not Linux
        return ""
