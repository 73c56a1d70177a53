"""Section 3.4, before painting: padding, zoom, mask analysis."""


def analysed(node, source, start) -> dict:
    """Section 3.4: padding, zoom, mask analysis, and whether anything is left to paint."""
    pad, crop = zoomed(node, source, start)
    found = node("AmodalDetectObjects", image=crop.out(0), segmenter=source["segmenter"], words="")
    order = node(
        "AmodalOrderObjects",
        image=crop.out(0),
        objects=found.out(0),
        order_model=source["order_model"],
        mask=crop.out(1),
        reach=0.03,
    )
    occluders = node(
        "AmodalSelectOccluders",
        image=crop.out(0),
        objects=order.out(1),
        order=order.out(0),
        mask=crop.out(1),
        threshold=0.5,
        front=source.get("front"),
        behind=source.get("behind"),
        crop=crop.out(3),
        picture=source["image"],
    )
    check = node(
        "AmodalCheckOcclusion",
        occluders=occluders.out(0),
        beyond=crop.out(2),
        mask=crop.out(1),
        touching=pad.out(4),
        names=occluders.out(1),
        sides=pad.out(5),
        grow=0.03,
    )
    return {"crop": crop, "occluders": occluders, "check": check, "inpaint": check.out(0)}


def zoomed(node, source, start) -> tuple:
    """Section 3.4: padding on the touched sides, and the crop around the object."""
    pad = node(
        "AmodalPadIfTouching",
        mask=start.out(2),
        canvas=start.out(3),
        amount=0.5,
        margin=2,
    )
    sides = {side: pad.out(i) for i, side in enumerate(("left", "top", "right", "bottom"))}
    crop = node(
        "AmodalCropToObject",
        image=start.out(1),
        mask=start.out(2),
        canvas=start.out(3),
        **sides,
        size=source["size"],
        context=source.get("context", 0.3),
    )
    return pad, crop
