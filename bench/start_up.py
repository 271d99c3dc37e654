"""What llmr costs before it does anything: wall and CPU time of each way in, beside `python -c pass`, in one run.

    python -m bench.start_up [--runs 15]

`chat` is measured to the first request byte: a lab provider on loopback reads the client's CPU time from /proc when its
request arrives. Figures are medians, CPU is user + system of the child. Times are for people; what a path may import is
tested by listing sys.modules (tests/test_floors.py), which does not depend on the machine.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llmr.lab import Behavior, LabProvider, LabRequest, LabThread

LLMR = str(Path(sysconfig.get_path("scripts")) / "llmr")
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass
class Figures:
    """Seconds of each run; `rss_mb` megabytes."""

    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)


def measure(command: Sequence[str], environment: dict[str, str], runs: int) -> Figures:
    """Run `command` a number of times, the first one uncounted."""
    figures = Figures()
    for run in range(runs + 1):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        took = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if run:
            figures.wall_s.append(took)
            figures.cpu_s.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return figures


def measure_chat(configure: Callable[[str], dict[str, str]], runs: int) -> tuple[Figures, Figures]:
    """`chat` against an instant provider: to its first request byte, and as a whole."""
    first, whole = Figures(), Figures()
    child: list[int] = []

    def on_request(_: int, __: LabRequest) -> Behavior:
        status = Path(f"/proc/{child[0]}/stat").read_text().rpartition(")")[2].split()
        first.cpu_s.append((int(status[11]) + int(status[12])) * TICK_S)
        first.wall_s.append(time.perf_counter() - began)
        rss = next(
            line for line in Path(f"/proc/{child[0]}/status").read_text().splitlines() if line.startswith("VmHWM")
        )
        first.rss_mb.append(int(rss.split()[1]) / 1024)
        return Behavior(text="hello")

    with LabThread([LabProvider("fast", on_request)]) as lab:
        environment = configure(lab.url("fast"))
        for _ in range(runs + 1):
            before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            process = subprocess.Popen(
                [LLMR, "chat", "-m", "fast/model", "hello"],
                env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
            child[:] = [process.pid]
            process.communicate()
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            whole.wall_s.append(time.perf_counter() - began)
            whole.cpu_s.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    for figures in (first, whole):
        for series in (figures.wall_s, figures.cpu_s, figures.rss_mb):
            del series[:1]  # the first run writes the configuration snapshot
    return first, whole


def imported(arguments: Sequence[str], environment: dict[str, str]) -> list[str]:
    """The top-level packages that a path imports, of those that are worth knowing."""
    probe = (
        "import sys, json\nsys.argv = ['llmr', *json.loads(sys.argv[1])]\n"
        "from llmr.__main__ import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(json.dumps(sorted(set(sys.modules))), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe, json.dumps(list(arguments))],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    modules = set(json.loads(done.stderr.splitlines()[-1]))
    heavy = ("typer", "asyncio", "httpx", "sqlite3", "tomllib", "pydantic", "rich", "ssl", "logging")
    return [name for name in heavy if name in modules] + [f"{len(modules)} modules"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as home:
        environment = {"HOME": home, "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}

        def configure(url: str) -> dict[str, str]:
            file = Path(home) / "routing.toml"
            file.write_text(f'[providers.fast]\nwire = "openai"\nbase_url = "{url}"\nmodels = ["model"]\n')
            return {**environment, "LLMR_CONFIG": str(file)}

        rows = [
            ("python -c pass", measure([sys.executable, "-c", "pass"], environment, runs), ["–"]),
            *(
                (
                    f"llmr {' '.join(arguments)}",
                    measure([LLMR, *arguments], environment, runs),
                    imported(arguments, environment),
                )
                for arguments in (["--version"], ["--help"], ["rank", "-m", "gpt-4o"], ["providers", "status"])
            ),
        ]
        first, whole = measure_chat(configure, runs)
        imports = imported(["chat", "-m", "nobody/x", "hello"], environment)
    rows += [
        ("llmr chat, to the first request byte", first, imports),
        ("llmr chat, whole", whole, ["as above, and httpx"]),
    ]
    floor = statistics.median(rows[0][1].wall_s)
    print(f"{'path':38} {'wall ms':>8} {'CPU ms':>7} {'× floor':>8}  imports")
    for name, figures, modules in rows:
        wall, cpu = statistics.median(figures.wall_s), statistics.median(figures.cpu_s)
        print(f"{name:38} {wall * 1000:8.0f} {cpu * 1000:7.0f} {wall / floor:8.1f}  {', '.join(modules)}")
    print(f"peak memory of chat at its first request byte: {max(first.rss_mb):.0f} MB")


if __name__ == "__main__":
    main()
