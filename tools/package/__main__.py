"""Builds the package for the ComfyUI registry, installs it into a fresh host and runs a workflow.

python -m tools.package [--out FOLDER] [--build-only]
"""

import argparse
import sys
from pathlib import Path

from tools.package import archive, neighbours, trial


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.package", description=__doc__)
    parser.add_argument("--out", type=Path, default=archive.ROOT / "output" / "package")
    parser.add_argument("--build-only", action="store_true", help="do not start a host")
    words = parser.parse_args()
    package = archive.build(words.out)
    print(archive.summary(package), flush=True)
    if words.build_only:
        return 0
    outcome = trial.run(package)
    print(
        f"Installed beside {' and '.join(neighbours.NAMES)}: {outcome.nodes} node classes; "
        f"{trial.WORKFLOW} ran in {outcome.seconds:.0f} s, saved {outcome.images} images, "
        f"status '{outcome.status}'"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
