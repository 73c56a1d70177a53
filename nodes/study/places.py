"""Where studies and votes are kept, and whether the study's page is on."""

from __future__ import annotations

import os
from pathlib import Path

PATH = "/amodal/study"
SWITCH = "AMODAL_STUDY"  # the environment variable that turns the page on
NAMES = "AMODAL_STUDY_HOSTS"  # the environment variable with the server's names, for the page


def page_is_on() -> bool:
    """Whether AMODAL_STUDY is 1. Without it, the pack adds no route to the host's server."""
    return os.environ.get(SWITCH) == "1"


def server_names() -> set[str]:
    """The names in AMODAL_STUDY_HOSTS, comma separated: those that people open the page with."""
    names = os.environ.get(NAMES, "").lower().split(",")
    return {name.strip() for name in names} - {""}


def studies_folder() -> Path:
    """The folder of all studies, one subfolder each, inside the host's output folder."""
    import folder_paths

    return Path(folder_paths.get_output_directory()) / "studies"


def votes_file(study: str) -> Path:
    """The SQLite file of a study's votes.

    It is outside the output folder, because the host serves the files there to anyone.
    """
    import folder_paths

    return Path(folder_paths.get_user_directory()) / "__amodal_studies" / f"{study}.sqlite"
