"""The documentation answers a newcomer's questions, and all its links and tables are right."""

import ast
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from amodal.models import pretrained
from tools.docs import make_docs

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = {".git", ".cache", ".host", ".nox", ".venv", ".training", "output", ".pytest_cache"}
PAGES = sorted(
    page
    for page in ROOT.rglob("*.md")
    if not LEFT_OUT & set(page.relative_to(ROOT).parts) and "node_modules" not in page.parts
)
METHOD = ROOT / "amodal" / "method"
QUESTIONS = {  # what a newcomer asks -> page and heading of the answer
    "How do I install it in ComfyUI?": ("docs/install.md", "Install in ComfyUI"),
    "Where do the model files go?": ("docs/models.md", "Where the files go"),
    "How do I complete an object without a browser?": (
        "docs/command-line.md",
        "Complete an object without a browser",
    ),
    "How do I complete a folder of pictures?": ("docs/batch.md", "Complete a folder of pictures"),
    "Why is my mask black?": ("docs/troubleshooting.md", "The mask is black"),
    "How do I use the paper's own mask rule?": (
        "docs/workflows.md",
        "Use the paper's rule for the mask at step k",
    ),
    "What do the values of the status mean?": ("docs/nodes.md", "The loop"),
    "How do I train the sticker models?": ("research/training/README.md", "Commands"),
    "How well does it do?": ("research/README.md", "How well it does"),
    "How do I add a node?": ("CONTRIBUTING.md", "Add a node"),
    "How does it differ from the authors' release?": (
        "docs/release-differences.md",
        "Paper or release",
    ),
    "How do I switch the user study on?": ("docs/user-study.md", "Switch it on"),
    "Which node is which section of the paper?": ("docs/nodes.md", "Nodes by section of the paper"),
}


class References(HTMLParser):
    """The addresses of links and pictures that a page writes as HTML."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("src", "href") and value]


def text_of(page: Path) -> str:
    """The page's text without its code blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)


def headings(page: Path) -> list[str]:
    return [line.lstrip("#").strip() for line in text_of(page).splitlines() if line[:1] == "#"]


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the page's headings."""
    seen, result = {}, set()
    for heading in headings(page):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        number = seen.get(slug, 0)
        seen[slug] = number + 1
        result.add(f"{slug}-{number}" if number else slug)
    return result


def references(page: Path) -> list[str]:
    """The relative addresses of a page's links and pictures."""
    text = re.sub(r"`[^`\n]*`", "code", text_of(page))
    parser = References()
    parser.feed(text)
    every = re.findall(r"\]\(([^)\s]+)\)", text) + parser.found
    return [address for address in every if not re.match(r"[a-z]+:", address)]


@pytest.mark.parametrize("question", QUESTIONS)
def test_each_question_of_a_newcomer_has_a_page_and_a_heading(question):
    file, heading = QUESTIONS[question]
    assert heading in headings(ROOT / file)
    after = text_of(ROOT / file).split(f"# {heading}\n", 1)[1]
    assert len(re.split(r"^#", after, flags=re.M)[0].split()) >= 15  # there is an answer below it


def test_the_method_says_which_file_is_which_section_of_the_paper():
    about = ast.get_docstring(ast.parse((METHOD / "__init__.py").read_text(encoding="utf-8"))) or ""
    files = {file.name for file in METHOD.glob("*.py")} - {"__init__.py"}
    assert not {file for file in files if file not in about and Path(file).stem not in about}
    for section in ("3.4", "3.5", "3.6"):
        assert section in about


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 1000


def test_every_page_of_docs_is_in_the_index():
    index = ROOT / "docs" / "README.md"
    named = {(index.parent / address).resolve() for address in references(index)}
    assert {page for page in PAGES if page.parent == index.parent} - {index} <= named


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_all_links_and_pictures_resolve(page):
    for address in references(page):
        file, _, anchor = unquote(address).partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), address
        assert ROOT in (target, *target.parents), f"{address} leaves the repository"
        if anchor:
            assert anchor in anchors(target), address


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_names_a_path_of_a_machine(page):
    path = r"(?<![\w.:/])/(tmp|home|root|work|Users|mnt|var|opt)/|\b[A-Z]:\\"
    assert not re.search(path, page.read_text(encoding="utf-8"))


