"""`--schema`: an answer that is JSON of a given shape, or no answer.

The schema goes to the provider in its own words, and the answer is checked here all the same: providers differ in how much of a
schema they keep, and many keep nothing. An answer that does not meet it counts as a failure before anything was shown, so the
next candidate is asked (`ChatRequest.accept`).

jsonschema does the checking, as the extra `llmr[schema]`: a validator of one's own is wrong in a hundred places, and four
packages, one of them native code, are too many for everybody to carry. It is imported when a schema is given, never fetches
what a `$ref` names, and knows the drafts by `$schema`. Models wrap JSON in a fence; the fence is no part of the answer.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Never, cast, final

from llmr.chat import ChatRequest, ChatResponse, OutputFormat, ResponseFormat
from llmr.cli.delivery import extracted
from llmr.errors import ConfigError, UsageError

MOST_BYTES: Final = 1024 * 1024
_SHOWN: Final = 160  # characters of what is wrong
_QUOTED: Final = 40  # characters of the answer where it is no JSON


@final
class SchemaCheck:
    """What an answer must meet."""

    def __init__(self, schema: dict[str, Any]) -> None:
        """Raises UsageError for a schema that is none, ConfigError where jsonschema is not installed."""
        try:
            from jsonschema.exceptions import SchemaError
            from jsonschema.validators import validator_for
            from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]
        except ImportError as error:
            raise ConfigError("--schema needs one more package: pip install 'llmr[schema]'") from error
        validator = validator_for(schema)
        try:
            validator.check_schema(schema)
        except SchemaError as error:
            raise UsageError(f"--schema: not a JSON schema: {error.json_path}: {error.message[:_SHOWN]}") from error
        self.schema = schema
        self._validator = validator(schema, registry=REGISTRY)  # its own registry would fetch what a $ref names

    def __call__(self, response: ChatResponse) -> str | None:
        """What is wrong with the answer, None: nothing."""
        from referencing.exceptions import Unresolvable

        try:
            document = json.loads(json_text(response.text), parse_constant=_no_number)
        except json.JSONDecodeError as error:
            return _no_json(error)
        except (ValueError, RecursionError) as error:
            return f"the answer is not JSON: {str(error)[:_SHOWN]}"
        try:
            worst = next(self._validator.iter_errors(document), None)
        except Unresolvable as unknown:
            return f"the schema refers to what it does not hold: {unknown.ref}"
        if worst is None:
            return None
        return f"the answer does not meet the schema: {worst.json_path}: {worst.message[:_SHOWN]}"


def json_text(text: str) -> str:
    """The JSON in an answer: all of it, or what stands in its fence."""
    bare = text.strip()
    if bare.startswith(("```", "~~~")):
        return (extracted(bare) or "").strip()
    return bare


def with_schema(request: ChatRequest, said: str | None) -> ChatRequest:
    """The request for JSON of the shape that `--schema` says, and of no other. Raises UsageError, ConfigError."""
    if said is None:
        return request
    check = read_schema(said)
    return replace(request, output=OutputFormat(ResponseFormat.JSON_SCHEMA, schema=check.schema), accept=check)


def read_schema(said: str) -> SchemaCheck:
    """`--schema FILE` or `--schema '{…}'`. Raises UsageError, ConfigError."""
    text = said if said.lstrip().startswith("{") else _file(said)
    try:
        schema: Any = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--schema: not JSON: {error}") from error
    if not isinstance(schema, dict):
        raise UsageError("--schema: a JSON schema is an object")
    return SchemaCheck(cast("dict[str, Any]", schema))


def _file(said: str) -> str:
    path = Path(said)
    try:
        if not path.is_file():
            raise UsageError(f"--schema: {said} is no file; a schema given in place begins with {{")
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"--schema: {said} is larger than {MOST_BYTES // 1024} KiB")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--schema: {said} cannot be read: {error}") from error


def _no_json(error: json.JSONDecodeError) -> str:
    """Where the text stops being JSON, and what stands there."""
    text = error.doc
    if not text:
        return "the answer is not JSON: there is no text in it"
    there = " ".join(text[error.pos :][:_QUOTED].split())
    if not there:
        return f"the answer is not JSON: it stops in the middle, after {' '.join(text[-_QUOTED:].split())!r}"
    more = "…" if len(text) > error.pos + _QUOTED else ""
    where = "it begins with" if not error.pos else f"at line {error.lineno}, column {error.colno} stands"
    return f"the answer is not JSON: {where} {there + more!r}"


def _no_number(name: str) -> Never:
    raise ValueError(f"{name} is no JSON number")
