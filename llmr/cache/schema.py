"""The tables of the cache, as the steps that led to them; state/schema.py says how such steps are kept.

answers  by the hash of the request; `seq` is their order. `answer` is JSON, `size` what one takes in bytes
counts   numbers by name. The triggers keep `bytes` and `entries` right whoever adds and removes, so no process has to look
         through the table to know how full it is
"""

from typing import Final

from llmr.state.schema import Schema

_FIRST: Final = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    (
        "CREATE TABLE answers (seq INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, at REAL NOT NULL, used_at REAL NOT NULL,"
        " hits INTEGER NOT NULL DEFAULT 0, provider TEXT NOT NULL, model TEXT NOT NULL, answer TEXT NOT NULL,"
        " ttft_s REAL NOT NULL, took_s REAL NOT NULL, cost_usd REAL, grouped TEXT NOT NULL, prompt TEXT NOT NULL,"
        " vector BLOB NOT NULL, embedder TEXT NOT NULL, size INTEGER NOT NULL)"
    ),
    "CREATE INDEX answers_at ON answers (at)",
    "CREATE INDEX answers_used ON answers (used_at)",
    "CREATE INDEX answers_grouped ON answers (grouped, embedder, seq) WHERE grouped <> ''",
    "CREATE TABLE counts (name TEXT PRIMARY KEY, value REAL NOT NULL) WITHOUT ROWID",
    (
        "INSERT INTO counts VALUES ('bytes', 0), ('entries', 0), ('hits', 0), ('semantic_hits', 0), ('misses', 0),"
        " ('kept', 0), ('evicted', 0), ('saved_usd', 0)"
    ),
    (
        "CREATE TRIGGER added AFTER INSERT ON answers BEGIN"
        " UPDATE counts SET value = value + new.size WHERE name = 'bytes';"
        " UPDATE counts SET value = value + 1 WHERE name = 'entries'; END"
    ),
    (
        "CREATE TRIGGER removed AFTER DELETE ON answers BEGIN"
        " UPDATE counts SET value = value - old.size WHERE name = 'bytes';"
        " UPDATE counts SET value = value - 1 WHERE name = 'entries'; END"
    ),
)

CACHE: Final = Schema(application_id=0x6C6C6D61, migrations=(_FIRST,))  # "llma" in ASCII
