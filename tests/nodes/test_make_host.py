"""The environment's maker: does nothing when all is there, starts over when it is not."""

import sys

import pytest

from tools.host import make_host


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv("AMODAL_COMFYUI", raising=False)
    return tmp_path / "env"


@pytest.fixture
def steps(monkeypatch):
    """The steps that would be run, which then are only noted; each leaves its trace."""
    done = []

    def install(folder):
        done.append("install")
        python = folder / "venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.touch()
        return python

    monkeypatch.setattr(make_host, "install_packages", install)
    monkeypatch.setattr(make_host, "unpack_comfyui", lambda *_: done.append("unpack"))
    monkeypatch.setattr(make_host, "run", lambda what, *_: done.append(what))
    return done


ALL = ["install", "unpack", "checking the imports"]


def test_made_once_and_again_when_the_recipe_changes(folder, steps, monkeypatch):
    python = make_host.make(folder)
    assert steps == ALL and python.is_file()
    assert make_host.make(folder) == python and steps == ALL
    monkeypatch.setattr(make_host, "FRONTEND", "another==1")
    make_host.make(folder)
    assert steps == ALL * 2


def test_a_half_made_environment_is_made_anew(folder, steps, monkeypatch):
    def fail(*_):
        raise SystemExit("no network")

    with monkeypatch.context() as broken:
        broken.setattr(make_host, "unpack_comfyui", fail)
        with pytest.raises(SystemExit):
            make_host.make(folder)
    (folder / "venv" / "left-over").touch()
    steps.clear()
    make_host.make(folder)
    assert steps == ALL and not (folder / "venv" / "left-over").exists()


def test_the_stamp_comes_last(folder, steps, monkeypatch):
    def look(what, *_):
        assert not (folder / make_host.STAMP).exists()

    monkeypatch.setattr(make_host, "run", look)
    make_host.make(folder)
    assert (folder / make_host.STAMP).read_text() == make_host.recipe()


def test_a_comfyui_of_ones_own_is_left_alone(folder, steps, monkeypatch, tmp_path):
    (tmp_path / "main.py").touch()
    monkeypatch.setenv("AMODAL_COMFYUI", str(tmp_path))
    monkeypatch.setenv("AMODAL_PYTHON", sys.executable)
    assert str(make_host.make(folder)) == sys.executable
    assert steps == [] and not folder.exists()
