"""Generates documentation from the node schemas and the list of published models.

    nox -s docs [-- --check]      # --check changes nothing and fails if a file is not current

It writes:
- locales/en/nodeDefs.json, from the schemas;
- js/docs/<NodeId>.md: title, lead sentence and lists from the schema. The part between the lead
  sentence and "## Inputs" is written by hand and is kept;
- the node table of docs/nodes.md, from the schemas and `SECTIONS` below;
- the model table of docs/models.md, from `amodal.models.pretrained.KNOWN`.
"""

import json
import re
import sys
from collections import Counter
from pathlib import Path

from amodal.app.client import Client
from amodal.app.host import Host
from amodal.models import pretrained

ROOT = Path(__file__).resolve().parents[2]

LOCALE = ROOT / "locales" / "en" / "nodeDefs.json"
PAGES = ROOT / "js" / "docs"
NODES = ROOT / "docs" / "nodes.md"
MODELS = ROOT / "docs" / "models.md"
LISTS = "## Inputs"  # this program writes everything from this line on

SECTIONS = {  # section of the paper -> node ids without the prefix "Amodal", in reading order
    "3.4 mask analysis": "DetectObjects ObjectsFromMasks PickObject OrderObjects OrderFromDepth "
    "ApplyOccluderHints OrderInpaintedContacts SelectOccluders",
    "3.4 padding and zoom": "RefineModalMask PadIfTouching CropToObject PasteBack",
    "3.4 loop and result": "LoopStart CheckOcclusion PassSeed SegmentObject LoopEnd TrimAndOverlay",
    "3.5 backgrounds": "SwapBackground RemoveObjects",
    "3.5 sampling (equations 4, 5, 6)": "SampleToStep NoiseToStep CompositeAtStep ResumeFromStep",
    "3.5 mask at step k": "CaptureFeatures ClusterFeatures SelectClusters KnownBackgroundMask "
    "SeededMask ChooseMask MaskRule MaskFromBatch",
    "By instruction": "RegisterToCrop",
    "3.6 curation": "CounterfactualMask CounterfactualBackgrounds JudgeCompletion PickBest",
    "4.1 data, measures, user study": "LoadItem CompletionMetrics ResultsTable AddToStudy",
    "4.2 sweeps": "SweepValues LabelledGrid",
    "5 applications, limitations": "MatchFeatures SceneLayers ComposeLayers SaveLayers "
    "PrepareFor3D SizePrior KeepInBound FindShadows NegativeFromOccluders",
    "Rivals (Table 1)": "CompleteMask FillHiddenPart LoadMaskModel LoadContentModel",
    "Whole method": "Completion Gather ItemOfList",
    "Loaders for photographs": "LoadSam3Segmenter LoadSegmenter LoadOrderModel LoadInpaintModel "
    "BorderOrder",
    "Embedded models": "StickerCheckpoint StickerSegmenter StickerOrder StickerScene",
}


def main(words: list[str]) -> int:
    with Host() as host:
        wanted = files(schemas(Client(host.url)))
    stale = [path for path, text in wanted.items() if read(path) != text]
    if "--check" in words:
        print("\n".join(f"not current: {path.relative_to(ROOT)}" for path in stale))
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path], encoding="utf-8")
        print(path.relative_to(ROOT))
    return 0


def schemas(client: Client) -> dict[str, dict]:
    """The pack's node schemas by id, as the host sends them to the editor."""
    all_schemas = client.get("/object_info")
    return {name: all_schemas[name] for name in sorted(all_schemas) if name.startswith("Amodal")}


def files(nodes: dict[str, dict]) -> dict[Path, str]:
    """The wanted content of every generated file."""
    locale = {name: names(node) for name, node in nodes.items()}
    pages = {PAGES / f"{name}.md": page(name, node) for name, node in nodes.items()}
    return {
        LOCALE: json.dumps(locale, indent=2, ensure_ascii=True) + "\n",
        **pages,
        NODES: between(read(NODES), "nodes", node_table(nodes)),
        MODELS: between(read(MODELS), "models", model_table()),
    }


def between(text: str, name: str, table: str) -> str:
    """The text with `table` between the lines <!-- name:begin --> and <!-- name:end -->.

    Raises ValueError if the text does not have exactly one such pair of lines.
    """
    begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"the text needs the line {begin.strip()} once, and {end} after it")
    before, rest = text.split(begin)
    return before + begin + table + rest[rest.index(end) :]


