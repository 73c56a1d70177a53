"""The models that photographs need: their files, where people get them, and reading what was got.

Nothing is ever downloaded from here, and nothing but tensors is taken from a file.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..core.errors import BadInput


@dataclass(frozen=True)
class Pretrained:
    """A published file. `folder` is below ComfyUI's models folder, `url` where people get it."""

    file: str
    folder: str
    url: str
    size: str
    licence: str
    needed: str  # what for
    without: str  # what works without it
    hint: str = ""  # about the address


DETECTION = "finding objects by words"
BY_HAND = "Objects From Masks takes masks from any other node, or drawn by hand"
MASKS = "the masks of what was found"
REMOVAL = "a textured background behind the removed objects"
SMOOTH = "Remove Objects fills smoothly"
DINO = "https://github.com/IDEA-Research/GroundingDINO/releases/download/"
SAM = "https://dl.fbaipublicfiles.com/segment_anything/"
LAMA = "https://github.com/Sanster/models/releases/download/"
HUB = "https://huggingface.co/"
KNOWN = [
    Pretrained(
        "512-inpainting-ema.safetensors",
        "checkpoints",
        f"{HUB}sd2-community/stable-diffusion-2-inpainting/resolve/main/"
        "512-inpainting-ema.safetensors",
        "5.2 GB",
        "CreativeML Open RAIL++-M",
        "painting what is hidden",
        "any other inpainting checkpoint does, of Stable Diffusion 1.5 or XL too",
        "a mirror; the original was withdrawn",
    ),
    Pretrained(
        "groundingdino_swint_ogc.pth",
        "grounding-dino",
        f"{DINO}v0.1.0-alpha/groundingdino_swint_ogc.pth",
        "0.7 GB",
        "Apache-2.0",
        DETECTION,
        BY_HAND,
    ),
    Pretrained(
        "groundingdino_swinb_cogcoor.pth",
        "grounding-dino",
        f"{DINO}v0.1.0-alpha2/groundingdino_swinb_cogcoor.pth",
        "0.9 GB",
        "Apache-2.0",
        f"{DETECTION}, the larger model",
        BY_HAND,
    ),
    Pretrained(
        "vocab.txt",
        "bert-base-uncased",
        f"{HUB}google-bert/bert-base-uncased/resolve/main/vocab.txt",
        "0.2 MB",
        "Apache-2.0",
        "reading the words, with a GroundingDINO .pth file",
        BY_HAND,
    ),
    Pretrained(
        "sam_vit_h_4b8939.pth",
        "sams",
        f"{SAM}sam_vit_h_4b8939.pth",
        "2.6 GB",
        "Apache-2.0",
        MASKS,
        BY_HAND,
    ),
    Pretrained(
        "sam_vit_l_0b3195.pth",
        "sams",
        f"{SAM}sam_vit_l_0b3195.pth",
        "1.2 GB",
        "Apache-2.0",
        f"{MASKS}, smaller",
        BY_HAND,
    ),
    Pretrained(
        "sam_vit_b_01ec64.pth",
        "sams",
        f"{SAM}sam_vit_b_01ec64.pth",
        "0.4 GB",
        "Apache-2.0",
        f"{MASKS}, smallest",
        BY_HAND,
    ),
    Pretrained(
        "InstaOrder_InstaOrderNet_od.pth.tar",
        "instaorder",
        "https://github.com/POSTECH-CVLab/InstaOrder",
        "3.5 GB as a zip with others",
        "none stated: ask its authors",
        "telling what stands in front",
        "Order From Depth orders objects by any depth picture",
        "its README links InstaOrder_ckpt.zip, which holds the file",
    ),
    Pretrained(
        "big-lama.pt",
        "inpaint",
        f"{LAMA}add_big_lama/big-lama.pt",
        "0.2 GB",
        "Apache-2.0",
        REMOVAL,
        SMOOTH,
    ),
    Pretrained(
        "Places_512_FullData_G.pth",
        "inpaint",
        f"{LAMA}add_mat/Places_512_FullData_G.pth",
        "0.2 GB",
        "CC BY-NC 4.0",
        f"{REMOVAL}; needs the package spandrel_extra_arches",
        SMOOTH,
    ),
]


def named(file: str) -> Pretrained:
    """The published file of this name."""
    return next(one for one in KNOWN if one.file == file)


def known(folder: str) -> list[Pretrained]:
    """The published files that belong in a folder, the usual one first."""
    return [one for one in KNOWN if one.folder == folder]


def missing(file: str, folder: str, input: str = "file", verb: str = "names") -> BadInput:
    """The error for a file that is not there, with everything a person needs to put it there."""
    problem = f"{verb} {file}, which is not in models/{folder} or the extra model paths for it"
    found = next((one for one in known(folder) if one.file == file), None)
    if found is None:
        return BadInput(input, problem, f"put it into models/{folder}, or choose another")
    hint = f" ({found.hint})" if found.hint else ""
    return BadInput(
        input,
        problem,
        f"get {file} ({found.size}) from {found.url}{hint} and put it into models/{folder}; "
        f"nothing is downloaded by itself. Without it: {found.without}",
    )


def foreign(file: str, what: str, why: str, input: str = "file") -> BadInput:
    """The error for a file that can be read but holds something else than `what`."""
    return BadInput(
        input, f"names {file}, which is no {what} ({why})", f"choose the file of {a(what)} {what}"
    )


def a(word: str) -> str:
    return "an" if word[0].lower() in "aeiou" else "a"


def load_into(net, state: dict, file: str, what: str, input: str = "file"):
    """Load a state dict, every key of it; BadInput where the file is of another model."""
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        raise foreign(file, what, " ".join(str(error).split())[:160], input) from error
    return net.eval().requires_grad_(False)


def without_prefix(state: dict, prefix: str = "module.") -> dict:
    """The state dict of a net that was saved inside of a parallel or other wrapper."""
    if not state or not all(name.startswith(prefix) for name in state):
        return state
    return {name[len(prefix) :]: value for name, value in state.items()}
