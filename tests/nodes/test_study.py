"""A user study's folder: a different order of trials for each rater; names stay inside."""

import contextlib
import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from amodal.study.folder import Study, StudyError, is_name, open_study, settings, studies


def make(root, methods=("a", "b", "c"), items=("chair", "cup", "owl", "zebra"), **settings):
    """A study's folder `root/s` with pictures of 4 x 4 pixels."""
    for part in ("original", *methods):
        (root / "s" / part).mkdir(parents=True)
        for item in items:
            Image.new("RGB", (4, 4)).save(root / "s" / part / f"{item}.png")
    if settings:
        (root / "s" / "study.json").write_text(json.dumps(settings))
    return root / "s"


def test_a_row_shows_all_methods_and_a_pair_shows_two(tmp_path):
    folder = make(tmp_path)
    rows = Study(folder).trials()
    assert len(rows) == 4 and all(trial.methods == ("a", "b", "c") for trial in rows)
    (folder / "study.json").write_text('{"show": "pairs"}')
    pairs = Study(folder).trials()
    assert len(pairs) == len({trial.key for trial in pairs}) == 12
    counts = Counter("".join(trial.methods) for trial in pairs)
    assert counts == {"ab": 4, "ac": 4, "bc": 4}


def test_the_order_depends_on_seed_and_rater_only(tmp_path):
    folder = make(tmp_path, items=[f"picture {n}" for n in range(30)])
    study, reopened = Study(folder), Study(folder)

    def order(study, rater):
        return [(t.item, study.methods_for(rater, t)) for t in study.trials_for(rater)]

    assert order(study, "ann") == order(reopened, "ann")
    assert order(study, "ann") != order(study, "ben")
    assert sorted(item for item, _ in order(study, "ann")) == study.items
    (folder / "study.json").write_text('{"seed": 1}')
    assert order(Study(folder), "ann") != order(study, "ann")
    firsts = Counter(methods[0] for r in range(20) for _, methods in order(study, f"rater {r}"))
    assert all(abs(firsts[method] - 200) < 60 for method in "abc")  # of 600; sd 11.5


def test_pictures_missing_in_a_folder_are_left_out_and_counted(tmp_path):
    folder = make(tmp_path)
    (folder / "b" / "owl.png").unlink()
    (folder / "c" / "only c.png").write_bytes(b"")
    (folder / "a" / "notes.txt").write_text("no picture")
    study = Study(folder)
    assert study.items == ["chair", "cup", "zebra"] and study.left_out == 2


def test_a_picture_may_have_different_suffixes(tmp_path):
    folder = make(tmp_path)
    (folder / "original" / "owl.png").rename(folder / "original" / "owl.JPG")
    assert "owl" in Study(folder).items


@pytest.mark.parametrize(
    "settings, message",
    [
        ("{", "not valid JSON"),
        ('{"shows": "rows"}', "may contain only"),
        ("[]", "may contain only"),
        ('{"show": "all"}', "must be one of rows, pairs"),
        ('{"seed": "x"}', "an integer"),
    ],
)
def test_the_error_names_invalid_settings(tmp_path, settings, message):
    folder = make(tmp_path)
    (folder / "study.json").write_text(settings)
    with pytest.raises(StudyError, match=message):
        Study(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"\0",
        b"[" * 100_000,
        b'{"question":' * 100_000,
        b'{"seed": NaN}',
        b'{"seed": 1e400}',
        b'{"seed": 1.0}',
        b'{"seed": true}',
        b'{"seed": null}',
        b'{"seed": ' + b"1" * 5000 + b"}",
        b'{"show": ["rows"]}',
        b'{"show": {}}',
        b'{"question": 3}',
        b"null",
    ],
    ids=lambda content: ascii(content)[:30],
)
def test_settings_of_any_bytes_are_refused_by_name(tmp_path, content):
    folder = make(tmp_path)
    (folder / "study.json").write_bytes(content)
    with pytest.raises(StudyError, match="s/study.json"):
        open_study(tmp_path, "s")


@given(st.binary(max_size=30))
def test_random_bytes_are_settings_or_refused(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("study")
    (folder / "study.json").write_bytes(content)
    with contextlib.suppress(StudyError):
        settings(folder)


def test_a_question_of_a_lone_surrogate_can_be_shown(tmp_path):
    folder = make(tmp_path)
    (folder / "study.json").write_text('{"question": "which \\ud800?"}')
    assert Study(folder).question.encode() == b"which \\ud800?"


def test_settings_are_not_read_through_a_link(tmp_path):
    folder = make(tmp_path)
    (tmp_path / "outside.json").write_text('{"question": "secret"}')
    (folder / "study.json").symlink_to(tmp_path / "outside.json")
    with pytest.raises(StudyError, match="study.json is a link"):
        Study(folder)


def test_a_folder_that_cannot_be_read_is_refused_without_its_path(tmp_path, monkeypatch):
    make(tmp_path)

    def fail(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("amodal.study.folder.pictures", fail)
    with pytest.raises(StudyError, match="'s' cannot be read: Permission denied") as caught:
        open_study(tmp_path, "s")
    assert str(tmp_path) not in str(caught.value)


def test_a_study_with_nothing_to_compare_is_refused(tmp_path):
    with pytest.raises(StudyError, match="has 1 methods"):
        Study(make(tmp_path / "one", methods=("a",)))
    folder = make(tmp_path / "two", methods=("a", "b"), items=("cup",))
    (folder / "b" / "cup.png").rename(folder / "b" / "mug.png")
    with pytest.raises(StudyError, match="in all of its folders"):
        Study(folder)


@pytest.mark.parametrize(
    "name",
    [
        "..",
        ".",
        "",
        "a/b",
        "a\\b",
        "../s",
        "/etc",
        "s.",
        " s",
        ".s",
        "s\0",
        "CON",
        "nul.x",
        "a\nb",
        "x" * 65,
        "a:b",
        "~",
    ],
)
def test_a_name_cannot_lead_outside_the_folder(tmp_path, name):
    make(tmp_path)
    assert not is_name(name)
    with pytest.raises(LookupError):
        open_study(tmp_path, name)


def test_links_are_not_pictures_of_the_study(tmp_path):
    folder = make(tmp_path, methods=("a", "b"))
    secret = tmp_path / "secret.png"
    Image.new("RGB", (4, 4)).save(secret)
    for part in ("original", "a", "b"):
        (folder / part / "secret.png").symlink_to(secret)
    (folder / "away").symlink_to(tmp_path, target_is_directory=True)
    study = Study(folder)
    (tmp_path / "linked").symlink_to(folder, target_is_directory=True)
    (tmp_path / "all").symlink_to(tmp_path, target_is_directory=True)
    assert studies(tmp_path) == ["s"] and studies(tmp_path / "all") == []
    with pytest.raises(LookupError):
        open_study(tmp_path, "linked")
    assert "secret" not in study.items and study.left_out == 0 and study.methods == ("a", "b")
