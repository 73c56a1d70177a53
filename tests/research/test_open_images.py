"""Pseudo-occluded objects from Open Images' files, on a made-up handful in its layout."""

import csv

import numpy as np
import pytest
from PIL import Image

from amodal.core.errors import BadInput
from research.dataset import __main__, builder, open_images

NAMES = {"/m/01": "Cup", "/m/02": "Plate", "/m/03": "Fork"}
SIZE = (120, 90)
# mask, picture, label, box, (occluded, truncated, group) or None where the boxes lack it
ROWS = [
    (f"{n}.png", f"p{n}", f"/m/0{n % 3 + 1}", (30 + n, 20, 70 + n, 60 + n), (0, 0, 0))
    for n in range(6)
]
ODD = {
    "occluded": ("o_m01_b.png", "p0", "/m/01", (80, 10, 110, 50), (1, 0, 0)),
    "truncated": ("t_m01_b.png", "p1", "/m/01", (80, 10, 110, 50), (0, 1, 0)),
    "group": ("g_m01_b.png", "p2", "/m/02", (80, 10, 110, 50), (0, 0, 1)),
    "unknown": ("u_m01_b.png", "p3", "/m/02", (80, 10, 110, 50), (-1, 0, 0)),
    "no box": ("n_m01_b.png", "p4", "/m/02", (80, 10, 110, 50), None),
    "border": ("e_m01_b.png", "p5", "/m/01", (90, 10, 120, 50), (0, 0, 0)),
    "small": ("s_m01_b.png", "p0", "/m/03", (2, 62, 12, 72), (0, 0, 0)),
}


def shares(box) -> list[str]:
    """XMin, XMax, YMin, YMax as fractions."""
    x0, y0, x1, y1 = box
    return [f"{v:.6f}" for v in (x0 / SIZE[0], x1 / SIZE[0], y0 / SIZE[1], y1 / SIZE[1])]


def write(path, head, rows):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([head, *rows])
    return path


