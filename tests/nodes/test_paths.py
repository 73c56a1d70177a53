"""Windows can check out every tracked file: length, case, reserved names and characters."""

import re

import pytest

from tools.package.archive import ROOT, tracked

LONGEST = 120  # characters below the root; Windows stops at 260 with the folders above
RESERVED = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{port}{number}" for port in ("com", "lpt") for number in range(10)),
}
FORBIDDEN = re.compile(r'[<>:"|?*\\\x00-\x1f]|[. ]$')


def faults(paths: list[str]) -> list[str]:
    """What Windows would refuse: one line for each fault."""
    found = [f"{path}: {len(path)} characters" for path in paths if len(path) > LONGEST]
    spelt: dict[str, str] = {}
    for name in sorted({part for path in paths for part in prefixes(path)}):
        last = name.rpartition("/")[2]
        if last.partition(".")[0].strip().lower() in RESERVED:
            found.append(f"{name}: a reserved name")
        if FORBIDDEN.search(last):
            found.append(f"{name}: a character that Windows forbids")
        if spelt.setdefault(name.lower(), name) != name:
            found.append(f"{name}: differs from {spelt[name.lower()]} in case alone")
    return found


def prefixes(path: str) -> list[str]:
    """The path and the folders above it: "a/b/c" -> ["a", "a/b", "a/b/c"]."""
    parts = path.split("/")
    return ["/".join(parts[: end + 1]) for end in range(len(parts))]


def test_every_tracked_path_is_one_that_windows_takes():
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    paths = tracked()
    assert len(paths) > 100
    assert faults(paths) == []


@pytest.mark.parametrize(
    ("paths", "fault"),
    [
        (["a/" + "b" * 119], "121 characters"),
        (["a/Con.py"], "a reserved name"),
        (["lpt1/a.py"], "a reserved name"),
        (["a/what?.md"], "a character that Windows forbids"),
        (["folder./a.py"], "a character that Windows forbids"),
        (["a/b ", "c"], "a character that Windows forbids"),
        (["a/Read.md", "a/read.md"], "a/read.md: differs from a/Read.md in case alone"),
        (["Docs/a.md", "docs/b.md"], "docs: differs from Docs in case alone"),
    ],
)
def test_faults_are_found(paths, fault):
    (line,) = faults(paths)
    assert line.endswith(fault)
