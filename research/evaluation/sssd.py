"""SSSD (Zhan et al., CVPR 2020) as a rewiring of the shipped workflow: a rival of Table 1.

PCNet-M orders the objects of the whole picture and completes the object's mask under everything in
front of it; PCNet-C fills what the mask has gained. One step, no diffusion, and nothing beyond the
picture's border. The nets are a small pair trained on stickers (`training.sssd`), not the authors'.
Detection, the modal mask, the filled background and the result's nodes are those of the other
methods; without that background, the occluder itself would count as a spurious object.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).with_name("sssd")
DILATE = 0.0  # of what stands in front: masks from the segmenter leave gaps
MASKS, CONTENT = "stickers_pcnet_m.safetensors", "stickers_pcnet_c.safetensors"


def rewire(wiring) -> None:
    """Changes a wired prompt (`methods.Wiring`): one pass by SSSD's nets on the whole picture."""
    put_files()
    start = wiring.ids["start"]
    image, modal, canvas = ([start, output] for output in (1, 2, 3))
    masks = wiring.add("mask_model", "AmodalLoadMaskModel", file=MASKS)
    content = wiring.add("content_model", "AmodalLoadContentModel", file=CONTENT)
    order = wiring.add(
        "order",
        "AmodalOrderObjects",
        image=image,
        objects=wiring.inputs("pick")["objects"],
        order_model=masks,
        modal_mask=modal,
        max_gap=0.03,
    )
    wiring.inputs("select").update(
        image=image, objects=[order[0], 1], order=order, modal_mask=modal
    )
    nothing = wiring.add(
        "nothing", "MaskComposite", destination=modal, source=modal, x=0, y=0, operation="subtract"
    )
    check = wiring.inputs("check")
    check.update(padding_mask=nothing, modal_mask=modal, dilate=DILATE)
    del check["padding"]
    amodal = wiring.add(
        "amodal",
        "AmodalCompleteMask",
        mask_model=[masks[0], 1],
        modal_mask=modal,
        occluder_mask=wiring.link("check"),
        threshold=0.5,
    )
    filled = wiring.add(
        "filled",
        "AmodalFillHiddenPart",
        content_model=content,
        image=image,
        modal_mask=modal,
        amodal_mask=amodal,
    )
    wiring.inputs("remove").update(
        image=image, modal_mask=nothing, occluder_mask=wiring.link("select"), padding_mask=nothing
    )
    placed = wiring.add(
        "placed",
        "ImageCompositeMasked",
        destination=wiring.link("remove"),
        source=filled,
        mask=amodal,
        x=0,
        y=0,
        resize_source=False,
    )
    end = wiring.inputs("end")
    end.update(image=placed, amodal_mask=amodal, canvas=canvas, modal_mask=modal, max_passes=1)
    for name in ("found", "joined"):
        del end[name]


def put_files() -> None:
    """Registers the folder of the small pair with ComfyUI, after the user's own."""
    import folder_paths

    folder_paths.add_model_folder_path("sssd", str(FOLDER))
