"""The archive that the ComfyUI registry gets: tracked files less what .comfyignore names."""

from __future__ import annotations

import re
import subprocess
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
IGNORE = ".comfyignore"
LARGEST_FILES = 5  # how many of them `summary` names


def project() -> tuple[str, str]:
    """Name and version in pyproject.toml. The tomllib module needs Python 3.11, this does not."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found = [re.search(rf'^{key} = "(.+)"$', text, re.MULTILINE) for key in ("name", "version")]
    if not all(found):
        raise SystemExit("pyproject.toml has no name or no version")
    name, version = (match.group(1) for match in found if match)
    return name, version


def tracked(*words: str) -> list[str]:
    """Paths of the files that git tracks, relative to the repository's root."""
    command = ["git", "ls-files", "-z", "--cached", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return [path for path in done.stdout.decode().split("\0") if path]


def packaged() -> list[str]:
    """The tracked files that belong in the archive, sorted."""
    ignored = tracked("--ignored", f"--exclude-from={IGNORE}")
    present = {path for path in tracked() if (ROOT / path).is_file()}
    return sorted(present - set(ignored) - {IGNORE, ".gitignore"})


def build(folder: Path) -> Path:
    """Writes NAME-VERSION.zip into `folder`. The same files give the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / "{}-{}.zip".format(*project())
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out:
        for path in packaged():
            out.writestr(entry(path), (ROOT / path).read_bytes())
    return archive


def entry(path: str) -> zipfile.ZipInfo:
    """An archive entry without the file's own date, owner and mode."""
    info = zipfile.ZipInfo(path)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info


def summary(archive: Path) -> str:
    """Sizes of the archive and of its largest files."""
    with zipfile.ZipFile(archive) as opened:
        entries = opened.infolist()
    unpacked = sum(info.file_size for info in entries)
    lines = [
        f"{archive.name}: {megabytes(archive.stat().st_size)} with {len(entries)} files, "
        f"{megabytes(unpacked)} unpacked"
    ]
    for info in sorted(entries, key=lambda info: -info.file_size)[:LARGEST_FILES]:
        lines.append(f"  {megabytes(info.file_size)}  {info.filename}")
    return "\n".join(lines)


def megabytes(size: int) -> str:
    return f"{size / 1e6:.2f} MB"
