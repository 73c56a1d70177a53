"""Writes what the editor shows about the nodes, from their schemas in a running host:
locales/en/nodeDefs.json, and the tables in js/docs/<NodeId>.md below what a person wrote there.

    nox -s docs [-- --check]      # --check changes nothing and fails where a file is not current
"""

import json
import re
import sys
from pathlib import Path

from amodal.app.client import Client
from amodal.app.host import Host

ROOT = Path(__file__).resolve().parents[2]

LOCALE = ROOT / "locales" / "en" / "nodeDefs.json"
PAGES = ROOT / "js" / "docs"
TABLES = "## Inputs"  # everything from this line on is written by this program


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
    """The pack's node schemas by id, as the host tells them to the editor."""
    every = client.get("/object_info")
    return {name: every[name] for name in sorted(every) if name.startswith("Amodal")}


def files(nodes: dict[str, dict]) -> dict[Path, str]:
    """What every generated file should hold."""
    locale = {name: names(node) for name, node in nodes.items()}
    text = json.dumps(locale, indent=2, ensure_ascii=True) + "\n"
    pages = {PAGES / f"{name}.md": page(name, node) for name, node in nodes.items()}
    return {LOCALE: text, **pages}


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
    """The text as the editor's vue-i18n shows it: what stands in braces is not filled in."""
    return re.sub(r"\{(\w+)\}", r"{'{\1}'}", text)


def page(name: str, node: dict) -> str:
    """The help page: what a person wrote, then the tables."""
    written = read(PAGES / f"{name}.md").split(TABLES)[0].rstrip()
    head = written or f"# {node['display_name']}\n\n{node['description']}"
    rows = [
        f"| {label} | {kind(spec)} | {default(options)} | {cell(options.get('tooltip', ''))} |"
        for label, spec, options in inputs(node)
    ]
    gives = [
        f"| {label} | {output} | {cell(tooltip or '')} |"
        for label, output, tooltip in zip(
            node["output_name"], node["output"], node["output_tooltips"]
        )
    ]
    return "\n".join(
        [
            head,
            "",
            TABLES,
            "",
            "| name | type | default | |",
            "|---|---|---|---|",
            *rows,
            "",
            "## Outputs",
            "",
            "| name | type | |",
            "|---|---|---|",
            *gives,
            "",
        ]
    )


def inputs(node: dict) -> list[tuple[str, object, dict]]:
    """(name, type, options) of every input a person can see, in order."""
    return [
        (name, spec[0], spec[1] if len(spec) > 1 else {})
        for group in ("required", "optional")
        for name, spec in node["input"].get(group, {}).items()
    ]


def kind(spec) -> str:
    return "choice" if isinstance(spec, list) or spec == "COMBO" else str(spec)


def default(options: dict) -> str:
    value = options.get("default", "")
    return cell(f"`{value}`" if value != "" else "")


def cell(text: str) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
