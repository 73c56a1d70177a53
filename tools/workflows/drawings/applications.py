"""What completed objects are good for (section 5, figure 10)."""

from __future__ import annotations

from tools.workflows.drawing import Drawing

from .common import CAT, new_drawing, save, show, sticker_source, tell
from .one_node import completion_node, results

GROUPS = {"judge": ("5 Dense correspondence (Figure 10)", "#8A8")}
ANOTHER = 11  # the seed of a scene with another cat


def dense_correspondence(assembly) -> Drawing:
    """Completes a hidden object, and matches it with another one of its kind."""
    draw = new_drawing(groups=GROUPS)
    source = sticker_source(draw, assembly, CAT, "cat")
    completed = completion_node(draw, source)
    other = draw.node(
        "AmodalStickerScene",
        "Other",
        seed=ANOTHER,
        query="cat",
        occluder="none",
        background="plain",
        hidden_from=0.0,
        hidden_to=0.95,
        cut="none",
        size=128,
    )
    draw.place("query", "Other")
    draw.title(Other="Another one of its kind")
    words = draw.node("CLIPTextEncode", "Words", clip=source["clip"], text="")
    match = draw.node(
        "AmodalMatchFeatures",
        "Match",
        model=source["model"],
        vae=source["vae"],
        positive=words.out(0),
        object=completed.out(0),
        other=other.out(0),
        other_mask=other.out(1),
    )
    draw.place("judge", "Words", "Match")
    draw.title(Words="Words for both", Match="Match Features")
    save(draw, results(completed))
    for slot, name, title in (
        (0, "Colours", "Equal colours correspond"),
        (1, "Lines", "The best points"),
        (2, "Warped", "The first in the second one's shape"),
    ):
        draw.node(
            "SaveImage",
            name,
            images=match.out(slot),
            filename_prefix=f"amodal/correspondence_{name.lower()}",
        )
        draw.place("result", name)
        draw.titles[name] = title
    tell(draw, status=completed.out(3), agreement=match.out(5))
    draw.note(
        "query",
        "**A hidden object, and another one of its kind.** The second may be any picture with "
        "alpha, or with a mask; complete it first if it is hidden too.",
    )
    draw.note(
        "judge",
        "**Which point of one object is which of the other** (DIFT): features of the decoder at a "
        "low noise, compared cell by cell. Connect *Load CLIP Vision* with DINOv2 for a second "
        "opinion.",
    )
    draw.note(
        "result",
        "Gray: the way there and back does not end where it began. `points` of Match Features "
        "gives the best points as JSON.",
    )
    show(draw, "query", "OtherPicture", "The other", other.out(0))
    return draw


VIEWS = {
    "judge": ("5 Novel view (Figure 10)", "#8A8"),
    "models": ("Models, prompt and seed", "#88A"),
}
ZERO123 = "stable_zero123.ckpt"


def novel_view(assembly) -> Drawing:
    """Completes a hidden object, and turns it with Stable Zero123."""
    draw = new_drawing(groups=VIEWS)
    draw.editor_lists_models = True
    source = sticker_source(draw, assembly, CAT, "cat")
    completed = completion_node(draw, source)
    ready = draw.node(
        "AmodalPrepareFor3D",
        "Prepare",
        object=completed.out(0),
        original_image=source["image"],
        y=completed.out(7),
        size=256,
    )
    loader = draw.node("ImageOnlyCheckpointLoader", "Zero123", ckpt_name=ZERO123)
    draw.model("Zero123", ZERO123)
    view = draw.node(
        "StableZero123_Conditioning",
        "View",
        clip_vision=loader.out(1),
        init_image=ready.out(0),
        vae=loader.out(2),
        width=256,
        height=256,
        batch_size=1,
        elevation=ready.out(2),
        azimuth=40.0,
    )
    turned = draw.node(
        "KSampler",
        "Turn",
        model=loader.out(0),
        positive=view.out(0),
        negative=view.out(1),
        latent_image=view.out(2),
        seed=1,
        steps=20,
        cfg=4.0,
        sampler_name="euler",
        scheduler="sgm_uniform",
        denoise=1.0,
    )
    picture = draw.node("VAEDecode", "Decoded", samples=turned.out(0), vae=loader.out(2))
    draw.place("judge", "Zero123", "Prepare", "View", "Turn", "Decoded")
    draw.title(
        Zero123="Stable Zero123",
        Prepare="Prepare For 3D",
        View="Turn by azimuth",
        Turn="Sample the view",
        Decoded="Decode the view",
    )
    save(draw, results(completed))
    show(draw, "result", "Ready", "As the model sees it", ready.out(0))
    draw.node("SaveImage", "Novel", images=picture.out(0), filename_prefix="amodal/view")
    draw.place("result", "Novel")
    draw.titles["Novel"] = "The novel view"
    tell(draw, status=completed.out(3))
    draw.note("query", "**A hidden object, to be seen from another side.** Complete it first.")
    draw.note(
        "judge",
        "**Stable Zero123 turns it**: `azimuth` in degrees. `elevation` is guessed; disconnect it "
        "to set your own. For a whole round use *SV3D_Conditioning* with size 576, for a mesh "
        "*Hunyuan3Dv2Conditioning*.",
    )
    draw.note("result", "The file of the model goes into models/checkpoints.")
    return draw
