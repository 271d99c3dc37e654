"""`serve`: a gateway around lab providers, for the length of a test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from served import Process, Served, settings_for

from llmr.lab import LabProvider, LabThread

Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serve these lab providers until the test ends."""
    running: list[Any] = []

    def start(*providers: LabProvider, extra: str = "", provider_extra: str = "", **more: Any) -> Served:
        lab = LabThread(providers).__enter__()
        running.append(lab)
        settings = settings_for(lab, providers, extra, provider_extra)
        served = Served(lab, tmp_path / "home", settings, **more).__enter__()
        running.append(served)
        return served

    yield start
    for one in reversed(running):
        one.__exit__(None, None, None)


@pytest.fixture
def start(tmp_path):
    opened = []

    def starting(*arguments, providers=None, **variables):
        lab = LabThread(providers or [LabProvider("a")]).__enter__()
        opened.append(lab)
        process = Process(tmp_path, lab, *arguments, **variables)
        opened.append(process.process)
        return process

    yield starting
    for one in reversed(opened):
        if isinstance(one, LabThread):
            one.__exit__(None, None, None)
        elif one.poll() is None:
            one.kill()
            one.communicate()
