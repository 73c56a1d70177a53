"""Votes in SQLite. Each vote is one transaction, and is on disk before it is acknowledged.

No row is ever deleted. A vote that was taken back keeps its row, with the time in `undone`.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import sqlite3
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from .folder import StudyError, Trial

BUSY_TIMEOUT = 20.0  # seconds to wait for another writer
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
    """One rater's choice in one trial. `methods`: in the order shown, from left to right.

    `at`: the time in UTC, ISO 8601.
    """

    rater: str
    trial: str
    item: str
    methods: tuple[str, ...]
    chosen: str
    at: str = ""


class Votes:
    """The votes of one study, in the SQLite file `path`, which is created if it is missing.

    `secret` signs the tokens and identifiers of the study's pages. Every method raises
    sqlite3.Error if the file cannot be used. Raises StudyError if the file is a link.
    """

    def __init__(self, path: Path):
        if path.is_symlink() or path.parent.is_symlink():
            raise StudyError("The file of the votes is a link. Put the file itself there")
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as store:
            self.secret: str = stored_secret(store) or make(store)

    def cast(self, rater: str, trial: Trial, shown: list[str], chosen: str) -> None:
        """Stores a vote. Storing the same vote again changes nothing.

        Raises StudyError if the rater made a different choice in this trial before.
        """
        with self._open() as store, writing(store):
            before = store.execute(
                "SELECT chosen FROM votes WHERE rater = ? AND trial = ? AND undone IS NULL",
                (rater, trial.key),
            ).fetchone()
            if before and before[0] != chosen:
                raise StudyError("You have already voted on these pictures")
            if not before:
                store.execute(
                    "INSERT INTO votes (rater, trial, item, methods, chosen, at) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    (rater, trial.key, trial.item, json.dumps(shown), chosen, now()),
                )

    def undo(self, rater: str, vote: int | None) -> None:
        """Takes back the rater's last vote if its number is `vote`; may be repeated."""
        with self._open() as store, writing(store):
            if vote is not None and self._last(store, rater) == vote:
                store.execute("UPDATE votes SET undone = ? WHERE id = ?", (now(), vote))

    def last(self, rater: str) -> int | None:
        """The number of the rater's last vote, or None."""
        with self._open() as store:
            return self._last(store, rater)

    def of(self, rater: str) -> set[str]:
        """Keys of the trials in which this rater has voted."""
        with self._open() as store:
            rows = store.execute(
                "SELECT trial FROM votes WHERE rater = ? AND undone IS NULL", (rater,)
            )
            return {trial for (trial,) in rows}

    def all(self) -> list[Vote]:
        """All votes that were not taken back, oldest first."""
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
    def _open(self) -> Iterator[sqlite3.Connection]:
        store = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT, isolation_level=None)
        try:
            store.execute("PRAGMA synchronous = FULL")  # a commit waits for the disk
            yield store
        finally:
            store.close()


def stored_secret(store: sqlite3.Connection) -> str | None:
    """The secret that signs the tokens of the study's pages; None in a new file."""
    if store.execute("SELECT 1 FROM sqlite_master WHERE name = 'secret'").fetchone():
        row = store.execute("SELECT value FROM secret").fetchone()
        return row and row[0]
    return None


def make(store: sqlite3.Connection) -> str:
    """Creates the tables and the secret, and returns the secret.

    Another process may do the same at the same time; both then get the same secret.
    """
    store.execute("PRAGMA journal_mode = WAL")  # stored in the file
    store.executescript(TABLES)
    with writing(store):
        secret = stored_secret(store)
        if secret is None:
            secret = secrets.token_hex(32)
            store.execute("INSERT INTO secret VALUES (?)", (secret,))
    return secret


@contextlib.contextmanager
def writing(store: sqlite3.Connection) -> Iterator[None]:
    """A transaction that takes the write lock at its start; rolled back on any exception."""
    store.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        store.execute("ROLLBACK")
        raise
    store.execute("COMMIT")


def now() -> str:
    """The time in UTC, ISO 8601 with milliseconds."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def rater_name(text: object) -> str:
    """The name under which a rater's votes are stored: lower case, with single spaces.

    Raises StudyError unless `text` is a printable string of 1 to 40 characters.
    """
    name = " ".join(unicodedata.normalize("NFKC", text).split()) if isinstance(text, str) else ""
    if not 1 <= len(name) <= 40 or not name.isprintable():
        raise StudyError("Enter a name of 1 to 40 characters")
    return name.casefold()
