"""`python -m amodal complete PICTURE --out DIR` and `python -m amodal serve`."""

from .app.cli import main

raise SystemExit(main())
