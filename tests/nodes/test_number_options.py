"""Numbers on the command line and in a run's texts: plain ASCII, or refused by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from amodal.app import cli, headless
from amodal.app.client import Run
from amodal.core.errors import BadInput

ODD = ("\u00b2", "\u0663", "1_0", "9" * 5000, "", " ", "1e400", "nan", "inf", "0x1", "-")


def refused(tmp_path, *words: str) -> str:
    """What the command line says about wrong words."""
    picture = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(picture)
    options = cli.parser().parse_args(["complete", str(picture), "--out", "out", *words])
    with pytest.raises(BadInput) as error:
        cli.check(options)
    return str(error.value)


@pytest.mark.parametrize("odd", [*ODD, "-1", "1.5", "0.5"])
@pytest.mark.parametrize("place", ["{},3", "3,{}", "{0},{0},{0}"])
def test_a_point_is_two_pixels_or_two_fractions(tmp_path, odd, place):
    said = refused(tmp_path, f"--point={place.format(odd)}")
    assert "input 'point'" in said and "X,Y" in said


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.floats(0, 1), st.floats(0, 1))
def test_every_pixel_and_every_fraction_is_a_point(x, y, across, down):
    assert cli.is_point(f"{x}, {y}")
    assert cli.is_point(f"{across:.6f},{down:.6f}")
    assert not cli.is_point(f"{across + 1.1:.6f},{down:.6f}")


@given(st.text(max_size=6), st.text(max_size=6))
def test_any_pair_of_texts_is_a_point_of_plain_digits_or_none(x, y):
    found = headless.point(f"{x},{y}")
    assert found is None or [str(n).lstrip("-") for n in found] == [
        text.strip().lstrip("+-").lstrip("0") or "0" for text in (x, y)
    ]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("option", ["--seed", "--count"])
def test_other_numbers_are_refused_by_their_option(tmp_path, capsys, option, odd):
    with pytest.raises(SystemExit):
        cli.parser().parse_args(["complete", "a.png", "--out", "out", f"{option}={odd}"])
    assert option in capsys.readouterr().err


@pytest.mark.parametrize("odd", ODD)
def test_the_texts_of_a_run_may_hold_anything(odd):
    run = Run("id", {"passes": [{"text": [odd, "2"]}], "offset": [{"text": [f"{odd},3"]}]}, {}, [])
    names = {**dict.fromkeys(headless.TEXTS), "passes": "passes", "offset": "offset"}
    summary = headless.summary(run, {}, names)
    assert (summary["passes"], summary["offset"]) == (2, [None])
