"""Which level of the model's features is clustered (section 3.5, figure 9)."""

from ..core.errors import BadInput
from ..core.text import whole_number

PAPER = "paper"  # in a list of levels: the paper's
LAST = "last"  # the finest


def levels_of(text: str, depth: int) -> list[int]:
    """Levels 1 (deepest) to `depth` from a text such as "paper", "last", "3" or "2, 3".

    Raises BadInput for anything else, and for a level that a model of this depth does not have.
    """
    named = {PAPER: paper_level(depth), LAST: depth}
    words = text.lower().replace(",", " ").split()
    levels = sorted({named.get(word) or whole_number(word) or 0 for word in words})
    if not levels or levels[0] < 1:
        raise BadInput(
            "levels",
            f"is '{text}'",
            f"give '{PAPER}', '{LAST}', or numbers from 1 (deepest), such as 3 or 2, 3",
        )
    if levels[-1] > depth:
        raise BadInput(
            "levels",
            f"asks for {levels[-1]} of {depth}",
            f"this model has the levels 1 (deepest) to {depth}; '{PAPER}' takes the last but one",
        )
    return levels


def paper_level(depth: int) -> int:
    """The level that stands for the paper's in a model of `depth` levels: the last but one.

    The paper's is the third of Stable Diffusion 2's four (section 3.5, figure 9). Its last level,
    next to the output, holds colours and edges rather than objects; so does the last of a model
    with fewer levels, such as the third of SDXL's three.
    """
    return max(1, depth - 1)
