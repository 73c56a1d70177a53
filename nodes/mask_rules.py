"""More rules for M^k, and the self-check of every rule (section 3.5)."""

import torch
from comfy_api.latest import io

from ..amodal.core import validate
from ..amodal.core.errors import BadInput
from ..amodal.method import known_background, mask_check, seeded_mask
from . import types, ui
from .common import CATEGORY, aliases, names_itself, shows_results

CONTEXT = f"{CATEGORY}/mixed context"


def checks() -> list:
    """The outputs of a rule's self-check."""
    return [
        io.Float.Output(
            display_name="visible_found",
            tooltip="The part of the visible object that the rule finds by itself, 0 to 1. Near 1 "
            "is good. The mean of a batch.",
        ),
        io.Float.Output(
            display_name="backdrop_taken",
            tooltip="The part of the certain backdrop that the rule takes for the object, 0 to 1. "
            "Near 0 is good. The mean of a batch.",
        ),
        io.Mask.Output(
            display_name="alone",
            tooltip="What the rule takes for the object by itself, anywhere in the picture.",
        ),
    ]


def areas() -> list:
    """The inputs that say what is certain."""
    return [
        io.Mask.Input("modal_mask", tooltip="M_modal: the object's visible pixels."),
        io.Mask.Input("inpaint_mask", tooltip="The area to paint, from Check Occlusion."),
    ]


class KnownBackgroundMask(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalKnownBackgroundMask",
            **shows_results(),
            display_name="Known Background Mask (Amodal)",
            category=CONTEXT,
            description="Makes M^k without features: the swapped background is known, so whatever "
            "differs from it in the estimate is the object. Costs one decode and works with any "
            "model.",
            inputs=[
                io.Image.Input("estimate", tooltip="The decoded preview of Sample To Step."),
                io.Image.Input("synthetic_image", tooltip="I_syn, from Swap Background."),
                *areas(),
                io.Float.Input(
                    "threshold",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.005,
                    tooltip="A pixel belongs to the object if its colour differs by more than this "
                    "(0 to 1). 0 finds it from the picture: between the differences of the certain "
                    "backdrop and those of the visible object.",
                ),
            ],
            outputs=[
                io.Mask.Output(display_name="mask_at_k", tooltip="M^k: the object at step k."),
                *checks(),
            ],
            hidden=[io.Hidden.dynprompt, io.Hidden.extra_pnginfo],
        )

    @classmethod
    @names_itself
    def execute(cls, estimate, synthetic_image, modal_mask, inpaint_mask, threshold=0.0):
        estimate = validate.as_images(estimate, "estimate")
        size, count = validate.picture_size(estimate), len(estimate)
        _, synthetic = colours(count, size, estimate, synthetic_image)
        modal_mask, inpaint_mask = certain(count, size, modal_mask, inpaint_mask)
        found = [
            known_background.known_background(
                estimate[i : i + 1],
                synthetic[i : i + 1],
                modal_mask[i : i + 1],
                inpaint_mask[i : i + 1],
                threshold,
            )
            for i in range(count)
        ]
        masks, alone, thresholds = zip(*found)
        tested = checked(torch.cat(alone), modal_mask, inpaint_mask)
        lines = [f"{test}, threshold {used:.3f}" for test, used in zip(tested, thresholds)]
        return io.NodeOutput(
            torch.cat(masks),
            *averages(tested),
            torch.cat(alone),
            ui=ui.say(cls.hidden, "AmodalKnownBackgroundMask", "\n".join(lines)),
        )


