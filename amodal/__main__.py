"""`python -m amodal complete PICTURE --out DIR`, `batch SOURCE --out DIR`, and `serve`."""

from .app.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
