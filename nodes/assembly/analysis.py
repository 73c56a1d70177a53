"""Section 3.4, before painting: padding, zoom, mask analysis."""

SHADOWS = ("keep", "remove from the ground", "remove from ground and object")


def analysed(node, source, start) -> dict:
    """Padding, zoom and mask analysis, and whether anything is left to paint (section 3.4)."""
    refined = kept_in_bound(node, source, start, refined_mask(node, source, start))
    padding, crop = zoomed(node, source, start, refined.out(0))
    select, objects = occluders(node, source, crop)
    shadows = found_shadows(node, source, crop, select)
    check = node(
        "AmodalCheckOcclusion",
        occluder_mask=select.out(0),
        padding_mask=crop.out(2),
        modal_mask=select.out(3),
        occlusion=select.out(1),
        padding=padding.out(0),
        **bound_of(source.get("upper_bound"), crop),
        **painted_of(source, crop),
        **shadow_mask_of(shadows),
    )
    return {
        "canvas_mask": refined.out(0),
        "upper_bound": None if source.get("upper_bound") is None else refined.out(1),
        "crop": crop,
        "objects": objects,
        "occluders": select,
        "modal_mask": select.out(3),
        "shadows": shadows,
        "relit": source.get("shadows") == SHADOWS[2],
        "check": check,
        "inpaint_mask": check.out(0),
    }


def found_shadows(node, source, crop, select):
    """The occluders' shadows and reflections, where the source asks to remove them; else None."""
    if source.get("shadows", SHADOWS[0]) == SHADOWS[0]:
        return None
    return node(
        "AmodalFindShadows",
        image=crop.out(0),
        modal_mask=select.out(3),
        occluder_mask=select.out(0),
        padding_mask=crop.out(2),
        occlusion=select.out(1),
        segmenter=source["segmenter"],
        relight=source["shadows"] == SHADOWS[2],
    )


def shadow_mask_of(shadows) -> dict:
    """The input of a stage that removes shadows with the occluders."""
    return {"shadow_mask": shadows.out(0)} if shadows else {}


def seen(view):
    """The crop's picture, in which the object may be relit."""
    return view["shadows"].out(2) if view.get("relit") else view["crop"].out(0)


def kept_in_bound(node, source, start, refined):
    """The refined mask, which grows only within the source's upper bound, if it has one."""
    if source.get("upper_bound") is None:
        return refined
    return node(
        "AmodalKeepInBound",
        mask=refined.out(0),
        before=start.out(2),
        upper_bound=source["upper_bound"],
        canvas=start.out(3),
    )


def bound_of(bound, crop) -> dict:
    """The inputs that limit a stage to an upper bound, if there is one."""
    return {} if bound is None else {"upper_bound": bound, "crop": crop.out(3)}


def painted_of(source, crop) -> dict:
    """What tells a stage which pixels earlier passes painted; only an upper bound asks for it."""
    if source.get("upper_bound") is None:
        return {}
    return {"image": crop.out(0), "original_image": source["image"]}


def refined_mask(node, source, start):
    """The object's mask on the canvas, asked for again near the object."""
    return node(
        "AmodalRefineModalMask",
        image=start.out(1),
        modal_mask=start.out(2),
        segmenter=source["segmenter"],
        label=source["label"],
        canvas=start.out(3),
        edges=source.get("edges", True),
    )


def zoomed(node, source, start, modal_mask=None) -> tuple:
    """Padding on the touched sides, and the crop around the object (Loop Start's by default)."""
    modal_mask = modal_mask or start.out(2)
    padding = node(
        "AmodalPadIfTouching",
        modal_mask=modal_mask,
        canvas=start.out(3),
    )
    crop = node(
        "AmodalCropToObject",
        image=start.out(1),
        modal_mask=modal_mask,
        canvas=start.out(3),
        padding=padding.out(0),
        context=source.get("context", 0.3),
        size=source["size"],
        shape=source.get("shape", "square"),
        largest=source.get("largest", 0),
    )
    return padding, crop


def occluders(node, source, crop) -> tuple:
    """Who hides the object in the crop: order model, inpainted contacts, hints, selection.

    Returns the selecting node, and a link to the objects of the crop.
    """
    image, modal_mask = crop.out(0), crop.out(1)
    objects = node(
        "AmodalDetectObjects",
        image=image,
        segmenter=source["segmenter"],
        words=source.get("sought", ""),
        add_known=True,
    ).out(0)
    order = node(
        "AmodalOrderObjects",
        image=image,
        objects=objects,
        order_model=source["order_model"],
        modal_mask=modal_mask,
    )
    contacts = node(
        "AmodalOrderInpaintedContacts",
        objects=order.out(1),
        order=order.out(0),
        modal_mask=modal_mask,
        image=image,
        original_image=source["image"],
        crop=crop.out(3),
    )
    hints = node(
        "AmodalApplyOccluderHints",
        objects=order.out(1),
        order=contacts.out(0),
        modal_mask=modal_mask,
        front_hint=source.get("front_hint"),
        behind_hint=source.get("behind_hint"),
        crop=crop.out(3),
    )
    select = node(
        "AmodalSelectOccluders",
        image=image,
        objects=hints.out(1),
        order=hints.out(0),
        modal_mask=modal_mask,
    )
    return select, hints.out(1)
