"""The published models for photographs: their files, their sources, and loading their weights.

Nothing is downloaded, and only tensors are taken from a file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeVar

import torch

from ..core.errors import BadInput

State = dict[str, torch.Tensor]  # tensors by name
Net = TypeVar("Net", bound=torch.nn.Module)


@dataclass(frozen=True)
class Pretrained:
    """A published file. `folder` is inside ComfyUI's models folder; `url` is the file's source."""

    file: str
    folder: str
    url: str
    size: str
    licence: str
    needed: str  # what it is needed for
    without: str  # the alternative without it
    hint: str = ""  # a remark about the url


DETECTION = "finding objects by words"
BY_HAND = "Objects From Masks takes masks from any other node, or masks drawn by hand"
MASKS = "the masks of the found objects"
BY_SEGMENTING = "Segment Object gives the amodal mask of a completed picture"
OTHER_PAINTER = "any other inpainting checkpoint works, also of Stable Diffusion 1.5 or XL"
REMOVAL = "a textured background behind the removed objects"
SMOOTH = "Remove Objects fills smoothly"
DINO = "https://github.com/IDEA-Research/GroundingDINO/releases/download/"
SAM = "https://dl.fbaipublicfiles.com/segment_anything/"
LAMA = "https://github.com/Sanster/models/releases/download/"
SSSD = "https://github.com/XiaohangZhan/deocclusion"
SSSD_HINT = "its README links the models"
NOT_STATED = "none stated: ask its authors"
HUB = "https://huggingface.co/"
KNOWN = [
    Pretrained(
        "sam3.1_multiplex_fp16.safetensors",
        "checkpoints",
        f"{HUB}Comfy-Org/sam3.1/resolve/main/checkpoints/sam3.1_multiplex_fp16.safetensors",
        "1.7 GB",
        "SAM licence",
        f"{DETECTION}, and their masks",
        BY_HAND,
        "for ComfyUI 0.20 or newer",
    ),
    Pretrained(
        "flux1-fill-dev.safetensors",
        "diffusion_models",
        f"{HUB}Comfy-Org/flux1-dev/resolve/main/split_files/diffusion_models/"
        "flux1-fill-dev.safetensors",
        "23.8 GB",
        "FLUX.1 [dev] non-commercial",
        "painting the hidden part",
        OTHER_PAINTER,
    ),
    Pretrained(
        "flux1-dev-kontext_fp8_scaled.safetensors",
        "diffusion_models",
        f"{HUB}Comfy-Org/flux1-kontext-dev_ComfyUI/resolve/main/split_files/diffusion_models/"
        "flux1-dev-kontext_fp8_scaled.safetensors",
        "11.9 GB",
        "FLUX.1 [dev] non-commercial",
        "painting by instruction",
        "Qwen Image Edit and Flux.2 Klein edit by instruction too",
    ),
    Pretrained(
        "clip_l.safetensors",
        "text_encoders",
        f"{HUB}comfyanonymous/flux_text_encoders/resolve/main/clip_l.safetensors",
        "0.2 GB",
        "MIT",
        "reading the prompt, with Flux",
        OTHER_PAINTER,
    ),
    Pretrained(
        "t5xxl_fp16.safetensors",
        "text_encoders",
        f"{HUB}comfyanonymous/flux_text_encoders/resolve/main/t5xxl_fp16.safetensors",
        "9.8 GB",
        "Apache-2.0",
        "reading the prompt, with Flux",
        OTHER_PAINTER,
    ),
    Pretrained(
        "ae.safetensors",
        "vae",
        f"{HUB}Comfy-Org/Lumina_Image_2.0_Repackaged/resolve/main/split_files/vae/ae.safetensors",
        "0.3 GB",
        "Apache-2.0",
        "the latents of Flux",
        OTHER_PAINTER,
    ),
    Pretrained(
        "sd_xl_base_1.0_inpainting_0.1.safetensors",
        "checkpoints",
        f"{HUB}benjamin-paine/sd-xl-alternative-bases/resolve/main/"
        "sd_xl_base_1.0_inpainting_0.1.safetensors",
        "6.9 GB",
        "CreativeML Open RAIL++-M",
        "painting the hidden part",
        OTHER_PAINTER,
    ),
    Pretrained(
        "512-inpainting-ema.safetensors",
        "checkpoints",
        f"{HUB}sd2-community/stable-diffusion-2-inpainting/resolve/main/"
        "512-inpainting-ema.safetensors",
        "5.2 GB",
        "CreativeML Open RAIL++-M",
        "painting the hidden part",
        OTHER_PAINTER,
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
        NOT_STATED,
        "deciding which object is in front",
        "Order From Depth orders objects by a depth picture",
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
    Pretrained(
        "stable_zero123.ckpt",
        "checkpoints",
        f"{HUB}stabilityai/stable-zero123/resolve/main/stable_zero123.ckpt",
        "8.6 GB",
        "Stability AI Non-Commercial Community",
        "turning a completed object",
        "SV3D, or any other model of views, takes what Prepare For 3D gives",
    ),
    *(
        Pretrained(file, "sssd", SSSD, f"{size} GB or more", NOT_STATED, needed, without, SSSD_HINT)
        for file, size, needed, without in (  # sizes of the weights alone, by their shapes
            ("COCOA_pcnet_m.pth.tar", 0.01, "amodal masks and order, from masks", BY_SEGMENTING),
            ("COCOA_pcnet_c.pth.tar", 0.1, "a hidden part without diffusion", OTHER_PAINTER),
        )
    ),
]


def named(file: str) -> Pretrained:
    """The published file of this name. Raises StopIteration if there is none."""
    return next(model for model in KNOWN if model.file == file)


def known(folder: str) -> list[Pretrained]:
    """The published files for a folder of models/, the most common one first."""
    return [model for model in KNOWN if model.folder == folder]


def missing(file: str, folder: str, input: str = "file", verb: str = "names") -> BadInput:
    """The error for a missing file, with its source and its place.

    input: the name of the node's input. verb: "names", or "needs" for a file of another input.
    """
    problem = f"{verb} {file}, which is not in models/{folder} or the extra model paths for it"
    model = next((model for model in known(folder) if model.file == file), None)
    if model is None:
        return BadInput(input, problem, f"put it into models/{folder}, or choose another")
    hint = f" ({model.hint})" if model.hint else ""
    return BadInput(
        input,
        problem,
        f"get {file} ({model.size}) from {model.url}{hint} and put it into models/{folder}; "
        f"nothing is downloaded automatically. Without it: {model.without}",
    )


def wrong_model(file: str, what: str, why: str, input: str = "file") -> BadInput:
    """The error for a readable file that holds another model than `what`."""
    kind = f"{article(what)} {what}"
    return BadInput(
        input, f"names {file}, which is not {kind} ({why})", f"choose the file of {kind}"
    )


def article(word: str) -> str:
    """The indefinite article of a word."""
    return "an" if word[0].lower() in "aeiou" else "a"


def layers(state: State, pattern: str) -> int:
    """The number of layers, from the numbers that `pattern` finds at the start of tensors' names.

    Raises ValueError if there is none, or if a name states more layers than there are tensors.
    """
    matches = (re.match(pattern, name) for name in state)
    count = 1 + max((int(match[1]) for match in matches if match), default=-1)
    if not 0 < count <= len(state):
        raise ValueError(f"it has {count} layers {pattern}")
    return count


def load_into(net: Net, state: State, file: str, what: str, input: str = "file") -> Net:
    """The network with the weights of a state dict, in eval mode and without gradients.

    Raises BadInput if the keys or shapes do not match exactly.
    """
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        raise wrong_model(file, what, " ".join(str(error).split())[:160], input) from error
    return net.eval().requires_grad_(False)


def without_prefix(state: State, prefix: str = "module.") -> State:
    """The state dict without a prefix that all its keys have, such as that of DataParallel."""
    if not state or not all(name.startswith(prefix) for name in state):
        return state
    return {name[len(prefix) :]: value for name, value in state.items()}
