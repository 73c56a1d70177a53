"""Votes in SQLite, each in a transaction of its own: what was answered is on the disk.

No row is ever deleted: a vote that was taken back keeps the time at which it was.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import sqlite3
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from .folder import StudyError, Trial

PATIENCE = 20.0  # seconds to wait for another writer
TABLES = """
CREATE TABLE IF NOT EXISTS votes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    rater TEXT NOT NULL,
    trial TEXT NOT NULL,
    item TEXT NOT NULL,
    methods TEXT NOT NULL, -- JSON, in the order shown
    chosen TEXT NOT NULL,
    at TEXT NOT NULL,
    undone TEXT
);
CREATE UNIQUE INDEX IF NOT EXISTS once ON votes (rater, trial) WHERE undone IS NULL;
CREATE TABLE IF NOT EXISTS secret (value TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Vote:
    """One rater's choice in one trial; `methods` from left to right as they were shown."""

    rater: str
    trial: str
    item: str
    methods: tuple[str, ...]
    chosen: str
    at: str = ""


class Votes:
    """The votes of one study, in the file `path`."""

    def __init__(self, path: Path):
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as store:
            self.secret: str = found_secret(store) or make(store)

    def cast(self, rater: str, trial: Trial, shown: list[str], chosen: str) -> None:
        """Keeps a vote. The same vote again changes nothing, so that it may be sent twice.

        Raises StudyError where the rater chose otherwise in this trial before.
        """
        with self._open() as store, writing(store):
            before = store.execute(
                "SELECT chosen FROM votes WHERE rater = ? AND trial = ? AND undone IS NULL",
                (rater, trial.key),
            ).fetchone()
            if before and before[0] != chosen:
                raise StudyError("There is a vote of yours on these pictures already")
            if not before:
                store.execute(
                    "INSERT INTO votes (rater, trial, item, methods, chosen, at) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    (rater, trial.key, trial.item, json.dumps(shown), chosen, now()),
                )

    def undo(self, rater: str, vote: int) -> None:
        """Takes back the rater's last vote, if its number is `vote`; may be sent twice."""
        with self._open() as store, writing(store):
            if self._last(store, rater) == vote:
                store.execute("UPDATE votes SET undone = ? WHERE id = ?", (now(), vote))

    def last(self, rater: str) -> int | None:
        """The number of the rater's last vote."""
        with self._open() as store:
            return self._last(store, rater)

    def of(self, rater: str) -> set[str]:
        """The trials that this rater has voted in."""
        with self._open() as store:
            rows = store.execute(
                "SELECT trial FROM votes WHERE rater = ? AND undone IS NULL", (rater,)
            )
            return {trial for (trial,) in rows}

    def all(self) -> list[Vote]:
        """Every vote that counts, oldest first."""
        with self._open() as store:
            rows = store.execute(
                "SELECT rater, trial, item, methods, chosen, at FROM votes "
                "WHERE undone IS NULL ORDER BY id"
            )
            return [Vote(r, t, i, tuple(json.loads(m)), c, at) for r, t, i, m, c, at in rows]

    @staticmethod
    def _last(store: sqlite3.Connection, rater: str) -> int | None:
        return store.execute(
            "SELECT max(id) FROM votes WHERE rater = ? AND undone IS NULL", (rater,)
        ).fetchone()[0]

    @contextlib.contextmanager
    def _open(self):
        store = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)
        try:
            store.execute("PRAGMA synchronous = FULL")  # a commit waits for the disk
            yield store
        finally:
            store.close()


def found_secret(store: sqlite3.Connection) -> str | None:
    """What signs the tokens of this study's pages; None in a file that is new."""
    if store.execute("SELECT 1 FROM sqlite_master WHERE name = 'secret'").fetchone():
        row = store.execute("SELECT value FROM secret").fetchone()
        return row and row[0]
    return None


def make(store: sqlite3.Connection) -> str:
    """Lays out a new file; another process may do the same just now."""
    store.execute("PRAGMA journal_mode = WAL")  # stays with the file
    store.executescript(TABLES)
    with writing(store):
        if found_secret(store) is None:
            store.execute("INSERT INTO secret VALUES (?)", (secrets.token_hex(32),))
    return found_secret(store)


@contextlib.contextmanager
def writing(store: sqlite3.Connection):
    """A transaction that holds the right to write from its start; all of it is kept or nothing."""
    store.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        store.execute("ROLLBACK")
        raise
    store.execute("COMMIT")


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def rater_name(text) -> str:
    """A rater as the votes know them: however it is spaced or capitalised. Raises StudyError."""
    name = " ".join(unicodedata.normalize("NFKC", text).split()) if isinstance(text, str) else ""
    if not 1 <= len(name) <= 40 or not name.isprintable():
        raise StudyError("Give a name of 1 to 40 characters")
    return name.casefold()
