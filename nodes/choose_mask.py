"""Takes M^k from the rule that does best where object and backdrop are certain (section 3.5)."""

import torch
from comfy_api.latest import io

from ..amodal.core import validate
from ..amodal.core.errors import BadInput
from ..amodal.method import mask_check
from . import ui
from .common import aliases, names_itself, shows_results
from .mask_rules import CONTEXT, areas, averages, certain, checked, checks, hard

CANDIDATES = ("known_background", "seeded", "clusters")  # in the order of preference


class ChooseMask(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        candidates = [
            io.Mask.Input(f"{name}{part}", optional=True, tooltip=tooltip)
            for name in CANDIDATES
            for part, tooltip in (
                ("", f"M^k by the rule {spoken(name)}."),
                ("_alone", "Its output 'alone', for the check."),
            )
        ]
        return io.Schema(
            node_id="AmodalChooseMask",
            **shows_results(),
            **aliases("automatic", "best mask"),
            display_name="Choose Mask (Amodal)",
            category=CONTEXT,
            description="Takes M^k from the rule that tells visible object and certain backdrop "
            "apart best. Each picture of a batch gets its own choice.",
            inputs=[*areas(), *candidates],
            outputs=[
                io.Mask.Output(display_name="mask_at_k", tooltip="M^k: the object at step k."),
                *checks(),
                io.String.Output(
                    display_name="chosen",
                    tooltip="The chosen rule and the check of each; a line for each picture.",
                ),
            ],
            hidden=[io.Hidden.dynprompt, io.Hidden.extra_pnginfo],
        )

    @classmethod
    @names_itself
    def execute(cls, modal_mask, inpaint_mask, **candidates):
        names = [name for name in CANDIDATES if candidates.get(name) is not None]
        if not names:
            raise BadInput("known_background", "and the others are empty", "connect a rule's M^k")
        masks = [validate.as_masks(candidates[name], None, name) for name in names]
        count, size = len(masks[0]), validate.size_of(masks[0])
        areas_of = certain(count, size, modal_mask, inpaint_mask)
        masks = [
            validate.paired(count, hard(mask, size, name), name) for mask, name in zip(masks, names)
        ]
        alone = [alone_of(candidates, name, count, size) for name in names]
        tested = [checked(one, *areas_of) for one in alone]  # by rule, then by picture
        chosen = [mask_check.best(list(of_picture)) for of_picture in zip(*tested)]
        lines = [
            f"{spoken(names[rule])} ("
            + "; ".join(f"{spoken(n)}: {of[i]}" for n, of in zip(names, tested))
            + ")"
            for i, rule in enumerate(chosen)
        ]
        text = "\n".join(lines)
        return io.NodeOutput(
            torch.stack([masks[rule][i] for i, rule in enumerate(chosen)]),
            *averages([tested[rule][i] for i, rule in enumerate(chosen)]),
            torch.stack([alone[rule][i] for i, rule in enumerate(chosen)]),
            text,
            ui=ui.say(cls.hidden, "AmodalChooseMask", text),
        )


def spoken(name: str) -> str:
    return name.replace("_", " ")


def alone_of(candidates: dict, name: str, count: int, size) -> torch.Tensor:
    """The mask `alone` of a candidate. Raises BadInput if it is not connected."""
    given = candidates.get(f"{name}_alone")
    if given is None:
        raise BadInput(f"{name}_alone", "is empty", "connect the output 'alone' of that rule")
    return validate.paired(count, hard(given, size, f"{name}_alone"), f"{name}_alone")


NODES = [ChooseMask]