def sections() -> dict[str, list[str]]:
    """`SECTIONS` with full node ids."""
    return {title: [f"Amodal{name}" for name in ids.split()] for title, ids in SECTIONS.items()}


def node_table(nodes: dict[str, dict]) -> str:
    """The node table of docs/nodes.md: each section of the paper, with links to help pages.

    Raises ValueError if `SECTIONS` does not name each of the nodes exactly once.
    """
    times = Counter(name for ids in sections().values() for name in ids)
    wrong = [name for name in nodes if times[name] != 1]
    if wrong:
        raise ValueError(f"SECTIONS must name each node exactly once; look at {', '.join(wrong)}")
    rows = []
    for title, ids in sections().items():
        links = [
            f"[{nodes[name]['display_name'].removesuffix(' (Amodal)')}](../js/docs/{name}.md)"
            for name in ids
            if name in nodes
        ]
        rows.append(f"| {title} | {', '.join(links)} |")
    return "\n".join(["| section | nodes |", "|---|---|", *rows, ""])


def model_table() -> str:
    """The model table of docs/models.md: where to get each file, and where to put it."""
    rows = []
    for model in pretrained.KNOWN:
        hint = f" ({model.hint})" if model.hint else ""
        cells = (
            f"[`{model.file}`]({model.url}){hint}",
            f"`{model.folder}`",
            model.size,
            model.licence,
            model.needed,
        )
        rows.append(f"| {' | '.join(cell(text) for text in cells)} |")
    title = "| file | folder of `models/` | size | licence | needed for |"
    return "\n".join([title, "|---|---|---|---|---|", *rows, ""])


def names(node: dict) -> dict:
    """A node's entry in nodeDefs.json."""
    return {
        "display_name": node["display_name"],
        "description": literal(node["description"]),
        "inputs": {
            name: {"name": name, "tooltip": literal(options.get("tooltip", ""))}
            for name, _, options in inputs(node)
        },
        "outputs": {
            str(index): {"name": name, "tooltip": literal(tooltip or "")}
            for index, (name, tooltip) in enumerate(
                zip(node["output_name"], node["output_tooltips"])
            )
        },
    }


def literal(text: str) -> str:
    """The text with its braces escaped, so that the editor's vue-i18n does not fill them in."""
    return re.sub(r"\{(\w+)\}", r"{'{\1}'}", text)


def page(name: str, node: dict) -> str:
    """The help page: title and description of the schema, the hand-written part, the lists."""
    lead = f"# {node['display_name']}\n\n{' '.join(node['description'].split())}"
    by_hand = hand_written(read(PAGES / f"{name}.md"))
    head = f"{lead}\n\n{by_hand}" if by_hand else lead
    takes = [
        item(label, [kind(spec), default(options)], options.get("tooltip"))
        for label, spec, options in inputs(node)
    ]
    gives = [
        item(label, [output], tooltip)
        for label, output, tooltip in zip(
            node["output_name"], node["output"], node["output_tooltips"]
        )
    ]
    return "\n".join([head, "", LISTS, "", *takes, "", "## Outputs", "", *gives, ""])


def item(name: str, facts: list[str], words: str | None) -> str:
    """An item of a list: the editor's help panel is too narrow for a table."""
    about = ", ".join(filter(None, facts))
    return f"- **{name}** ({about}): {' '.join((words or '').split())}".rstrip(": ")


def hand_written(text: str) -> str:
    """The hand-written part of a help page: between the lead sentence and the lists."""
    paragraphs = text.split(LISTS)[0].strip().split("\n\n")
    return "\n\n".join(paragraphs[2:]).strip()


def inputs(node: dict) -> list[tuple[str, object, dict]]:
    """(name, type, options) of every visible input, in order."""
    return [
        (name, spec[0], spec[1] if len(spec) > 1 else {})
        for group in ("required", "optional")
        for name, spec in node["input"].get(group, {}).items()
    ]


def kind(spec) -> str:
    """The type of an input; "choice" for a menu."""
    return "choice" if isinstance(spec, list) or spec == "COMBO" else str(spec)


def default(options: dict) -> str:
    """The default value in words; empty if there is none."""
    value = options.get("default", "")
    return f"default `{value}`" if value != "" else ""


def cell(text: str) -> str:
    """The text on one line, escaped for a Markdown table."""
    return str(text).replace("|", "\\|").replace("\n", " ")


def read(path: Path) -> str:
    """The file's text; empty if it does not exist."""
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
