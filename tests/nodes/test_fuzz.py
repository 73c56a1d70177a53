"""A short fuzz session in the real host: nothing goes wrong, and a case can be repeated."""

from random import Random

import pytest
import torch

from tools.fuzz import __main__ as fuzz
from tools.fuzz import values

pytestmark = pytest.mark.slow
CASES = 40  # of each kind; `nox -s fuzz` runs thousands


@pytest.fixture(scope="module")
def session(real_host):
    return fuzz.Session()


@pytest.mark.parametrize("kind", sorted(set(fuzz.KINDS)))
def test_no_case_ends_in_another_error_or_silently_wrong(session, kind):
    for number in range(CASES):
        outcome, what = session.attempt(kind, fuzz.Random(f"test {number}"), f"{kind} {number}")
        assert outcome in ("refused by name", "right"), f"{kind} {number}: {what}"


def test_seed_and_number_decide_a_case(session):
    first, again = (session.attempt("inputs", fuzz.Random("test 3"), name) for name in "ab")
    assert first == again


def test_what_goes_wrong_is_counted(session):
    """An error of Python, a picture beyond 1, and NaN are not taken for right."""
    import torch

    assert fuzz.judged(ValueError("list index out of range"))[0] == "raw error"
    assert fuzz.is_wrong(torch.full((1, 2, 2, 3), 1.5), "IMAGE")
    assert fuzz.is_wrong({"samples": torch.tensor([float("nan")])}, "LATENT")
    assert not fuzz.is_wrong(torch.full((2, 2), float("nan")), "AMODAL_ORDER")


def test_any_tensor_can_be_made_odd():
    for seed in range(200):
        for tensor in (torch.ones(2, 3, dtype=torch.bool), torch.ones(2, 3, dtype=torch.int64)):
            assert isinstance(values.odd(Random(seed), tensor), torch.Tensor)
            assert isinstance(values.damaged(Random(seed), tensor), torch.Tensor)
