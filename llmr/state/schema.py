"""The tables of the state store, as the steps that led to them.

`migrations[i]` leads from version i to i + 1, so the newest version is their number. A step that has been released is never
edited; a new one is appended. Version 0 is an empty file.

    rows      what is known now, JSON by key; the parts that own the keys give them a shape
    attempts  history, in the order of `seq`; never ordered by `at`, since clocks jump (trust.md §5)
    requests  likewise
    meta      who made this file: instance_id, created_by, migrated_by

No prompt, no answer and no key is kept in any of them.
"""

from typing import Final

from llmr.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Schema:
    """What a database file must be to be ours. `application_id`: 31 bits, in the file's header.

    The first migration makes the table `meta (key, value)`; opening.py writes there which llmr made and migrated the file.
    """

    application_id: int
    migrations: tuple[tuple[str, ...], ...]

    @property
    def version(self) -> int:
        """The `user_version` this program reads and writes."""
        return len(self.migrations)


@dataclass(frozen=True, slots=True)
class HistoryTable:
    """The statements over one table of records. Columns stand in the order of the record's fields.

    `select_named` reads the whole table, which takes 20 ms for 100,000 records: a person asks for one request now and then,
    and an index would be kept up by every request.
    """

    insert: str
    select: str
    select_named: str
    expire: str


_FIRST: Final = (
    "CREATE TABLE rows (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    (
        "CREATE TABLE attempts (seq INTEGER PRIMARY KEY, request_id TEXT NOT NULL, at REAL NOT NULL, provider TEXT NOT NULL,"
        " model TEXT NOT NULL, outcome TEXT NOT NULL, streamed INTEGER NOT NULL, total_s REAL NOT NULL, ttft_s REAL,"
        " status INTEGER, code TEXT, input_tokens INTEGER, output_tokens INTEGER, cost_usd REAL, probe INTEGER NOT NULL)"
    ),
    "CREATE INDEX attempts_at ON attempts (at)",
    (
        "CREATE TABLE requests (seq INTEGER PRIMARY KEY, id TEXT NOT NULL, at REAL NOT NULL, asked_model TEXT NOT NULL,"
        " strategy TEXT NOT NULL, outcome TEXT NOT NULL, total_s REAL NOT NULL, attempts INTEGER NOT NULL, provider TEXT,"
        " model TEXT, ttft_s REAL, decision TEXT)"
    ),
    "CREATE INDEX requests_at ON requests (at)",
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "INSERT INTO meta VALUES ('instance_id', lower(hex(randomblob(8))))",
)

_HEDGES: Final = (
    "ALTER TABLE attempts ADD COLUMN hedge INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE attempts ADD COLUMN cost_estimated INTEGER NOT NULL DEFAULT 0",
)

STATE: Final = Schema(application_id=0x6C6C6D72, migrations=(_FIRST, _HEDGES))  # "llmr" in ASCII

ATTEMPTS: Final = HistoryTable(
    insert="INSERT INTO attempts (request_id, at, provider, model, outcome, streamed, total_s, ttft_s, status, code,"
    " input_tokens, output_tokens, cost_usd, probe, hedge, cost_estimated) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    select="SELECT request_id, at, provider, model, outcome, streamed, total_s, ttft_s, status, code, input_tokens,"
    " output_tokens, cost_usd, probe, hedge, cost_estimated FROM attempts WHERE at >= ? ORDER BY seq DESC LIMIT ?",
    select_named="SELECT request_id, at, provider, model, outcome, streamed, total_s, ttft_s, status, code, input_tokens,"
    " output_tokens, cost_usd, probe, hedge, cost_estimated FROM attempts WHERE request_id = ? ORDER BY seq",
    expire="DELETE FROM attempts WHERE seq IN (SELECT seq FROM attempts WHERE at < ? ORDER BY at LIMIT ?)",
)
REQUESTS: Final = HistoryTable(
    insert="INSERT INTO requests (id, at, asked_model, strategy, outcome, total_s, attempts, provider, model, ttft_s,"
    " decision) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
    select="SELECT id, at, asked_model, strategy, outcome, total_s, attempts, provider, model, ttft_s, decision"
    " FROM requests WHERE at >= ? ORDER BY seq DESC LIMIT ?",
    select_named="SELECT id, at, asked_model, strategy, outcome, total_s, attempts, provider, model, ttft_s, decision"
    " FROM requests WHERE id >= ? AND (? IS NULL OR id < ?) ORDER BY seq",
    expire="DELETE FROM requests WHERE seq IN (SELECT seq FROM requests WHERE at < ? ORDER BY at LIMIT ?)",
)
SPENT: Final = (
    "SELECT provider || '/' || model, sum(cost_usd) FROM attempts WHERE at >= ? AND cost_usd IS NOT NULL GROUP BY 1"
)
