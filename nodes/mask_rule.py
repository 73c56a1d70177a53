"""The rule by which M^k is found, as a menu (section 3.5). Only the chosen rule's nodes run."""

from comfy_api.latest import io

from ..amodal.core.errors import BadInput
from .assembly import RULES
from .common import CATEGORY, aliases, names_itself

INPUT_OF = {rule: rule.replace(" ", "_") for rule in RULES}


class ChooseMaskAtK(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalChooseMaskAtK",
            **aliases("switch", "mask rule"),
            display_name="Choose Mask At K (Amodal)",
            category=f"{CATEGORY}/mixed context",
            description="Takes M^k from one of two rules. The nodes of the other rule do not run.",
            inputs=[
                io.Mask.Input(
                    "known_background",
                    lazy=True,
                    optional=True,
                    tooltip="M^k from Known Background Mask.",
                ),
                io.Mask.Input(
                    "clusters",
                    lazy=True,
                    optional=True,
                    tooltip="M^k from Select Clusters: the paper's rule.",
                ),
                io.Combo.Input(
                    "mask_rule",
                    options=[*RULES],
                    default=RULES[0],
                    tooltip="'known background': what differs from the swapped background. "
                    "'clusters': the paper's rule, clusters of decoder features.",
                ),
            ],
            outputs=[
                io.Mask.Output(display_name="mask_at_k", tooltip="M^k: the object at step k.")
            ],
        )

    @classmethod
    def check_lazy_status(cls, mask_rule=RULES[0], **linked):
        name = INPUT_OF[mask_rule]
        return [name] if name in linked and linked[name] is None else []

    @classmethod
    @names_itself
    def execute(cls, mask_rule=RULES[0], known_background=None, clusters=None):
        chosen = {"known_background": known_background, "clusters": clusters}[INPUT_OF[mask_rule]]
        if chosen is None:
            raise BadInput(
                INPUT_OF[mask_rule],
                "is not connected, but mask_rule asks for it",
                "connect it, or choose the other rule",
            )
        return io.NodeOutput(chosen)


NODES = [ChooseMaskAtK]
