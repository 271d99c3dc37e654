"""The tables of the conversations file, as the steps that led to them; state/schema.py says how such steps are kept.

conversations  an id, and the first words of its first prompt
turns          in the order of `seq`, which is never a time; `parent` is the turn that one goes on from
               `prompt`, `answer` plain text, for reading and searching; `asked`, `answered` the messages as JSON where
               they are more than plain text
attachments    by the SHA-256 of their content, once however often they are sent along
words          the full-text index over prompt and answer; it holds no text of its own
"""

from typing import Final

from llmr.state.schema import Schema

_FIRST: Final = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE conversations (id TEXT PRIMARY KEY, began_at REAL NOT NULL, title TEXT NOT NULL) WITHOUT ROWID",
    (
        "CREATE TABLE turns (seq INTEGER PRIMARY KEY, conversation_id TEXT NOT NULL REFERENCES conversations ON DELETE CASCADE,"
        " parent INTEGER, terminal TEXT, prompt TEXT NOT NULL, answer TEXT NOT NULL, asked TEXT, answered TEXT,"
        " outcome TEXT NOT NULL, at REAL NOT NULL, system TEXT, asked_model TEXT NOT NULL, provider TEXT, model TEXT,"
        " request_id TEXT, input_tokens INTEGER, output_tokens INTEGER, cost_usd REAL, ttft_s REAL, total_s REAL)"
    ),
    "CREATE INDEX turns_conversation ON turns (conversation_id, seq)",
    "CREATE INDEX turns_terminal ON turns (terminal, seq)",
    "CREATE INDEX turns_request ON turns (request_id)",
    "CREATE TABLE attachments (sha256 TEXT PRIMARY KEY, content BLOB NOT NULL)",
    (
        "CREATE TABLE attached (seq INTEGER NOT NULL REFERENCES turns ON DELETE CASCADE, sha256 TEXT NOT NULL,"
        " PRIMARY KEY (seq, sha256)) WITHOUT ROWID"
    ),
    (
        "CREATE VIRTUAL TABLE words USING fts5(prompt, answer, content='turns', content_rowid='seq',"
        " tokenize='unicode61 remove_diacritics 2')"
    ),
)

_ESTIMATES: Final = ("ALTER TABLE turns ADD COLUMN estimated_usd REAL",)

CONVERSATIONS: Final = Schema(application_id=0x6C6C6D63, migrations=(_FIRST, _ESTIMATES))  # "llmc" in ASCII

TURN: Final = (
    "seq, parent, prompt, answer, asked, answered, outcome, at, system, asked_model, provider, model, request_id,"
    " input_tokens, output_tokens, cost_usd, estimated_usd, ttft_s, total_s"
)
"""The columns of a turn, in the order in which rows.py takes them."""
