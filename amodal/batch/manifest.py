"""The manifest: a Parquet part for each full segment of the journal, one row for each item.

    DEST/manifest.parquet/00000.parquet, 00001.parquet, ...

Any program that reads Parquet takes the folder as one table. Without pyarrow there is none, and the
journal is all. `records` reads both.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

from . import journal
from .places import Place

FOLDER = "manifest.parquet"
COLUMNS = {  # name -> kind, in pyarrow's words; all else of a record is in `more`, as JSON
    "key": "string",
    "source": "string",
    "object": "string",
    "status": "string",
    "passes": "int32",
    "scores": "list<double>",
    "seconds": "double",
    "worker": "string",
    "error": "string",
    "files": "list<string>",
    "seed": "int64",
    "more": "string",
}


def part(number: int) -> str:
    """The name of a part below DEST."""
    return f"{FOLDER}/{number:05d}.parquet"


def has_pyarrow() -> bool:
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        return False
    return True


def compact(place: Place, number: int) -> None:
    """Writes the part of a segment of the journal. Does nothing without pyarrow."""
    if has_pyarrow():
        place.write(part(number), as_parquet(journal.records_of(place, number)))


def records(place: Place) -> Iterator[dict]:
    """Every item's record, in the order in which they finished, each once.

    Full segments are read from their Parquet part where there is one, the rest from the journal.
    """
    numbers = journal.segments(place)
    for number in numbers:
        is_full = number != numbers[-1]
        if is_full and has_pyarrow() and place.has(part(number)):
            yield from from_parquet(place.read(part(number)))
        else:
            yield from journal.records_of(place, number)


def as_parquet(rows: list[dict]) -> bytes:
    """The bytes of a Parquet file with these records."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {
        "string": pa.string(),
        "int32": pa.int32(),
        "int64": pa.int64(),
        "double": pa.float64(),
        "list<double>": pa.list_(pa.float64()),
        "list<string>": pa.list_(pa.string()),
    }
    schema = pa.schema([(name, kinds[kind]) for name, kind in COLUMNS.items()])
    columns = {name: [row.get(name) for row in rows] for name in COLUMNS}
    columns["more"] = [json.dumps(rest(row)) for row in rows]
    file = io.BytesIO()
    pq.write_table(pa.table(columns, schema=schema), file, compression="zstd")
    return file.getvalue()


def from_parquet(content: bytes) -> list[dict]:
    """The records of a Parquet file that `as_parquet` made."""
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(content)).to_pylist()
    for row in rows:
        row |= json.loads(row.pop("more"))
    return [{name: row[name] for name in row if row[name] is not None} for row in rows]


def rest(row: dict) -> dict:
    """What of a record has no column of its own."""
    return {name: value for name, value in row.items() if name not in COLUMNS}
