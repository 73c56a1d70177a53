"""How a loop of passes ended, as data. People read the values; code compares the members."""

from enum import Enum


class Status(str, Enum):
    """Why the loop stopped. A saved workflow and `result.json` hold the value."""

    COMPLETED = "completed"  # nothing is left to paint
    NOTHING_TO_COMPLETE = "nothing to complete"  # nothing was to paint in the first pass
    UNCHANGED = "unchanged"  # the last pass left the amodal mask as it was
    NOT_FOUND_AGAIN = "not found again"  # the segmenter did not find the object after a pass
    STOPPED_AT_CAP = "stopped at cap"  # still occluded after the largest number of passes

    @property
    def is_done(self) -> bool:
        """Is nothing left to paint?"""
        return self in (Status.COMPLETED, Status.NOTHING_TO_COMPLETE)


class LoopWarning(str, Enum):
    """What a person should know about a result, whatever its status."""

    ENCLOSED = "enclosed"  # surrounded: nothing shows how far the object reaches (Figure 10)
    NOTHING_LEFT = "nothing left to paint"  # still occluded, but the inpaint mask is empty
    JOINED = "joined"  # an occluder had split the object; the part beyond it was taken too
