"""Small prompts in API format."""


def node(class_type: str, title: str | None = None, **inputs) -> dict:
    return {"class_type": class_type, "inputs": inputs, "_meta": {"title": title or class_type}}


def swap(picture: str, mask: str, **changes) -> dict:
    """Swap Background on an uploaded picture; `changes` go to that node."""
    return {
        "1": node("LoadImage", "Picture", image=picture),
        "2": node("LoadImageMask", image=mask, channel="red"),
        "3": node(
            "AmodalSwapBackground", image=["1", 0], mask=["2", 0],
            **{"background": "gray", "seed": 0, **changes},
        ),
        "4": node("SaveImage", "Completed object", images=["3", 0], filename_prefix="swapped"),
    }


def toy(status: str = "completed: nothing hides it") -> dict:
    """A workflow with the titles that the command line looks for, and no model: it grays what is
    not the object."""
    return {
        "1": node("LoadImage", "Picture", image="none.png"),
        "2": node("AmodalPickObject", "Pick the object", point="", words="", index=-1),
        "3": node("PrimitiveInt", "Seed", value=0),
        "4": node("StringReplace", "Prompt", string="a {label}", find="{label}", replace="dog"),
        "5": node(
            "AmodalSwapBackground", image=["1", 0], mask=["2", 0], background="noise",
            seed=["3", 0],
        ),
        "6": node("MaskToImage", mask=["2", 0]),
        "7": node("SaveImage", "Completed object", images=["5", 0], filename_prefix="a"),
        "8": node("SaveImage", "Amodal mask", images=["6", 0], filename_prefix="b"),
        "9": node("PreviewImage", "Overlay", images=["1", 0]),
        "10": node("PreviewAny", "Report", source=["4", 0]),
        "11": node("PrimitiveString", value=status),
        "12": node("PreviewAny", "Status", source=["11", 0]),
        "13": node("PreviewAny", "Passes", source=["3", 0]),
    }
