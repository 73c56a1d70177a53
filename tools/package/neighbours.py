"""Stand-ins of two large node packs, whose own modules have the names of ours.

Large packs put their folder on `sys.path` and import modules with common names from it. This pack
uses the names `nodes` and `amodal` too, so the stand-ins show whether the packs get in each
other's way.
"""

from __future__ import annotations

from pathlib import Path

NAMES = ("ComfyUI-Impact-Pack", "ComfyUI-KJNodes")
NODES = {"ImpactStandIn": "Impact's amodal", "KJStandIn": "KJ's nodes"}  # and what each offers

IMPACT = {  # first on sys.path, and its modules replace whatever has their names
    "__init__.py": """\
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.modules.pop("amodal", None)
import amodal

class ImpactStandIn:
    RETURN_TYPES, FUNCTION, CATEGORY = ("STRING",), "give", "stand-in"
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"owner": ([amodal.OWNER],)}}
    def give(self, owner):
        return (owner,)

class SwapBackground(ImpactStandIn):
    pass

NODE_CLASS_MAPPINGS = {"ImpactStandIn": ImpactStandIn, "SwapBackground": SwapBackground}
""",
    "amodal.py": """OWNER = "Impact's amodal"\n""",
    "nodes.py": """raise RuntimeError("somebody imported the stand-in's nodes.py")\n""",
    "utils.py": """OWNER = "Impact's utils"\n""",
}
KJNODES = {  # packages with our names, imported relatively, and last on sys.path
    "__init__.py": """\
import pathlib, sys
sys.path.append(str(pathlib.Path(__file__).parent))
from .nodes import common
from .amodal import core
from .utils import OWNER

class KJStandIn:
    RETURN_TYPES, FUNCTION, CATEGORY = ("STRING",), "give", "stand-in"
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"owner": ([common.OWNER],)}}
    def give(self, owner):
        return (owner,)

NODE_CLASS_MAPPINGS = {"KJStandIn": KJStandIn}
""",
    "nodes/__init__.py": "",
    "nodes/common.py": """OWNER = "KJ's nodes"\n""",
    "amodal/__init__.py": "",
    "amodal/core.py": """OWNER = "KJ's amodal"\n""",
    "utils/__init__.py": """OWNER = "KJ's utils"\n""",
}


def install(custom_nodes: Path) -> None:
    """Writes both stand-ins into a host's custom_nodes folder."""
    for name, files in zip(NAMES, (IMPACT, KJNODES)):
        for path, text in files.items():
            place = custom_nodes / name / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")


def missing(object_info: dict) -> list[str]:
    """Node classes of the stand-ins that the host does not offer as they were written."""
    offered = {
        node: object_info.get(node, {}).get("input", {}).get("required", {}).get("owner", [[]])[0]
        for node in NODES
    }
    return [node for node, owner in NODES.items() if offered[node] != [owner]]
