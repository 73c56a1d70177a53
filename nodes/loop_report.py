"""The passes of a loop in words and pictures, for people."""

from ..amodal.core import visualize
from ..amodal.core.status import Status
from ..amodal.core.types import OcclusionReport
from ..amodal.method.loop import describe
from . import progress, ui


def report_of(entry: dict) -> OcclusionReport:
    """The occlusion report of a history entry; JSON has lists in place of tuples."""
    fields = entry["occlusion"]
    return OcclusionReport(
        **{
            **fields,
            **{name: tuple(fields[name]) for name in ("occluders", "surrounding", "sides")},
        }
    )


def line_of(entry: dict) -> str:
    """A history entry in words, for people."""
    took = "cached" if entry["seconds"] is None else f"{entry['seconds']:.1f} s"
    change = f"mask changed {entry['change']:.1%}" if entry["found"] else "object not found again"
    return f"pass {entry['pass']}: {describe(report_of(entry))}; {change}; {took}"


def film_frame(
    hidden,
    number: int,
    cap: int,
    occlusion: OcclusionReport,
    line: str,
    after,
    status: Status | None = None,
    codes: str = "",
) -> dict:
    """One picture of the film that the editor shows on the node that holds the loop.

    `after` is (canvas image, mask) after the pass, or None at the loop's end.
    """
    picture = ui.saved(visualize.thumbnail(*after), "pass") if after else None
    frame = ui.entry(
        hidden,
        loop=progress.loop_of(ui.node_id()),
        number=number,
        of=cap,
        reason=describe(occlusion),
        line=line,
        status=status and status.value,
        done=bool(status and status.is_done),
        warnings=codes,
        image=picture,
    )
    return {"amodal_pass": [ui.tell("amodal.pass", frame)]}
