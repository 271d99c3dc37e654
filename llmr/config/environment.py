"""The process's environment, read once, as a value: the only place that touches `os.environ`.

Everything else takes an `Environment`, so a test states its world and "what does llmr obey?" has one answer. Keys are
looked up by name on demand and never copied; `repr` shows no value. Relative XDG paths are ignored, as the XDG base
directory specification demands; a missing, empty or relative HOME gives no directories at all, and everything that wants
one does without it. A `.env` is read only by name (`--env-file`, env_file.py; trust.md T11).
"""

import os
from collections.abc import Collection, Mapping
from contextvars import ContextVar
from dataclasses import field
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self

from llmr.dataclass import dataclass

PREFIX: Final = "LLMR_"

RESERVED: Final = frozenset(
    {
        "LLMR_COLOR",
        "LLMR_CONFIG",
        "LLMR_DEBUG",
        "LLMR_EDITOR",
        "LLMR_LOG",
        "LLMR_OTEL",
        "LLMR_PAGER",
        "LLMR_SAVE",
        "LLMR_SERVE_TOKEN",
    }
)
"""Variables that are read by name and are not settings of routing.toml."""


_KEY_ENDINGS: Final = ("_API_KEY", "_API_TOKEN", "_LLM_KEY", "LLMR_SERVE_TOKEN")
"""How the names of variables end that hold keys of providers. A vault's own token is not among them: `op` and `aws`, which
an `api_key_cmd` may be, need theirs."""


said_by_file: ContextVar[Mapping[str, str]] = ContextVar("said_by_file", default=MappingProxyType({}))
"""What `--env-file` said (env_file.py), for this run of the command line; the process's own variables outrank it."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What the process was started with. A directory is None where HOME and XDG name none; `cwd` None: it was deleted."""

    variables: Mapping[str, str] = field(repr=False)
    cwd: Path | None
    home: Path | None
    config_dir: Path | None
    state_dir: Path | None
    cache_dir: Path | None
    data_dir: Path | None
    uid: int

    @classmethod
    def of(cls, variables: Mapping[str, str], *, cwd: Path | None, uid: int | None = None) -> Self:
        """The environment that these variables describe. `uid` None: the process's own effective one."""
        home = _absolute(variables.get("HOME"))
        return cls(
            variables=MappingProxyType(dict(variables)),
            cwd=cwd,
            home=home,
            config_dir=_directory(variables, "XDG_CONFIG_HOME", home, ".config"),
            state_dir=_directory(variables, "XDG_STATE_HOME", home, ".local/state"),
            cache_dir=_directory(variables, "XDG_CACHE_HOME", home, ".cache"),
            data_dir=_directory(variables, "XDG_DATA_HOME", home, ".local/share"),
            uid=os.geteuid() if uid is None else uid,
        )

    @classmethod
    def from_process(cls) -> Self:
        """This process's own."""
        try:
            cwd = Path.cwd()
        except OSError:  # the directory was removed under us
            cwd = None
        return cls.of({**said_by_file.get(), **os.environ}, cwd=cwd)  # noqa: TID251 - the one home of os.environ

    def variable(self, name: str) -> str | None:
        """The variable's value, None where it is not set."""
        return self.variables.get(name)

    def for_programs(self, keys: Collection[str]) -> Mapping[str, str]:
        """The variables that an editor or a command of the user's is given: without keys, by the look of their names and by
        `keys`, which the configuration names (named_keys.py; trust.md T29)."""
        return {
            name: value
            for name, value in self.variables.items()
            if not name.upper().endswith(_KEY_ENDINGS) and name not in keys
        }

    @property
    def settings(self) -> Mapping[str, str]:
        """The `LLMR_*` variables that mean keys of routing.toml, unknown ones included; an empty one says nothing."""
        return {
            name: value
            for name, value in self.variables.items()
            if name.startswith(PREFIX) and name not in RESERVED and value
        }

    @property
    def config_file(self) -> str | None:
        """LLMR_CONFIG, None where it is unset or empty."""
        return self._said("LLMR_CONFIG")

    @property
    def color(self) -> str | None:
        """LLMR_COLOR: auto, always or never, as typed."""
        return self._said("LLMR_COLOR")

    @property
    def no_color(self) -> bool:
        """NO_COLOR is set and not empty (no-color.org)."""
        return self._said("NO_COLOR") is not None

    @property
    def force_color(self) -> bool:
        """FORCE_COLOR is set, not empty, and not 0 (force-color.org; 0 as Node reads it)."""
        return self._said("FORCE_COLOR") not in {None, "0"}

    @property
    def dumb_terminal(self) -> bool:
        """TERM=dumb: no escapes, no repainting."""
        return self._said("TERM") == "dumb"

    @property
    def columns(self) -> int | None:
        """COLUMNS as a positive number, else None: ask the terminal."""
        said = self._said("COLUMNS") or ""
        return int(said) if said.isascii() and said.isdigit() and 0 < len(said) <= 5 and int(said) > 0 else None

    @property
    def log(self) -> str | None:
        """LLMR_LOG: `off` keeps no history."""
        return self._said("LLMR_LOG")

    @property
    def save(self) -> str | None:
        """LLMR_SAVE: whether conversations are kept."""
        return self._said("LLMR_SAVE")

    @property
    def debug(self) -> bool:
        """LLMR_DEBUG is set and not 0."""
        return self._said("LLMR_DEBUG") not in {None, "0"}

    @property
    def editor(self) -> str | None:
        """LLMR_EDITOR, else VISUAL, else EDITOR."""
        return self._said("LLMR_EDITOR") or self._said("VISUAL") or self._said("EDITOR")

    def proxy(self, scheme: str) -> tuple[str, str] | None:
        """`(variable, value)` of the proxy for http or https, None: a direct connection.

        The lower-case name wins, as in curl. HTTP_PROXY in capitals is not read where REQUEST_METHOD is set: a CGI script's
        client could have sent it as a `Proxy:` header (CVE-2016-5385).
        """
        for name in (f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY"):
            if name == "HTTP_PROXY" and "REQUEST_METHOD" in self.variables:
                continue
            said = self._said(name)
            if said is not None:
                return name, said
        return None

    @property
    def no_proxy(self) -> str | None:
        """no_proxy, else NO_PROXY."""
        return self._said("no_proxy") or self._said("NO_PROXY")

    def _said(self, name: str) -> str | None:
        return self.variables.get(name, "").strip() or None


def disable_pydantic_plugins() -> None:
    """Keep installed distributions from loading themselves into our validation (trust.md T30: 499 ms instead of 122).

    pydantic reads the variable when it is first imported, so this is called before that.
    """
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"  # noqa: TID251 - pydantic offers no other way to say it


def _absolute(said: str | None) -> Path | None:
    return Path(said) if said and said.startswith("/") and "\0" not in said else None


def _directory(variables: Mapping[str, str], xdg: str, home: Path | None, under_home: str) -> Path | None:
    base = _absolute(variables.get(xdg)) or (home / under_home if home is not None else None)
    return base / "llmr" if base is not None else None


def share_metrics(directory: Path) -> None:
    """Let every process that is forked from this one count into `directory`; before prometheus-client is imported."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)  # noqa: TID251 - it offers no other way to say it
