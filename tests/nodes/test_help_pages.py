"""Help pages: each node that has something to show shows it, and all pictures are small."""

import re
from pathlib import Path

from PIL import Image

PAGES = sorted((Path(__file__).parents[2] / "js" / "docs").glob("*.md"))
PICTURES = PAGES[0].parent / "pictures"
WITHOUT = {  # loaders, numbers, and what people do not place
    "AmodalBorderOrder",
    "AmodalMaskRule",
    "AmodalRefineModalMask",
    "AmodalGather",
    "AmodalItemOfList",
    "AmodalLoadContentModel",
    "AmodalLoadInpaintModel",
    "AmodalLoadMaskModel",
    "AmodalLoadOrderModel",
    "AmodalLoadSam3Segmenter",
    "AmodalLoadSegmenter",
    "AmodalMaskFromBatch",
    "AmodalOrderFromDepth",
    "AmodalPassSeed",
    "AmodalStickerCheckpoint",
    "AmodalStickerOrder",
    "AmodalStickerSegmenter",
    # settings of a batch; and what no shipped workflow holds, so that no run shows it
    "AmodalCounterfactualBackgrounds",
    "AmodalAddToStudy",
    "AmodalCompletionMetrics",
    "AmodalResultsTable",
    # an order, files, and words
    "AmodalOrderInpaintedContacts",
    "AmodalSaveLayers",
    "AmodalNegativeFromOccluders",
}


def shown(page: Path) -> list[tuple[str, str]]:
    """(words, file) of each picture in a page."""
    return re.findall(r"!\[([^]]*)\]\(([^)]+)\)", page.read_text(encoding="utf-8"))


def test_each_node_shows_its_own_picture_under_words_that_say_what_is_seen():
    for page in PAGES:
        pictures = shown(page)
        assert bool(pictures) != (page.stem in WITHOUT), page.stem
        for words, file in pictures:
            assert file == f"pictures/{page.stem}.webp" and len(words) > 20
            with Image.open(page.parent / file) as picture:
                assert min(picture.size) >= 100 and max(picture.size) <= 1600


def test_no_picture_is_left_over_and_all_together_are_small():
    files = {file for page in PAGES for _, file in shown(page)}
    kept = list(PICTURES.iterdir())
    assert {f"pictures/{file.name}" for file in kept} == files
    assert sum(file.stat().st_size for file in kept) < 1_500_000


def test_no_table_is_wider_than_the_panel():
    """The editor's help panel is about 290 pixels wide."""
    rows = [
        (page.stem, line)
        for page in PAGES
        for line in page.read_text(encoding="utf-8").splitlines()
        if line.lstrip().startswith("|")
    ]
    assert [row for row in rows if row[1].count("|") > 3] == []


def test_what_is_published_holds_the_help_pages():
    """A bare 'docs/' in .comfyignore would leave out js/docs/ as well."""
    left_out = (PAGES[0].parents[2] / ".comfyignore").read_text(encoding="utf-8").split()
    assert "/docs/" in left_out and all(line.startswith("/") for line in left_out)
