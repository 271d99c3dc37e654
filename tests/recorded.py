"""The recorded traffic of shared/wire, for the tests that read it; nothing of it is copied into this repository.

`ORACLE` is what the makers' own SDKs made of the recordings; the tests are skipped where the traffic is not there.
"""

import base64
import json
from pathlib import Path
from typing import Any, Final

import pytest

from llmr.catalog import Model, Provider, WireFormat
from llmr.chat import Delta
from llmr.wire import wire_for

TRAFFIC: Final = Path(__file__).parents[1].parent / "shared" / "wire"

FORMATS: Final = {
    "openai-chat": WireFormat.OPENAI,
    "anthropic-messages": WireFormat.ANTHROPIC,
    "gemini": WireFormat.GEMINI,
    "openai-responses": WireFormat.RESPONSES,
}
where_recorded: Final = pytest.mark.skipif(not TRAFFIC.is_dir(), reason=f"no recorded traffic at {TRAFFIC}")


def rows(name: str) -> list[dict[str, Any]]:
    path = TRAFFIC / name
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


ORACLE: Final = [row for row in rows("oracle.jsonl") if row["api"] in FORMATS]


def recording(row: dict[str, Any]) -> dict[str, Any]:
    if "response" in row:
        return row
    found: dict[str, Any] = json.loads((TRAFFIC / "recorded" / row["api"] / f"{row['id']}.json").read_text())
    return found


def body_of(response: dict[str, Any]) -> bytes:
    if response.get("body_text") is not None:
        return str(response["body_text"]).encode()
    return base64.b64decode(response["body_base64"])


def decode(row: dict[str, Any], size: int | None = None) -> list[Delta]:
    """The deltas of a recorded answer, fed in pieces of `size` bytes."""
    response = recording(row)["response"]
    body = body_of(response)
    wire_format = FORMATS[row["api"]]
    model = Model(Provider(row["provider"], wire_format, "https://api.example/v1"), "m")
    wire = wire_for(wire_format)
    if response["status"] >= 300:
        headers = {name.lower(): value for name, value in response["headers"].items()}
        raise wire.classify(response["status"], headers, body, now=0.0)
    decoder = wire.decoder(model, streamed=response["is_stream"])
    size = size or len(body) or 1
    deltas = [delta for at in range(0, len(body), size) for delta in decoder.feed(body[at : at + size])]
    return [*deltas, *decoder.end()]


def ids(items: list[dict[str, Any]]) -> list[str]:
    return [item["id"] for item in items]


STREAMS: Final = [row for row in ORACLE if recording(row)["response"]["is_stream"]] if ORACLE else []
