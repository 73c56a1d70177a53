"""The report of a run over photographs: a table, the pictures, and what took how long."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from amodal.app.doctor import GB, Host

STAGES = 12  # the longest ones are listed


def write(out: Path, host: Host, command: str, records: list[dict]) -> Path:
    """Writes report.md into a folder. records: see `tools.photographs.__main__`."""
    versions = ", ".join(f"{name} {version}" for name, version in host.versions.items())
    free = ", ".join(f"{name} {size / GB:.1f} GB" for name, size in host.free.items())
    parts = ["# Photographs", f"`{command}`", f"{versions}. Free at the beginning: {free}.", ""]
    for name in dict.fromkeys(record["workflow"] for record in records):
        mine = [record for record in records if record["workflow"] == name]
        parts += [f"## {name}", summary(mine), pictures(mine), *stages(mine)]
    path = out / "report.md"
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return path


def summary(records: list[dict]) -> str:
    """How many pictures ended how, and how long one took."""
    counts: dict[str, int] = {}
    for record in records:
        counts[record["status"]] = counts.get(record["status"], 0) + 1
    ended = ", ".join(f"{count} {status}" for status, count in counts.items())
    times = [record["seconds"] for record in records if record["seconds"] is not None]
    long = f"; median {median(times):.1f} s, longest {max(times):.1f} s" if times else ""
    return f"{len(records)} photographs: {ended}{long}."


def pictures(records: list[dict]) -> str:
    """A table with a row for each photograph."""
    rows = ["| photograph | in its picture | object | status | seconds |", "|---|---|---|---|---|"]
    for record in records:
        shown = [
            f'<img src="{file}" height="160">' if file else ""
            for file in (record["picture"], record["overlay"], record["completed"])
        ]
        seconds = "" if record["seconds"] is None else f"{record['seconds']:.1f}"
        status = " ".join([record["status"], record["words"]]).replace("|", "/").strip()
        rows.append(f"| {' | '.join([*shown, status, seconds])} |")
    return "\n".join(rows)


def stages(records: list[dict]) -> list[str]:
    """Seconds and memory of the stages: the median and the largest of all photographs."""
    seconds: dict[str, list[float]] = {}
    peaks: dict[str, dict[str, int]] = {}
    for record in records:
        for stage, took in record["by_stage"].items():
            seconds.setdefault(stage, []).append(took)
        for stage, used in record["peaks"].items():
            kept = peaks.setdefault(stage, {})
            for device, size in used.items():
                kept[device] = max(size, kept.get(device, 0))
    if not seconds:
        return []
    devices = sorted({device for used in peaks.values() for device in used})
    head = ["stage", "seconds (median)", *(f"{device}, GB at most" for device in devices)]
    rows = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    longest = sorted(seconds, key=lambda stage: -median(seconds[stage]))[:STAGES]
    for stage in longest:
        used = [f"{peaks.get(stage, {}).get(device, 0) / GB:.2f}" for device in devices]
        rows.append(f"| {' | '.join([stage, f'{median(seconds[stage]):.2f}', *used])} |")
    return ["\n".join(rows)]
