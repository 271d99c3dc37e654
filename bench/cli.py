"""One-shot streamed chat as a person runs it, beside `llm` and beside a script that does nothing else, in one run.

    pip install -e '.[bench]' && python -m bench.cli [--runs 15]

All of them ask one lab provider on loopback that answers at once, in turns, so that a busy machine is busy for all; each with
its defaults (llmr and llm keep the conversation, the scripts keep nothing). A figure is the least of all runs: what is above
it is the machine's doing. CPU is user + system of the child. Goals (shared/design/cli.md): llmr costs at most a quarter of
`llm` and 1.4 × the httpx script, which neither looks at a setting nor remembers anything.

There are two such scripts. `import httpx` also imports httpx's own command line, with click, rich and pygments, where those
are installed, as they are beside llmr: 35 ms that a script in an environment of its own does not pay, nor does llmr
(transport/__init__.py). "httpx alone" is that script, and the stricter measure.

Seen on one busy machine of two cores. Before: 1.72 × the CPU of the script, .41 of `llm`. Then instructions of the user's
side, in millions (valgrind), beside 847 for the script and 645 for httpx alone: 984 with classes made when they are used
(dataclass.py), 895 without taking the interpreter apart at the end (__main__.py), 814 without anyio
(transport/without_anyio.py). On the same machine, quiet, in ms of CPU, the least of 11: llmr 132, the script 134, httpx alone
96, llm 564, which is .98 ×, 1.37 × and .23; busy, the second is between 1.28 and 1.36. What is left, roughly, in ms: Python
10, typer 23, httpx 40, asyncio and ssl 12, llmr's 150 modules 35, and the work itself 20.

What drawing Markdown costs is in bench/render.py, what each way in imports in bench/start_up.py.
"""

import argparse
import os
import resource
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llmr.lab import Behavior, LabProvider, LabThread

SCRIPTS = Path(sysconfig.get_path("scripts"))
ANSWER = "Hello! This is an answer of a dozen words, and here they end."

HTTPX_SCRIPT = """\
import json, sys, httpx
body = {"model": "model", "stream": True, "messages": [{"role": "user", "content": sys.argv[2]}]}
with httpx.Client(timeout=60) as client, client.stream("POST", sys.argv[1] + "/chat/completions", json=body) as response:
    response.raise_for_status()
    for line in response.iter_lines():
        if line.startswith("data: ") and line != "data: [DONE]":
            for choice in json.loads(line[6:])["choices"]:
                sys.stdout.write(choice["delta"].get("content") or "")
                sys.stdout.flush()
"""

HTTPX_ALONE = 'import sys\nsys.modules["httpx._main"] = None\n' + HTTPX_SCRIPT


@dataclass(frozen=True, slots=True)
class Client:
    """A program that asks for one answer. `goal`: llmr's cost may be this multiple of it; None sets none."""

    name: str
    command: Sequence[str]
    goal: float | None = None
    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)

    def ask(self, environment: Mapping[str, str], *, counted: bool) -> None:
        """Run it once. Raises SystemExit where its answer is not the whole one."""
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(
            self.command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        wall_s = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.stdout.strip() != ANSWER:
            sys.exit(f"{self.name} did not answer (code {done.returncode}): {done.stdout}{done.stderr}")
        if counted:
            self.wall_s.append(wall_s)
            self.cpu_s.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def clients(home: Path, url: str) -> list[Client]:
    """The contenders, set up in `home`. Without `llm` it says so and goes on."""
    (home / "routing.toml").write_text(f'[providers.fast]\nwire = "openai"\nbase_url = "{url}"\nmodels = ["model"]\n')
    (home / "extra-openai-models.yaml").write_text(f'- model_id: lab\n  model_name: model\n  api_base: "{url}"\n')
    (home / "script.py").write_text(HTTPX_SCRIPT)
    (home / "alone.py").write_text(HTTPX_ALONE)
    made = [
        Client("llmr chat", [str(SCRIPTS / "llmr"), "chat", "-m", "fast/model", "hello"]),
        Client("httpx script", [sys.executable, str(home / "script.py"), url, "hello"], goal=1.4),
        Client("httpx alone", [sys.executable, str(home / "alone.py"), url, "hello"], goal=1.4),
    ]
    if (SCRIPTS / "llm").exists():
        made.append(Client("llm", [str(SCRIPTS / "llm"), "-m", "lab", "hello"], goal=0.25))
    else:
        print("llm is not installed here: pip install -e '.[bench]'", file=sys.stderr)
    return made


def main() -> None:
    """Measure and print; the exit code is 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder, LabThread([LabProvider("fast", lambda *_: Behavior(ANSWER))]) as lab:
        environment = {
            "HOME": folder,
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "LLM_USER_PATH": folder,
            "LLMR_CONFIG": f"{folder}/routing.toml",
        }
        contenders = clients(Path(folder), lab.url("fast"))
        for run in range(runs + 1):  # the first one compiles, migrates and writes caches
            for client in contenders:
                client.ask(environment, counted=run > 0)
    sys.exit(_report(contenders))


def _report(contenders: Sequence[Client]) -> int:
    ours = contenders[0]
    missed = 0
    print(f"{'client':14} {'wall ms':>8} {'CPU ms':>7}   llmr is (goal)")
    for client in contenders:
        wall_s, cpu_s = min(client.wall_s), min(client.cpu_s)
        verdict = "–"
        if client.goal is not None:
            times_wall, times_cpu = min(ours.wall_s) / wall_s, min(ours.cpu_s) / cpu_s
            held = max(times_wall, times_cpu) <= client.goal
            missed += not held
            verdict = (
                f"{times_wall:.2f} × wall, {times_cpu:.2f} × CPU (≤ {client.goal}: {'held' if held else 'MISSED'})"
            )
        print(f"{client.name:14} {wall_s * 1000:8.0f} {cpu_s * 1000:7.0f}   {verdict}")
    return 1 if missed else 0


if __name__ == "__main__":
    main()
