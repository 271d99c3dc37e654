"""How long one decision takes, store read included, in fresh processes (routing.md §5, G7: ≤ 2 ms at p95).

    python -m bench.decision [--processes 40] [--candidates 12]

Each process opens the store that the others wrote, and times its first `Router.rank`, which is what `chat` does before its
first byte leaves. Opening the store is timed apart. CPU time stands beside wall time, which on a busy machine measures the
machine. Nothing is asked of anybody.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

PROCESS = """
import json, sys, time
from pathlib import Path
from llmr.app import opened
from llmr.chat import ChatRequest, Message, Role
from llmr.config.environment import Environment
from llmr.config.load import load
config = load(Environment.from_process(), config_file=Path(sys.argv[1]))
request = ChatRequest((Message.text(Role.USER, "hello"),), model="m")
t0 = time.perf_counter()
with opened(config) as app:
    t1, c1 = time.perf_counter(), time.process_time()
    selection = app.router.rank(request)
    t2, c2 = time.perf_counter(), time.process_time()
assert selection.ranked
print(json.dumps([(t1 - t0) * 1000, (t2 - t1) * 1000, (c2 - c1) * 1000]))
"""

HISTORY = """
import sys
from pathlib import Path
from llmr.app import opened
from llmr.config.environment import Environment
from llmr.config.load import load
from llmr.registry import Attempt
config = load(Environment.from_process(), config_file=Path(sys.argv[1]))
with opened(config) as app:
    for number in range(30):
        for model in [app.config.catalog.model(key) for key in app.config.catalog.names["m"].candidates]:
            permit = app.registry.admit(
                model, streamed=True, prompt_tokens=9, reasoning=False, first_token_s=5.0, token=str(number), now=0.0
            )
            app.registry.report(permit, Attempt(str(number), app.clock.now(), True, 1.0, ttft_s=0.2 + number / 100))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, default=40)
    parser.add_argument("--candidates", type=int, default=12)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        settings = Path(home) / "routing.toml"
        names = [f"p{number}" for number in range(asked.candidates)]
        tables = "".join(f'[providers.{name}]\nwire = "openai"\nbase_url = "http://127.0.0.1:9/v1"\n' for name in names)
        keys = ", ".join(f'"{name}/model"' for name in names)
        settings.write_text(f"[models.m]\ncandidates = [{keys}]\n{tables}")

        def run(program: str) -> str:
            environment = {"HOME": home, "PATH": "/usr/bin:/bin"}
            command = [sys.executable, "-c", program, str(settings)]
            return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

        run(HISTORY)
        figures = [json.loads(run(PROCESS)) for _ in range(asked.processes)]
    rows = ("opening the store, imports included", f"the decision over {asked.candidates} candidates", "  its CPU time")
    for place, what in enumerate(rows):
        series = sorted(figure[place] for figure in figures)
        p95 = series[int(len(series) * 0.95) - 1]
        print(f"{what:36} median {statistics.median(series):5.2f} ms   p95 {p95:5.2f} ms")


if __name__ == "__main__":
    main()
