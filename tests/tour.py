"""The README's tour: its commands, run by the installed `llmr` against two lab providers, the first one out of quota."""

import os
import shlex
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from llmr.lab import Behavior, LabProvider, LabThread, rate_limited

COMMANDS = ('llmr chat -v "Why is the sky blue?"', "llmr rank", "llmr providers status", "llmr explain")
LOCAL = ("ollama", "lmstudio", "llamacpp", "vllm")


def toured(home: Path) -> Iterator[tuple[str, str, str]]:
    """Each command with its stdout and its stderr."""
    answer = Behavior("Air scatters blue light more than red.", ttft_s=0.2)
    with LabThread([LabProvider("openai", [rate_limited("300")]), LabProvider("azure", [answer])]) as lab:
        tables = [
            f'[providers.{name}]\nwire = "openai"\nbase_url = "{lab.url(name)}"\napi_key_env = "TOUR_KEY"'
            for name in ("openai", "azure")
        ]
        tables += [f"[providers.{name}]\nenabled = false" for name in LOCAL]
        head = 'default_model = "gpt-4o"\nstrategy = "priority"\nexploration = 0\n[models.gpt-4o]'
        (home / "routing.toml").write_text("\n".join([head, 'candidates = ["openai/gpt-4o", "azure/gpt-4o"]', *tables]))
        environment = {
            "HOME": str(home),
            "PATH": f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "COLUMNS": "100",
            "TOUR_KEY": "sk-tour-0123456789",
            "LLMR_CONFIG": str(home / "routing.toml"),
            "LLMR_SAVE": "0",
        }
        for command in COMMANDS:
            done = subprocess.run(
                shlex.split(command), env=environment, cwd=home, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                check=False,
            )  # fmt: skip
            if done.returncode:
                raise AssertionError(f"{command}: {done.returncode}: {done.stderr}")
            yield command, done.stdout, done.stderr
