"""Conversations on disk: turns added, read and found; what purging.py takes away is gone.

Many llmr processes write at once, each a turn at a time in one short transaction, so two that go on from the same turn make
a branch and lose nothing. Opening, damage, versions and locks are state/database.py's; a file that turns out damaged while
a turn is written is set aside, and the turn goes into the new one.

A turn is written when its request is over, before the command ends. How long it may wait for the lock is the caller's to say
(`patience_s`): a chat waits for 0.25 s (cli/keeping.py), `llmr log` for 2.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Final, Self, TypeVar, final

from llmr.conversations import Hit, Overview, Turn
from llmr.conversations.rows import around, cells_of, storable, title_of, turn_of
from llmr.conversations.schema import CONVERSATIONS, TURN
from llmr.conversations.search import match_expression, needs_scan
from llmr.errors import StateError, UsageError
from llmr.state.connection import Damaged
from llmr.state.database import Database

T = TypeVar("T")

PATIENCE_S: Final = 2.0
LAST: Final = "last"
_ID_BITS: Final = 40
_SHORTEST_PREFIX: Final = 4
_SNIPPET_TOKENS: Final = 12

_INSERT_TURN: Final = (
    "INSERT INTO turns (conversation_id, terminal, parent, prompt, answer, asked, answered, outcome, at, system, asked_model,"
    " provider, model, request_id, input_tokens, output_tokens, cost_usd, estimated_usd, ttft_s, total_s)"
    " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
)
_LINE: Final = (
    "WITH RECURSIVE line(number, above) AS (SELECT seq, parent FROM turns WHERE seq = ? UNION"  # noqa: S608 - constants
    " SELECT t.seq, t.parent FROM turns t JOIN line ON t.seq = line.above)"
    f" SELECT {TURN} FROM turns WHERE seq IN (SELECT number FROM line) AND conversation_id = ? ORDER BY seq"
)
_OVERVIEWS: Final = (
    "SELECT c.id, c.title, c.began_at, count(*), sum(t.outcome <> 'ok'), "
    " iif(count(t.cost_usd) < count(*), nullif(sum(t.cost_usd), 0), sum(t.cost_usd)), sum(t.estimated_usd),"
    " t.at, t.provider, t.model, t.outcome,"
    " max(t.seq) AS newest FROM conversations c JOIN turns t ON t.conversation_id = c.id GROUP BY c.id"  # max: the bare
    " ORDER BY newest DESC LIMIT ?"  # columns are its row's, https://www.sqlite.org/lang_select.html#bareagg
)
_SEARCH: Final = (
    "SELECT t.conversation_id, c.title, t.seq, t.at, snippet(words, -1, '[', ']', '…', ?) FROM words"
    " JOIN turns t ON t.seq = words.rowid JOIN conversations c ON c.id = t.conversation_id"
    " WHERE words MATCH ? ORDER BY bm25(words), t.seq DESC LIMIT ?"
)
_SCAN: Final = (
    "SELECT t.conversation_id, c.title, t.seq, t.at, t.prompt || ' ' || t.answer FROM turns t"
    " JOIN conversations c ON c.id = t.conversation_id"
    " WHERE instr(lower(t.prompt || ' ' || t.answer), ?) > 0 ORDER BY t.seq DESC LIMIT ?"
)


@final
class ConversationStore:
    """The file of conversations, opened or made. Every method may raise StateBusy or StateUnusable."""

    def __init__(self, path: Path, now: Callable[[], float], chance: Random, *, patience_s: float = PATIENCE_S) -> None:
        """`now` gives wall-clock seconds; `chance` draws ids; another process's lock is waited for `patience_s`, while opening
        as well."""
        self.path = path
        self._patience_s = patience_s
        self._chance = chance
        self._database = Database(path, CONVERSATIONS, now)
        try:
            self._database.wait_at_most(patience_s)
            self._database.rows("PRAGMA secure_delete = ON")
        except StateError:
            self._database.close()
            raise

    @property
    def database(self) -> Database:
        """For purging.py."""
        return self._database

    @property
    def notices(self) -> Sequence[str]:
        """What a person should be told: set aside as damaged."""
        return self._database.notices

    def add(self, turn: Turn, *, conversation_id: str | None = None, terminal: str | None = None) -> tuple[str, int]:
        """Keep a turn; its conversation and its number. `conversation_id` None, or of one that is gone: a new conversation."""
        return self._at_work(lambda database: self._added(database, turn, conversation_id, terminal))

    def _added(
        self, database: Database, turn: Turn, conversation_id: str | None, terminal: str | None
    ) -> tuple[str, int]:
        with database.writing():
            known = conversation_id is not None and database.rows(
                "SELECT 1 FROM conversations WHERE id = ?", (conversation_id,)
            )
            if conversation_id is None or not known:
                conversation_id = conversation_id or self._new_id(database)
                database.rows(
                    "INSERT INTO conversations VALUES (?,?,?)", (conversation_id, turn.at, title_of(turn.prompt_text))
                )
            attachments: dict[str, bytes] = {}
            number = database.insert(_INSERT_TURN, cells_of(turn, conversation_id, terminal, attachments))
            for name, content in attachments.items():
                database.rows("INSERT OR IGNORE INTO attachments VALUES (?,?)", (name, content))
                database.rows("INSERT OR IGNORE INTO attached VALUES (?,?)", (number, name))
            database.rows(
                "INSERT INTO words (rowid, prompt, answer) VALUES (?,?,?)",
                (number, storable(turn.prompt_text), storable(turn.answer_text)),
            )
        return conversation_id, number

    def _new_id(self, database: Database) -> str:
        while True:
            name = f"{self._chance.getrandbits(_ID_BITS):0{_ID_BITS // 4}x}"
            if not database.rows("SELECT 1 FROM conversations WHERE id = ?", (name,)):
                return name

    def line(self, conversation_id: str, number: int | None = None) -> tuple[Turn, ...]:
        """The turns that lead to turn `number`, itself included; None: to the newest. Oldest first."""

        def read(database: Database) -> tuple[Turn, ...]:
            at = number
            if at is None:
                ((at,),) = database.rows("SELECT max(seq) FROM turns WHERE conversation_id = ?", (conversation_id,))
            return self._turns(database, _LINE, (at, conversation_id))

        return self._at_work(read)

    def turns(self, conversation_id: str) -> tuple[Turn, ...]:
        """All its turns, of every branch, in the order in which they were asked."""
        statement = f"SELECT {TURN} FROM turns WHERE conversation_id = ? ORDER BY seq"  # noqa: S608 - constants
        return self._at_work(lambda database: self._turns(database, statement, (conversation_id,)))

    def title(self, conversation_id: str) -> str:
        """The first words of its first prompt."""
        found = self._at_work(
            lambda database: database.rows("SELECT title FROM conversations WHERE id = ?", (conversation_id,))
        )
        return str(found[0][0]) if found else ""

    def last_of(self, terminal: str) -> str | None:
        """The conversation that was last spoken in at this terminal."""
        found = self._at_work(
            lambda database: database.rows(
                "SELECT conversation_id FROM turns WHERE terminal = ? ORDER BY seq DESC LIMIT 1", (terminal,)
            )
        )
        return found[0][0] if found else None

    def named(self, name: str) -> str:
        """The id that `name` means: an id, the beginning of one (at least four characters), or `last`. Raises UsageError."""
        if name == LAST:
            found = self._at_work(
                lambda database: database.rows("SELECT conversation_id FROM turns ORDER BY seq DESC LIMIT 1")
            )
            if not found:
                raise UsageError("no conversation is kept yet")
            return str(found[0][0])
        ids = self.ids_named(name)
        if not ids:
            raise UsageError(f"no conversation {name!r}; `llmr log` lists them")
        if len(ids) > 1:
            raise UsageError(f"{name!r} may be {' or '.join(ids)}; say more of it")
        return ids[0]

    def ids_named(self, name: str) -> list[str]:
        """The ids that `name` may mean: itself, or up to three that begin with it (at least four characters)."""
        end = name + "g"  # ids are hexadecimal
        rows = self._at_work(
            lambda database: database.rows(
                "SELECT id FROM conversations WHERE id = ? OR (id > ? AND id < ?) ORDER BY id LIMIT 3",
                (name, name, end),
            )
        )
        ids = [str(row[0]) for row in rows]
        if name in ids:
            return [name]
        return ids if len(name) >= _SHORTEST_PREFIX else []

    def overviews(self, limit: int) -> tuple[Overview, ...]:
        """The newest conversations, newest first; a negative limit: all."""
        rows = self._at_work(lambda database: database.rows(_OVERVIEWS, (limit,)))
        return tuple(Overview(*row[:-1]) for row in rows)

    def search(self, query: str, limit: int) -> tuple[Hit, ...]:
        """Turns with all the words of `query`, the best first. A word may end in `*`; "a phrase" stays together.

        Text without blanks between words (Chinese, Japanese, Thai) is not in an index of words: it is looked for as it
        stands, through everything.
        """
        if needs_scan(query):
            wanted = query.strip().strip('"').lower()
            rows = self._at_work(lambda database: database.rows(_SCAN, (wanted, limit)))
            return tuple(replace(Hit(*row), snippet=around(row[4], wanted)) for row in rows)
        expression = match_expression(query)
        if not expression:
            return ()
        rows = self._at_work(lambda database: database.rows(_SEARCH, (_SNIPPET_TOKENS, expression, limit)))
        return tuple(Hit(*row) for row in rows)

    def first_time(self) -> bool:
        """Whether nobody has been told yet that conversations are kept. Asking is telling: the next answer is False."""

        def ask(database: Database) -> bool:
            if database.rows("SELECT 1 FROM meta WHERE key = 'told'"):
                return False
            with database.writing():
                database.rows("INSERT OR IGNORE INTO meta VALUES ('told', 'yes')")
            return True

        return self._at_work(ask)

    def _at_work(self, work: Callable[[Database], T]) -> T:
        """Do `work`; once more where the file turned out damaged and a new one took its place."""
        try:
            return work(self._database)
        except Damaged as error:
            self._database.start_anew(error)
            self._database.wait_at_most(self._patience_s)
            self._database.rows("PRAGMA secure_delete = ON")
            return work(self._database)

    def _turns(self, database: Database, statement: str, values: Sequence[Any]) -> tuple[Turn, ...]:
        def fetch(name: str) -> bytes | None:
            found = database.rows("SELECT content FROM attachments WHERE sha256 = ?", (name,))
            return found[0][0] if found else None

        return tuple(turn_of(row, fetch) for row in database.rows(statement, values))

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()
