"""What a step asked for, checked and put into the form in which it is kept; and back.

Every store keeps rows as compact JSON text, the one in memory too: so a row never shares a list with the step that wrote
it, a tuple comes back as a list everywhere, and what only one store could keep is refused by all.

Two kinds of trouble, two answers. A step that writes a key it did not name, or a value that is no JSON, is wrong code:
ValueError or TypeError, nothing is written. A *record* carries figures and names from outside (token counts from a provider,
a model name from argv), so what a column cannot hold becomes "not known" there: it must not break a request.
A row that cannot be read back (a flipped bit, another hand) is as good as absent; its owner starts it afresh.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, TypeVar

from llmr.dataclass import replace
from llmr.state import AttemptRecord, Change, RequestRecord, Row

R = TypeVar("R", bound=AttemptRecord | RequestRecord)

_COUNT_LIMIT: Final = 2**63  # an SQLite INTEGER: https://www.sqlite.org/datatype3.html
_to_json: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def encoded_writes(keys: Collection[str], change: Change[Any]) -> Mapping[str, str | None]:
    """The rows to write as JSON text, None deletes.

    Raises ValueError for a key that is not in `keys`, and what `json` raises for a value that is no JSON (NaN included).
    """
    strangers = change.writes.keys() - set(keys)
    if strangers:
        raise ValueError(f"a step writes rows it did not name: {sorted(strangers)}")
    return {key: None if row is None else _to_json(row) for key, row in change.writes.items()}


def decoded_rows(pairs: Iterable[tuple[str, str]]) -> dict[str, Row]:
    """Rows by key from `(key, JSON text)`; what does not decode is left out."""
    rows: dict[str, Row] = {}
    for key, text in pairs:
        try:
            row = json.loads(text)
        except (ValueError, TypeError, RecursionError):  # TypeError: a damaged cell need not hold text
            continue
        if row is not None:
            rows[key] = row
    return rows


def storable(record: R) -> R:
    """`record` itself, or a copy without what no column holds: counts beyond 64 bits, NaN, lone surrogates."""
    mended: dict[str, Any] = {}
    for name in record.__slots__:
        value = getattr(record, name)
        match value:
            case str() if not value.isascii():
                text = value.encode(errors="replace").decode()
                if text != value:
                    mended[name] = text
            case int() if not -_COUNT_LIMIT <= value < _COUNT_LIMIT:
                mended[name] = None
            case float() if value != value:  # noqa: PLR0124 - the cheapest test for NaN
                mended[name] = None
            case _:
                pass
    return replace(record, **mended) if mended else record
