"""Section 3.4, after painting: amodal mask, paste, the loop's end, the cut-out."""


def finished(node, source, start, view, painted) -> dict:
    """Segment the result, paste it back, close the loop, and cut the object out."""
    amodal, pasted = placed(node, source, start, view, painted)
    end = node(
        "AmodalLoopEnd",
        loop=start.out(0),
        occluded=view["check"].out(1),
        reason=view["check"].out(2),
        image=pasted.out(0),
        mask=pasted.out(1),
        canvas=pasted.out(2),
        max_passes=source["max_passes"],
        found=amodal.out(2),
    )
    result = cut_out(node, source, end)
    return {
        **result,
        "status": end.out(3),
        "passes": end.out(4),
        "report": end.out(5),
    }


def placed(node, source, start, view, painted) -> tuple:
    """Section 3.4, the pass' result: the amodal mask, and the canvas with what was painted."""
    amodal = node(
        "AmodalSegmentObject",
        image=painted.out(0),
        segmenter=source["segmenter"],
        mask=view["crop"].out(1),
        inpaint=view["inpaint"],
        label=source["label"],
        floor=0.3,
        reach=0.1,
    )
    pasted = node(
        "AmodalPasteBack",
        image=start.out(1),
        mask=start.out(2),
        crop=view["crop"].out(3),
        completed=painted.out(0),
        amodal=amodal.out(0),
        inpaint=view["inpaint"],
        feather=0.01,
    )
    return amodal, pasted


def cut_out(node, source, canvas) -> dict:
    """The result, from a node that gives image, mask and canvas."""
    result = node(
        "AmodalTrimAndOverlay",
        image=canvas.out(0),
        mask=canvas.out(1),
        canvas=canvas.out(2),
        picture=source["image"],
        edge=1.5,
    )
    return {
        "object": result.out(0),
        "amodal": result.out(2),
        "overlay": result.out(3),
        "x": result.out(4),
        "y": result.out(5),
        "offset": result.out(6),
    }