class SeededMask(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalSeededMask",
            **shows_results(),
            **aliases("ridge", "classifier", "feature map"),
            display_name="Seeded Mask (Amodal)",
            category=CONTEXT,
            description="Makes M^k by a linear classifier of the features. It learns from the "
            "cells whose kind is certain, visible object and backdrop, and is applied to those "
            "that were painted. It needs no threshold.",
            inputs=[
                types.Features.Input("features", tooltip="From Capture Features."),
                *areas(),
                io.Int.Input(
                    "level",
                    default=0,
                    min=0,
                    max=16,
                    tooltip="Which decoder level; 0 the finest that was captured.",
                ),
                io.Image.Input(
                    "estimate",
                    optional=True,
                    tooltip="The decoded preview of Sample To Step: with synthetic_image, its "
                    "colours add to the features.",
                ),
                io.Image.Input(
                    "synthetic_image", optional=True, tooltip="I_syn, from Swap Background."
                ),
            ],
            outputs=[
                io.Mask.Output(display_name="mask_at_k", tooltip="M^k: the object at step k."),
                *checks(),
                io.String.Output(
                    display_name="note",
                    tooltip="Empty, or why M^k is the modal mask: too few certain cells.",
                ),
            ],
            hidden=[io.Hidden.dynprompt, io.Hidden.extra_pnginfo],
        )

    @classmethod
    @names_itself
    def execute(
        cls, features, modal_mask, inpaint_mask, level=0, estimate=None, synthetic_image=None
    ):
        maps = maps_at(features, level or max(features.levels))
        count, size = len(maps), features.size
        areas_of = certain(count, size, modal_mask, inpaint_mask)
        pictures = colours(count, size, estimate, synthetic_image)
        found = []
        for i in range(count):
            modal, area = (batch[i : i + 1] for batch in areas_of)
            difference = None
            if pictures:
                seen, backdrop = (batch[i : i + 1] for batch in pictures)
                difference = known_background.difference_from(seen, backdrop, modal)
            found.append(seeded_mask.seeded(maps[i], modal, area, difference))
        alone = torch.cat([one.alone for one in found])
        tested = checked(alone, *areas_of)
        lines = [one.note or str(test) for one, test in zip(found, tested)]
        return io.NodeOutput(
            torch.cat([one.mask for one in found]),
            *averages(tested),
            alone,
            "\n".join(one.note for one in found if one.note),
            ui=ui.say(cls.hidden, "AmodalSeededMask", "\n".join(lines)),
        )


def maps_at(features, level: int) -> torch.Tensor:
    """The features [B, C, h, w] of a level. Raises BadInput if it was not captured."""
    if level not in features.levels:
        raise BadInput(
            "level",
            f"is {level}, but the captured levels are {sorted(features.levels)}",
            "add it to the levels of Capture Features",
        )
    return features.levels[level]


def colours(count: int, size, estimate, synthetic_image) -> list[torch.Tensor]:
    """Estimate and I_syn as [count, *size, 3], or [] without both. Raises BadInput for only one."""
    given = {"estimate": estimate, "synthetic_image": synthetic_image}
    missing = [name for name, image in given.items() if image is None]
    if len(missing) == 2:
        return []
    if missing:
        raise BadInput(missing[0], "is empty", "connect estimate and synthetic_image, or neither")
    images = {name: validate.as_images(image, name) for name, image in given.items()}
    return [
        validate.paired(count, validate.resize(image, size), name) for name, image in images.items()
    ]


def certain(count: int, size, modal_mask, inpaint_mask) -> tuple[torch.Tensor, torch.Tensor]:
    """Modal mask and inpaint mask as [count, *size], 0 or 1."""
    modal_mask = validate.paired(count, hard(modal_mask, size, "modal_mask"), "modal_mask")
    inpaint_mask = hard(inpaint_mask, size, "inpaint_mask")
    return modal_mask, validate.paired(count, inpaint_mask, "inpaint_mask")


def checked(alone, modal_mask, inpaint_mask) -> list[mask_check.Check]:
    """The check of each picture; masks [B, H, W]."""
    return [
        mask_check.check(*(batch[i : i + 1] for batch in (alone, modal_mask, inpaint_mask)))
        for i in range(len(alone))
    ]


def averages(tested: list[mask_check.Check]) -> tuple[float, float]:
    """(visible found, backdrop taken), each the mean of the pictures."""
    return (
        sum(test.visible_found for test in tested) / len(tested),
        sum(test.backdrop_taken for test in tested) / len(tested),
    )


def hard(mask, size, name: str) -> torch.Tensor:
    """A mask batch [B, *size], thresholded at 0.5."""
    return (validate.as_masks(mask, size, name) > 0.5).float()


NODES = [KnownBackgroundMask, SeededMask]
