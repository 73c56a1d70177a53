"""Command line, client of a running ComfyUI, and workflow files. Stands on `core` alone."""
