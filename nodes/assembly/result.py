"""Section 3.4, after painting: amodal mask, paste, the loop's end, the cut-out."""

from .analysis import bound_of, seen


def finished(node, source, start, view, painted, background=None) -> dict:
    """Segment the result, paste it back, close the loop, and cut the object out.

    background: what lies behind the object where `painted` shows it alone.
    """
    segmented, pasted = placed(node, source, start, view, painted, background)
    end = node(
        "AmodalLoopEnd",
        loop=start.out(0),
        occluded=view["check"].out(1),
        occlusion=view["check"].out(2),
        image=pasted.out(0),
        amodal_mask=pasted.out(1),
        canvas=pasted.out(2),
        max_passes=source["max_passes"],
        found=segmented.out(2),
        modal_mask=view["canvas_mask"],
        joined=segmented.out(3),
    )
    return {
        **cut_out(node, source, end),
        "status": end.out(3),
        "passes": end.out(4),
        "report": end.out(5),
        "warnings": end.out(6),
    }


def placed(node, source, start, view, painted, background=None) -> tuple:
    """The result of a pass: the amodal mask, and the canvas with what was painted.

    background: as in `finished`. A view without mask analysis (a baseline) has no objects, and
    Loop Start's mask.
    """
    segmented = node(
        "AmodalSegmentObject",
        image=painted.out(0),
        segmenter=source["segmenter"],
        modal_mask=view["modal_mask"],
        inpaint_mask=view["inpaint_mask"],
        label=source["label"],
        objects=view.get("objects"),
        **bound_of(view.get("upper_bound", source.get("upper_bound")), view["crop"]),
    )
    completed = painted.out(0)
    if background is not None:
        completed = node(
            "ImageCompositeMasked",
            "InPlace",
            destination=background.out(0),
            source=completed,
            mask=segmented.out(0),
            x=0,
            y=0,
            resize_source=False,
        ).out(0)
    replaced = view["inpaint_mask"]
    if view.get("relit"):
        completed, replaced = with_relit(node, view, completed)
    pasted = node(
        "AmodalPasteBack",
        image=start.out(1),
        modal_mask=view.get("canvas_mask", start.out(2)),
        crop=view["crop"].out(3),
        completed=completed,
        amodal_mask=segmented.out(0),
        inpaint_mask=replaced,
        match_colours=source.get("match_colours", 0.0),
    )
    return segmented, pasted


def with_relit(node, view, completed) -> tuple:
    """(picture, mask): what was painted and the object's relit surface, and where they go."""
    shade = view["shadows"].out(1)
    both = node(
        "ImageCompositeMasked",
        "Relit",
        destination=completed,
        source=seen(view),
        mask=shade,
        x=0,
        y=0,
        resize_source=False,
    )
    where = node(
        "MaskComposite",
        "Replaced",
        destination=view["inpaint_mask"],
        source=shade,
        x=0,
        y=0,
        operation="or",
    )
    return both.out(0), where.out(0)


def cut_out(node, source, canvas) -> dict:
    """The result, from a node that gives image, amodal mask and canvas."""
    result = node(
        "AmodalTrimAndOverlay",
        image=canvas.out(0),
        amodal_mask=canvas.out(1),
        canvas=canvas.out(2),
        original_image=source["image"],
    )
    return {
        "object": result.out(0),
        "amodal_mask": result.out(2),
        "overlay": result.out(3),
        "x": result.out(4),
        "y": result.out(5),
        "offset": result.out(6),
    }
