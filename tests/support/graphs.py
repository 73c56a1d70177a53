"""Small prompts in API format."""


def node(class_type: str, title: str | None = None, **inputs) -> dict:
    return {"class_type": class_type, "inputs": inputs, "_meta": {"title": title or class_type}}


def swap(picture: str, mask: str, **changes) -> dict:
    """Swap Background on an uploaded picture; `changes` go to that node."""
    return {
        "1": node("LoadImage", "Picture", image=picture),
        "2": node("LoadImageMask", image=mask, channel="red"),
        "3": node(
            "AmodalSwapBackground",
            image=["1", 0],
            modal_mask=["2", 0],
            **{"background": "gray", "seed": 0, **changes},
        ),
        "4": node("SaveImage", "Completed object", images=["3", 0], filename_prefix="swapped"),
    }


def toy(status: str = "completed") -> dict:
    """A workflow without models, with the titles that the command line looks for.

    It replaces everything outside the object with noise.
    """
    return {
        "1": node("LoadImage", "Picture", image="none.png"),
        "2": node("AmodalPickObject", "Pick the object", point="", words="", index=-1),
        "3": node("PrimitiveInt", "Seed", value=0),
        "4": node("StringReplace", "Prompt", string="a {label}", find="{label}", replace="dog"),
        "5": node(
            "AmodalSwapBackground",
            image=["1", 0],
            modal_mask=["2", 0],
            background="noise",
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


EXAMPLE = "amodal_example_cat.png"  # in the host's input folder, 128x128


def picking(**changes) -> dict:
    """Detection and choice on the example picture; `changes` go to Pick Object."""
    return {
        "1": node("LoadImage", "Picture", image=EXAMPLE),
        "2": node("AmodalStickerSegmenter"),
        "3": node(
            "AmodalDetectObjects", image=["1", 0], segmenter=["2", 0], words="", threshold=0.5
        ),
        "4": node(
            "AmodalPickObject",
            "Pick the object",
            objects=["3", 0],
            **{"point": "", "words": "", "index": -1, "occluder_hints": "", **changes},
        ),
        "5": node("MaskPreview", mask=["4", 0]),
    }


def growing(target: int = 80, step: int = 10) -> dict:
    """A loop without models: each pass grows a square until it fills a larger one.

    The result is cut out of the example picture.
    """

    def square(key: str, side: int) -> dict:
        edge = (128 - side) // 2
        return {
            f"{key}1": node("SolidMask", value=1.0, width=side, height=side),
            key: node(
                "MaskComposite",
                destination=["7", 0],
                source=[f"{key}1", 0],
                x=edge,
                y=edge,
                operation="add",
            ),
        }

    return {
        "1": node("LoadImage", "Picture", image=EXAMPLE),
        "7": node("SolidMask", value=0.0, width=128, height=128),
        **square("20", 40),
        **square("30", target),
        "2": node("AmodalLoopStart", image=["1", 0], modal_mask=["20", 0]),
        "3": node(
            "MaskComposite",
            destination=["30", 0],
            source=["2", 2],
            x=0,
            y=0,
            operation="subtract",
        ),
        "4": node(
            "AmodalCheckOcclusion",
            occluder_mask=["3", 0],
            padding_mask=["7", 0],
            modal_mask=["2", 2],
            dilate=0.0,
        ),
        "10": node("GrowMask", mask=["2", 2], expand=step, tapered_corners=False),
        "11": node(
            "MaskComposite",
            destination=["4", 0],
            source=["10", 0],
            x=0,
            y=0,
            operation="multiply",
        ),
        "12": node(
            "MaskComposite", destination=["2", 2], source=["11", 0], x=0, y=0, operation="add"
        ),
        "5": node(
            "AmodalLoopEnd",
            loop=["2", 0],
            occluded=["4", 1],
            occlusion=["4", 2],
            image=["2", 1],
            amodal_mask=["12", 0],
            canvas=["2", 3],
            max_passes=6,
        ),
        "6": node(
            "AmodalTrimAndOverlay",
            image=["5", 0],
            amodal_mask=["5", 1],
            canvas=["5", 2],
            original_image=["1", 0],
            edge=1.5,
            softness=0.002,
        ),
        "13": node("PreviewImage", images=["6", 3]),
        "14": node("PreviewAny", "Status", source=["5", 3]),
    }


def nested(target: int = 80) -> dict:
    """`growing` as a loop of one pass in the body of another: Loop End 25 within Loop End 5."""
    prompt = growing(target)
    inner = {"2": "22", "3": "23", "4": "24", "10": "210", "11": "211", "12": "212", "5": "25"}
    for name, clone in inner.items():
        inputs = {
            key: [inner[value[0]], value[1]]
            if isinstance(value, list) and value[0] in inner
            else value
            for key, value in prompt[name]["inputs"].items()
        }
        prompt[clone] = {**prompt[name], "inputs": inputs}
    prompt["22"]["inputs"] = {"image": ["2", 1], "modal_mask": ["2", 2], "canvas": ["2", 3]}
    prompt["25"]["inputs"]["max_passes"] = 1
    prompt["5"]["inputs"].update(image=["25", 0], amodal_mask=["25", 1], canvas=["25", 2])
    return {name: each for name, each in prompt.items() if name not in ("10", "11", "12")}


def selecting() -> dict:
    """Two clusters, a square with the object in it and the rest, over the example picture."""
    return {
        "1": node("LoadImage", "Picture", image=EXAMPLE),
        "2": node("SolidMask", value=0.0, width=128, height=128),
        "3": node("SolidMask", value=1.0, width=64, height=64),
        "4": node(
            "MaskComposite", destination=["2", 0], source=["3", 0], x=32, y=32, operation="add"
        ),
        "5": node("InvertMask", mask=["4", 0]),
        "6": node("MaskToImage", mask=["4", 0]),
        "7": node("MaskToImage", mask=["5", 0]),
        "8": node("ImageBatch", image1=["6", 0], image2=["7", 0]),
        "9": node("ImageToMask", image=["8", 0], channel="red"),
        "10": node(
            "AmodalSelectClusters",
            clusters=["9", 0],
            modal_mask=["4", 0],
            inpaint_mask=["4", 0],
            overlap=0.2,
            image=["1", 0],
        ),
        "11": node("MaskPreview", mask=["10", 0]),
    }


def one_node(**changes) -> dict:
    """Amodal Completion on the example picture, in few steps; `changes` go to that node."""
    return {
        "1": node("LoadImage", "Picture", image=EXAMPLE),
        "2": node("AmodalStickerCheckpoint"),
        "3": node("AmodalStickerSegmenter"),
        "4": node("AmodalStickerOrder"),
        "5": node(
            "AmodalCompletion",
            model=["2", 0],
            clip=["2", 1],
            vae=["2", 2],
            segmenter=["3", 0],
            order_model=["4", 0],
            image=["1", 0],
            **{
                "point": "",
                "words": "cat",
                "prompt": "a photo of a {label}",
                "negative": "",
                "seed": 1,
                "count": 2,
                "steps": 4,
                "k": 2.0,
                "cfg": 2.5,
                "mask_rule": "known background",
                "size": 128,
                "max_passes": 1,
                "context": 0.5,
                "occluder_hints": "",
                **changes,
            },
        ),
        "6": node("PreviewImage", images=["5", 0]),
    }


def whole(**changes) -> dict:
    """Amodal Completion on the example picture, with the embedded models; `changes`
    go to that node."""
    settings = {"seed": 1, "steps": 2, "k": 1.0, "cfg": 2.5, "mask_rule": "known background"}
    return {
        "1": node("AmodalStickerCheckpoint"),
        "2": node("AmodalStickerSegmenter"),
        "3": node("AmodalStickerOrder"),
        "4": node("LoadImage", "Picture", image=EXAMPLE),
        "5": node(
            "AmodalCompletion",
            model=["1", 0],
            clip=["1", 1],
            vae=["1", 2],
            segmenter=["2", 0],
            order_model=["3", 0],
            image=["4", 0],
            **{"point": "", "words": "", "size": 128, "max_passes": 1, **settings, **changes},
        ),
        "6": node("SaveImage", images=["5", 0], filename_prefix="whole"),
    }


def empty_cache(client) -> None:
    """Or nodes that the test before this one ran are cached, and tell the widgets nothing.

    The host frees between two prompts; asked while it still tidies up after the last one, it does
    so only after the next. That is a small one of our own.
    """
    client.post("/free", {"free_memory": True})
    client.run(
        {
            "1": node("EmptyImage", width=8, height=8, batch_size=1, color=0),
            "2": node("PreviewImage", images=["1", 0]),
        }
    )
