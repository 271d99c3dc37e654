"""Requests against the makers' OpenAPI documents in ../shared/wire/specs, which stay there.

Real requests often fail them (a field newer than the document, one that only the API knows), so what is asked is: where the
document accepts the original, it accepts what we say instead. Google's list of required fields names `model`, which stands
in the path.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

SPECS: Final = Path(__file__).parents[2].parent / "shared" / "wire" / "specs"

Accepts = Callable[[Any], bool]


@pytest.fixture(scope="session")
def accepted_by() -> Callable[[str, str], Accepts]:
    """`accepted_by(document, schema)`: a function that says whether that schema accepts a body."""

    def build(document: str, schema: str) -> Accepts:
        jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
        path = SPECS / document
        if not path.is_file():
            pytest.skip(f"no OpenAPI document at {path}")
        components = json.loads(path.read_text())["components"]
        required = components["schemas"][schema].get("required", [])
        if "contents" in required:
            required.remove("model")
        root = {"$ref": f"#/components/schemas/{schema}", "components": components}
        return jsonschema.Draft202012Validator(root).is_valid

    return build
