"""The rule by which M^k is found, as a menu (section 3.5). Only the chosen rule's nodes run."""

from comfy_api.latest import io

from ..amodal.core.errors import BadInput
from .assembly import AUTOMATIC, RULES
from .common import CATEGORY, aliases, names_itself

TOOLTIPS = {
    "known background": "M^k from Known Background Mask.",
    "clusters": "M^k from Select Clusters: the paper's rule.",
    "seeded": "M^k from Seeded Mask.",
    "automatic": "M^k from Choose Mask.",
}


def input_of(rule: str) -> str:
    """The input that a rule's mask comes from."""
    return rule.replace(" ", "_")


class MaskRule(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalMaskRule",
            **aliases("switch", "choose mask at k"),
            display_name="Mask Rule (Amodal)",
            category=f"{CATEGORY}/mixed context",
            description="Takes M^k from one of several rules. The nodes of the others do not run.",
            inputs=[
                *(
                    io.Mask.Input(input_of(rule), lazy=True, optional=True, tooltip=TOOLTIPS[rule])
                    for rule in RULES
                ),
                io.Combo.Input(
                    "mask_rule",
                    options=[*RULES],
                    default=AUTOMATIC,
                    tooltip="'known background': what differs from the swapped background. "
                    "'clusters': the paper's rule, clusters of decoder features. 'seeded': a "
                    "classifier of the features, trained on what is certain. 'automatic': the "
                    "first or the third, whichever does better on what is certain.",
                ),
            ],
            outputs=[
                io.Mask.Output(display_name="mask_at_k", tooltip="M^k: the object at step k.")
            ],
        )

    @classmethod
    def check_lazy_status(cls, mask_rule=AUTOMATIC, **masks):
        if mask_rule not in RULES:
            return []  # execute refuses it
        name = input_of(mask_rule)
        return [name] if name in masks and masks[name] is None else []

    @classmethod
    @names_itself
    def execute(cls, mask_rule=AUTOMATIC, **masks):
        chosen = masks.get(input_of(mask_rule))
        if chosen is None:
            raise BadInput(
                input_of(mask_rule),
                "is not connected, but mask_rule asks for it",
                "connect it, or choose another rule",
            )
        return io.NodeOutput(chosen)


NODES = [MaskRule]