def test_the_table_of_nodes_holds_each_node_exactly_once():
    golden = json.loads((Path(__file__).with_name("schema.json")).read_text(encoding="utf-8"))
    named = [name for ids in make_docs.sections().values() for name in ids]
    assert sorted(named) == sorted(golden)
    table = (
        (ROOT / "docs" / "nodes.md").read_text(encoding="utf-8").split("<!-- nodes:begin -->")[1]
    )
    linked = re.findall(r"\(\.\./js/docs/(\w+)\.md\)", table.split("<!-- nodes:end -->")[0])
    assert linked == named


def test_the_table_of_models_names_every_file():
    assert make_docs.model_table() in (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    for model in pretrained.KNOWN:
        assert f"| [`{model.file}`]({model.url})" in make_docs.model_table()


def test_a_help_page_keeps_what_a_person_wrote_and_takes_the_rest_from_the_schema():
    node = {
        "display_name": "Some Node",
        "description": "What the schema\nsays.",
        "input": {"required": {"image": ["IMAGE", {"tooltip": "One | two."}]}},
        "output": ["MASK"],
        "output_name": ["mask"],
        "output_tooltips": ["The mask."],
    }
    old = "# Old Name\n\nAn old sentence.\n\nWritten.\n\nBy hand.\n\n## Inputs\n\nold\n"
    assert make_docs.hand_written(old) == "Written.\n\nBy hand."
    assert make_docs.hand_written("# Old Name\n\nAn old sentence.\n") == ""
    page = make_docs.page("AmodalNoSuchPage", node)
    assert page.startswith("# Some Node\n\nWhat the schema says.\n\n## Inputs\n")
    assert (
        "\n- **image** (IMAGE): One | two.\n" in page and "\n- **mask** (MASK): The mask.\n" in page
    )
    assert make_docs.item("k", ["FLOAT", "default `0.4`"], None) == "- **k** (FLOAT, default `0.4`)"


def test_a_table_is_written_only_between_its_two_lines():
    text = "a\n<!-- x:begin -->\nold\n<!-- x:end -->\nb\n"
    wanted = "a\n<!-- x:begin -->\nnew\n<!-- x:end -->\nb\n"
    assert make_docs.between(text, "x", "new\n") == wanted
    for wrong in ("", text + text, "<!-- x:end -->\n<!-- x:begin -->\n"):
        with pytest.raises(ValueError, match="x:begin"):
            make_docs.between(wrong, "x", "new\n")


def test_a_node_without_a_section_stops_the_program():
    with pytest.raises(ValueError, match="AmodalNowhere"):
        make_docs.node_table({"AmodalNowhere": {"display_name": "Nowhere"}})


def test_every_constant_of_the_list_is_in_its_file():
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|", (ROOT / "docs/constants.md").read_text(), re.M)
    named = [
        (name, file)
        for names, files in rows
        for name in re.findall(r"\b[A-Z][A-Z_]+\b", names)
        for file in re.findall(r"[\w/]+\.py", files)
    ]
    assert len(named) > 50
    for name, file in named:
        place = ROOT / file if (ROOT / file).exists() else ROOT / "amodal" / file
        assert re.search(rf"^([A-Z_]+, )*{name}\b.*=", place.read_text(), re.M), (name, file)


def test_the_list_holds_every_constant_of_the_method():
    listed = set(re.findall(r"\b[A-Z][A-Z_]+\b", (ROOT / "docs/constants.md").read_text()))
    for path in METHOD.glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and is_number(node.value):
                names = {
                    part.id for part in ast.walk(node.targets[0]) if isinstance(part, ast.Name)
                }
                assert names <= listed, f"{path.name}: {names - listed}"


def is_number(value: ast.expr) -> bool:
    """Is it a number, or a tuple of numbers?"""
    if isinstance(value, ast.Tuple):
        return all(map(is_number, value.elts))
    return isinstance(value, ast.Constant) and type(value.value) in (int, float)
