"""Files in parts, for machines that hand back small files only."""

from __future__ import annotations

from pathlib import Path

MOST = 16 * 2**20  # bytes of a part


def split(path: Path, folder: Path, most: int = MOST) -> list[Path]:
    """Writes a file as parts of at most `most` bytes: NAME.1-of-2, NAME.2-of-2. Returns them.

    Earlier parts of it are removed.
    """
    for old in folder.glob(f"{path.name}.*-of-*"):
        old.unlink()
    data = path.read_bytes()
    pieces = [data[at : at + most] for at in range(0, max(1, len(data)), most)]
    written = []
    for number, piece in enumerate(pieces, 1):
        written.append(folder / f"{path.name}.{number}-of-{len(pieces)}")
        written[-1].write_bytes(piece)
    return written


def join(folder: Path, target: Path) -> list[Path]:
    """Writes the files whose parts lie in `folder` to the folder `target`. Returns them.

    Raises FileNotFoundError if there are no parts, or if one is missing.
    """
    firsts = sorted(folder.glob("*.1-of-*"))
    if not firsts:
        raise FileNotFoundError(f"no parts of files in {folder}, such as NAME.1-of-2")
    target.mkdir(parents=True, exist_ok=True)
    joined = []
    for first in firsts:
        name, count = first.name.rsplit(".1-of-", 1)
        parts = [folder / f"{name}.{number}-of-{count}" for number in range(1, int(count) + 1)]
        missing = [part.name for part in parts if not part.exists()]
        if missing:
            raise FileNotFoundError(f"{missing[0]} is missing in {folder}")
        joined.append(target / name)
        joined[-1].write_bytes(b"".join(part.read_bytes() for part in parts))
    return joined
