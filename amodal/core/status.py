"""How a completion ended and what it warns of, as codes that nodes, files and programs share."""

from enum import Enum


class Status(str, Enum):
    """How the loop of passes ended (section 3.4).

    The value is what the nodes Loop End and Amodal Completion give as `status`.
    """

    COMPLETED = "completed"
    NOTHING_TO_COMPLETE = "nothing to complete"
    UNCHANGED = "unchanged"  # the last pass did not change the amodal mask
    NOT_FOUND_AGAIN = "not found again"  # the segmenter lost the object in the inpainted picture
    STOPPED_AT_CAP = "stopped at cap"  # still occluded after the largest number of passes

    __str__ = str.__str__  # the value, in f-strings as well

    @property
    def is_done(self) -> bool:
        """Whether nothing hides the object any more."""
        return self in (Status.COMPLETED, Status.NOTHING_TO_COMPLETE)


class LoopWarning(str, Enum):
    """A reason to check the result of a loop by eye.

    The value is what the nodes give in `warnings`, several of them separated by commas.
    """

    ENCLOSED = "enclosed"  # something surrounds the object: nothing shows how far it reaches
    NOTHING_LEFT = "nothing left to paint"  # still occluded, but the inpaint mask is empty

    __str__ = str.__str__
