"""The names of objects: as a person writes them, and as a prompt needs them."""

import re

# Between names: comma, full stop, semicolon and bar in ASCII and in full width, ideographic comma
# and full stop in both widths, and every line end.
SEPARATOR = (
    "[,.;|\uff0c\uff0e\uff1b\uff5c\u3001\u3002\uff64\uff61\n\r\v\f\x1c-\x1e\x85\u2028\u2029]"
)
UNNAMED = "single object"  # in the prompt, for an object without a label: "a photo of a ..."


def as_words(text: str) -> list[str]:
    """The names ['a', 'b c'] in 'a, b c', 'a . b c .' or any text with a SEPARATOR between them."""
    parts = (" ".join(part.split()) for part in re.split(SEPARATOR, text))
    return [name for name in parts if name]


def plain(name: str) -> str:
    """A name in lower case and with single spaces, to compare it."""
    return " ".join(name.lower().split())


def name_in_prompt(label: str) -> str:
    """The label, or UNNAMED for none and for those that `detections.from_masks` gives out."""
    return UNNAMED if re.fullmatch(r"\s*(object \d+)?", label) else label
