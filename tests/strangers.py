"""Emulators that strangers wrote, as providers: where each wire is found at them, and aimock as a running program.

llmock (PyPI, in the test extra) comes with a fixture of its own. aimock (`@copilotkit/aimock`, npm) answers from fixtures;
`.ci/run` installs it into `.ci/node`, and LLMR_AIMOCK may name another node_modules folder. Without it, or without node, its
tests are skipped.
"""

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from llmr.catalog import WireFormat


@dataclass(frozen=True)
class Tongue:
    """A wire as an emulator serves it: its name there, the path that belongs to our base_url, and a model of its maker."""

    wire: WireFormat
    host: str
    version: str
    model: str


TONGUES: Final = {
    tongue.wire: tongue
    for tongue in (
        Tongue(WireFormat.OPENAI, "openai", "", "gpt-5"),
        Tongue(WireFormat.ANTHROPIC, "anthropic", "/v1", "claude-sonnet-4-5"),
        Tongue(WireFormat.GEMINI, "gemini", "/v1beta", "gemini-2.5-flash"),
        Tongue(WireFormat.RESPONSES, "openai", "", "gpt-5"),
    )
}
NODE_MODULES: Final = Path(__file__).parents[1] / ".ci" / "node" / "node_modules"
AIMOCK_FOLDER: Final = Path(os.environ.get("LLMR_AIMOCK") or NODE_MODULES)
AIMOCK_PROGRAM: Final = AIMOCK_FOLDER / "@copilotkit" / "aimock" / "dist" / "cli.js"
AIMOCK_MISSING: Final = next(
    (
        reason
        for lacks, reason in (
            (shutil.which("node") is None, "node is not installed"),
            (
                not AIMOCK_PROGRAM.is_file(),
                f"no @copilotkit/aimock in {AIMOCK_FOLDER} (npm install --prefix .ci/node @copilotkit/aimock, or LLMR_AIMOCK)",
            ),
        )
        if lacks
    ),
    None,
)
with_aimock: Final = pytest.mark.skipif(AIMOCK_MISSING is not None, reason=AIMOCK_MISSING or "")


def table(name: str, wire: WireFormat, base_url: str, model: str) -> str:
    """The provider's lines in routing.toml."""
    return f'[providers.{name}]\nwire = "{wire}"\nbase_url = "{base_url}"\napi_key_env = "MOCK_KEY"\nmodels = ["{model}"]\n'


@contextmanager
def running_aimock(folder: Path, fixtures: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Its URL, for the length of the block."""
    (folder / "all.json").write_text(json.dumps({"fixtures": list(fixtures)}))
    process = subprocess.Popen(
        ["node", AIMOCK_PROGRAM, "--port", "0", "--strict", "--fixtures", folder],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    said: list[str] = []
    for line in process.stdout:
        said.append(line)
        found = re.search(r"listening on (http://\S+)", line)
        if found:
            break
    else:
        watchdog.cancel()
        pytest.fail(f"aimock did not start: {''.join(said)}")
    watchdog.cancel()
    drain = threading.Thread(target=process.stdout.read)
    drain.start()
    try:
        yield found[1]
    finally:
        process.terminate()
        process.wait(10)
        drain.join(10)
        process.stdout.close()
