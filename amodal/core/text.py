"""Text: lists that people type, and text that leaves the pack, encodable and never a formula."""

import re


def encodable(text: str) -> str:
    """The text with lone surrogates, which no encoding takes, as backslash escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def listed(text: str) -> list[str]:
    """['a', 'b c', '0.5'] from 'a, b c, 0.5', or from one entry in each line."""
    return [entry.strip() for entry in re.split(r"[,\n]", text) if entry.strip()]


def csv_cell(text: str) -> str:
    """A text for a cell of a CSV file. A quote keeps spreadsheets from reading it as a formula."""
    text = encodable(text)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
