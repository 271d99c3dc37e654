"""`python -m llmr.lab SCRIPT [--port N …]`: a lab in a process of its own, until its standard input ends.

It prints one line of JSON, provider → base URL, once it listens. Ending with stdin means that it never outlives the test or
the shell that started it.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import threading
from pathlib import Path

from llmr.errors import ConfigError
from llmr.lab.script import read_providers
from llmr.lab.server import Lab


def main() -> int:
    """Serve; the exit code is 0, or 3 for a script that cannot be used (cli.md)."""
    parser = argparse.ArgumentParser(prog="python -m llmr.lab", description="Scripted providers on loopback sockets.")
    parser.add_argument("script", type=Path, help="a TOML or JSON file of [[providers]]")
    parser.add_argument("--port", type=int, action="append", default=[], help="of the first, second … provider; 0: any")
    parser.add_argument("--seed", type=int, default=0, help="for delays that are drawn")
    arguments = parser.parse_args()
    try:
        providers = read_providers(arguments.script)
    except ConfigError as error:
        sys.stderr.write(f"llmr.lab: {error}\n")
        return 3
    rng = random.Random(arguments.seed)  # noqa: S311 - delays, not secrets
    asyncio.run(_serve(Lab(providers, rng=rng, ports=arguments.port)))
    return 0


async def _serve(lab: Lab) -> None:
    over = _end_of_stdin_or_signal()
    async with lab.serving():
        sys.stdout.write(json.dumps({provider.name: lab.url(provider.name) for provider in lab.providers}) + "\n")
        sys.stdout.flush()
        await over.wait()


def _end_of_stdin_or_signal() -> asyncio.Event:
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)

    def read() -> None:
        while os.read(0, 4096):
            pass
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            loop.call_soon_threadsafe(over.set)

    threading.Thread(target=read, daemon=True).start()  # a daemon: a signal must not wait for it
    return over


if __name__ == "__main__":
    sys.exit(main())