@pytest.fixture
def made(tmp_path):
    """{option: path} of the whole objects of ROWS and of all that ODD says."""
    rng = np.random.default_rng(5)
    for folder in ("masks", "pictures"):
        (tmp_path / folder).mkdir()
    every = [*ROWS, *ODD.values()]
    for picture in {row[1] for row in every}:
        pixels = rng.integers(0, 255, (*SIZE[::-1], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{picture}.jpg")
    for name, _, _, (x0, y0, x1, y1), _ in every:
        mask = np.zeros((SIZE[1] * 2, SIZE[0] * 2), bool)  # masks have sizes of their own
        mask[2 * y0 : 2 * y1, 2 * x0 : 2 * x1] = True
        Image.fromarray(mask).save(tmp_path / "masks" / name)
    segments = [[m, p, label, "b", *shares(box), "0.9", ""] for m, p, label, box, _ in every]
    boxes = [
        [p, "xclick", label, "1", *shares(box), *flags, "0", "0"]
        for _, p, label, box, flags in every
        if flags is not None
    ]
    return {
        "segmentations": write(
            tmp_path / "segmentation.csv",
            [
                "MaskPath",
                "ImageID",
                "LabelName",
                "BoxID",
                "BoxXMin",
                "BoxXMax",
                "BoxYMin",
                "BoxYMax",
                "PredictedIoU",
                "Clicks",
            ],
            segments,
        ),
        "masks": tmp_path / "masks",
        "pictures": tmp_path / "pictures",
        "classes": write(tmp_path / "classes.csv", *split(NAMES)),
        "boxes": write(
            tmp_path / "bbox.csv",
            [
                "ImageID",
                "Source",
                "LabelName",
                "Confidence",
                "XMin",
                "XMax",
                "YMin",
                "YMax",
                "IsOccluded",
                "IsTruncated",
                "IsGroupOf",
                "IsDepiction",
                "IsInside",
            ],
            boxes,
        ),
    }


def split(names: dict) -> tuple:
    """The file of classes has no head: its first row is a class."""
    first, *rest = names.items()
    return first, rest


def test_flags_tell_what_is_whole(made):
    source = open_images.Segmentations(**made)
    assert [source.masks[entry.id] for entry in source.objects] == [row[0] for row in ROWS]
    assert [entry.category for entry in source.objects] == ["cup", "plate", "fork"] * 2
    assert source.co_occurring == {"cup": "fork", "plate": "cup", "fork": "cup"}


def test_without_flags_no_other_box_reaches_into_a_whole_one(made):
    """All of these lie apart, until one more is added."""
    made["boxes"] = None
    kept = set(open_images.Segmentations(**made).masks.values())
    alone = {ODD[name][0] for name in ("occluded", "truncated", "group", "unknown", "no box")}
    assert kept == {row[0] for row in ROWS} | alone
    with open(made["segmentations"], "a", newline="") as file:
        csv.writer(file).writerow(["x.png", *ROWS[2][1:3], "b", *shares((40, 30, 60, 50)), "", ""])
    assert ROWS[2][0] not in open_images.Segmentations(**made).masks.values()


def test_masks_are_brought_to_their_pictures_size(made):
    source = open_images.Segmentations(**made)
    whole = source.load(source.objects[1])
    x0, y0, x1, y1 = ROWS[1][3]
    assert whole.picture.shape == (90, 120, 3) and whole.mask.sum() == (x1 - x0) * (y1 - y0)
    assert whole.mask[y0:y1, x0:x1].all()


def test_a_mask_in_several_parts_is_not_used(made):
    source = open_images.Segmentations(**made)
    path = made["masks"] / ROWS[1][0]
    mask = np.array(Image.open(path))
    mask[:, 100:110] = False  # through the middle
    Image.fromarray(mask).save(path)
    assert not source.load(source.objects[1]).mask.any()


def test_what_is_not_in_the_folders_is_left_out(made):
    (made["masks"] / ROWS[0][0]).unlink()
    (made["pictures"] / "p1.jpg").unlink()
    source = open_images.Segmentations(**made)
    assert [entry.picture for entry in source.objects] == ["p2.jpg", "p3.jpg", "p4.jpg", "p5.jpg"]


def test_the_command_makes_a_set(made, tmp_path):
    words = [word for name, path in made.items() for word in (f"--{name}", str(path))]
    words = ["openimages", *words, "--easy", "3", "--hard", "3", "--least-categories", "3"]
    for name, workers in (("a", "1"), ("b", "2")):
        out = ["--workers", workers, "--out", str(tmp_path / name)]
        assert __main__.main([*words, *out]) == 0
    one, other = (
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*.*")}
        for name in ("a", "b")
    )
    assert one == other and len(one) == 2 + 6 * 5
    for line in builder.read(tmp_path / "a"):
        assert line["category"] in ("cup", "plate", "fork") and 0.2 <= line["hidden"] <= 0.8


def cut(path, column: str) -> None:
    with open(path, newline="") as file:
        head, *rest = csv.reader(file)
    at = head.index(column)
    write(path, head[:at] + head[at + 1 :], [row[:at] + row[at + 1 :] for row in rest])


@pytest.mark.parametrize(
    "spoil, said",
    [
        (lambda made: cut(made["segmentations"], "BoxXMin"), "segmentation.csv.*lacks.*BoxXMin"),
        (lambda made: cut(made["boxes"], "IsTruncated"), "bbox.csv.*lacks.*IsTruncated"),
        (lambda made: made["boxes"].unlink(), "boxes.*cannot be read"),
        (lambda made: made["segmentations"].write_text(""), "lacks the columns MaskPath"),
        (lambda made: made["classes"].write_text("a,b\n"), "names no class"),
        (lambda made: made["classes"].write_text("/m/01,Cup\n"), "lack /m/02"),
        (lambda made: made.update(masks=made["pictures"]), "no whole object"),
        (
            lambda made: made["segmentations"].write_text(
                ",".join(open_images.SEGMENT) + "\nm,p,/m/01,0,wide,0,1\n"
            ),
            "line 2.*wide",
        ),
        (lambda made: made["segmentations"].write_bytes(b"\xff\xfe"), "segmentation.csv, line 0"),
        (lambda made: made["classes"].write_bytes(b"\xff\xfe"), "names no class"),
        (
            lambda made: made["segmentations"].write_text(
                ",".join(open_images.SEGMENT) + f"\n{'m' * 200_000},p,/m/01,0,1,0,1\n"
            ),
            "larger than field limit",
        ),
        *(
            (
                lambda made, written=written: made["segmentations"].write_text(
                    ",".join(open_images.SEGMENT) + f"\nm,p,/m/01,0,{written},0,1\n"
                ),
                "line 2",
            )
            for written in ("1e400", "nan", "-inf", "1e300", "\u00b2")
        ),
    ],
)
def test_bad_files_say_what_to_do(made, spoil, said):
    spoil(made)
    with pytest.raises(BadInput, match=said):
        open_images.Segmentations(**made)
