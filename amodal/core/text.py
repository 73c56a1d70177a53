"""Text that leaves the pack: always encodable, and never a formula in a spreadsheet."""


def encodable(text: str) -> str:
    """The text with lone surrogates, which no encoding takes, as backslash escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def csv_cell(text: str) -> str:
    """A text for a cell of a CSV file. A quote keeps spreadsheets from reading it as a formula."""
    text = encodable(text)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
