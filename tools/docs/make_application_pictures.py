"""Runs the workflows of section 5's applications and draws docs/images/applications.jpg.

    python -m tools.docs.make_application_pictures

First row: a hidden object, completed, and matched with another one of its kind. Second row: a
picture, the same with its front object moved, and the background behind the layers.
"""

from __future__ import annotations

import io

from PIL import Image

from amodal.app import workflow
from amodal.app.client import Client, with_query
from amodal.app.host import Host
from tools.docs.make_thumbnails import GAP, HEIGHT, PAPER, ROOT, at_height

ROWS = {  # workflow -> titles of the nodes whose pictures are shown
    "dense_correspondence": ("Picture", "Equal colours correspond", "The best points"),
    "all_objects": ("Picture", "The front object moved", "Background"),
}
IMAGE = ROOT / "docs" / "images" / "applications.jpg"


def main() -> None:
    with Host(arguments=["--fp32-text-enc"]) as host:
        rows = [row(shown(Client(host.url), name, titles)) for name, titles in ROWS.items()]
    width = max(picture.width for picture in rows)
    page = Image.new("RGB", (width, len(rows) * (HEIGHT + 2 * GAP)), PAPER)
    for number, picture in enumerate(rows):
        page.paste(picture, ((width - picture.width) // 2, number * (HEIGHT + 2 * GAP)))
    page.save(IMAGE, quality=88)


def shown(client: Client, name: str, titles: tuple[str, ...]) -> list[Image.Image]:
    """Runs a workflow; the pictures of the nodes with these titles."""
    prompt = workflow.load(workflow.FOLDER / f"{name}.json", dict)
    run = client.run(prompt)
    result = []
    for title in titles:
        node = workflow.need(prompt, title)
        if prompt[node]["class_type"] == "LoadImage":
            result.append(
                Image.open(ROOT / "workflows" / "inputs" / prompt[node]["inputs"]["image"])
            )
        else:
            content = client.read(with_query("/view", run.images(node)[-1]))
            result.append(Image.open(io.BytesIO(content)))
    return result


def row(pictures: list[Image.Image]) -> Image.Image:
    """Pictures of one height side by side; transparent parts show chequers."""
    tiles = [at_height(picture.convert("RGBA")) for picture in pictures]
    page = Image.new("RGB", (sum(t.width + GAP for t in tiles) + GAP, HEIGHT + 2 * GAP), PAPER)
    left = GAP
    for tile in tiles:
        page.paste(tile, (left, GAP))
        left += tile.width + GAP
    return page


if __name__ == "__main__":
    main()
