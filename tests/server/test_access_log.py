"""The request log holds up nobody, not even the server's end."""

import threading
import time
from types import SimpleNamespace
from typing import Any, cast

from llmr.server.access_log import AccessLog


def test_whoever_stopped_reading_does_not_hold_up_the_end():
    read = threading.Event()
    call = SimpleNamespace(
        request_id="r", method="GET", path="/", status=200, outcome=None, provider=None, model=None, attempts=0, cached=None,
        sent_bytes=0,
    )  # fmt: skip
    with AccessLog(str, lambda _line: read.wait(30)) as log:
        log.ended(cast("Any", call), now=0.0, took_s=0.0)
        began_s = time.monotonic()
    took_s = time.monotonic() - began_s
    read.set()
    assert took_s < 0.8
