"""What the option --mask takes as the mask of a picture file."""

import numpy as np
import pytest
from PIL import Image

from amodal.app import pictures
from amodal.core.errors import BadInput

SHAPE = np.zeros((20, 30), np.uint8)
SHAPE[5:12, 8:20] = 255


def rgba(colour: int, alpha: np.ndarray) -> Image.Image:
    return Image.fromarray(np.dstack([np.full((20, 30, 3), colour, np.uint8), alpha]))


def palette() -> Image.Image:
    picture = Image.fromarray(SHAPE // 255, "P")
    picture.putpalette([0, 0, 0, 0, 0, 0])
    picture.info["transparency"] = 0
    return picture


PICTURES = {
    "gray": Image.fromarray(SHAPE),
    "colours": Image.fromarray(SHAPE).convert("RGB"),
    "one bit": Image.fromarray(SHAPE).convert("1"),
    "white on transparent": rgba(255, SHAPE),
    "black on transparent": rgba(0, SHAPE),
    "opaque with alpha": Image.merge(
        "RGBA", [Image.fromarray(SHAPE)] * 3 + [Image.new("L", (30, 20), 255)]
    ),
    "gray with alpha": Image.merge("LA", [Image.new("L", (30, 20), 9), Image.fromarray(SHAPE)]),
    "a transparent palette": palette(),
}


@pytest.mark.parametrize("form", PICTURES)
def test_every_form_of_a_mask_gives_the_same_mask(tmp_path, form):
    PICTURES[form].save(tmp_path / "mask.png", **PICTURES[form].info)
    assert np.array_equal(np.asarray(pictures.mask_picture(tmp_path / "mask.png")), SHAPE)


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (Image.new("L", (30, 20), 0), "is black"),
        (Image.new("L", (30, 20), 255), "white everywhere"),
        (Image.new("RGB", (30, 20), (255, 255, 255)), "white everywhere"),
        (Image.new("RGBA", (30, 20), (255, 255, 255, 0)), "transparent everywhere"),
    ],
)
def test_an_empty_mask_and_a_full_one_are_refused(tmp_path, picture, said):
    picture.save(tmp_path / "mask.png")
    with pytest.raises(BadInput, match=f"input 'mask' .*{said}.*Remedy"):
        pictures.mask_picture(tmp_path / "mask.png")
