"""The node that saves pictures for a user study (section 4.1); `server` shows them."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from comfy_api.latest import io, ui

from ...amodal.core import validate
from ...amodal.core.errors import BadInput
from ..common import CATEGORY, names_itself
from .places import PATH, SWITCH, page_is_on, studies_folder, votes_file

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


class AddToStudy(io.ComfyNode):
    """Saves the completions of one method as pictures of a user study."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AmodalAddToStudy",
            display_name="Add To Study (Amodal)",
            category=f"{CATEGORY}/evaluation",
            description="Saves the completions of one method for a user study. Start ComfyUI with "
            "the environment variable AMODAL_STUDY=1 to turn on the study's page, /amodal/study/ "
            "on this server.",
            is_input_list=True,
            is_output_node=True,
            inputs=[
                io.Image.Input("images", tooltip="The completions by this method."),
                io.String.Input(
                    "study",
                    default="study",
                    tooltip="Name of the study: a folder in output/studies.",
                ),
                io.String.Input(
                    "method",
                    default="ours",
                    tooltip="Name of the method. Raters do not see it.",
                ),
                io.String.Input(
                    "name",
                    default="picture",
                    tooltip="Name of the picture, the same for every method. Give a list of names "
                    "for several pictures; with one name, they are numbered.",
                ),
                io.Image.Input(
                    "original",
                    optional=True,
                    tooltip="The original pictures, shown beside the completions: one for each "
                    "completion, or one for all. Connect them for one method only.",
                ),
            ],
            outputs=[
                io.String.Output(
                    display_name="page",
                    tooltip="Path of the study's page on this server. If the page is off, how to "
                    "turn it on.",
                )
            ],
        )

    @classmethod
    @names_itself
    def execute(
        cls,
        images: list[torch.Tensor],
        study: list[str],
        method: list[str],
        name: list[str],
        original: list[torch.Tensor] | None = None,
    ) -> io.NodeOutput:
        from ...amodal.study import folder

        study_name, method_name = one_name(study, "study"), one_name(method, "method")
        if method_name.casefold() == folder.ORIGINAL:
            raise BadInput(
                "method",
                f"is '{method_name}', the folder of the original pictures",
                "choose another name, and connect the original pictures to the input 'original'",
            )
        pictures = validate.each_picture(images, "images")
        names = picture_names(name, len(pictures))
        save(study_name, method_name, dict(zip(names, pictures)))
        if original is not None:
            originals = validate.each_picture(original, "original")
            originals = for_each(originals, len(names))
            save(study_name, folder.ORIGINAL, dict(zip(names, originals)))
        page = where(study_name)
        return io.NodeOutput(page, ui=ui.PreviewText(page))


def where(study: str) -> str:
    """The path of the study's page, or how to turn the page on."""
    path = f"{PATH}/{study}/"
    if page_is_on():
        return path
    return (
        f"The study's page is off. Restart ComfyUI with the environment variable {SWITCH}=1, "
        f"then open {path}"
    )


def one_name(given: list[str], input: str) -> str:
    """The only name in a list: nodes that take lists get widgets as lists of length 1.

    Raises BadInput for several different names, or a name that cannot be a file name.
    """
    if len(set(given)) > 1:
        raise BadInput(input, f"is a list of {len(given)}", "give one name for all pictures")
    return valid(given[0], input)


def valid(name: str, input: str) -> str:
    """The name without surrounding spaces. Raises BadInput if it cannot be a file name."""
    from ...amodal.study.folder import is_name

    name = name.strip()
    if not is_name(name):
        raise BadInput(
            input,
            f"is {json.dumps(name)}, which is not a valid file name on every system",
            "use at most 64 letters, digits, spaces and ._-()+=, starting with a letter or digit",
        )
    return name


def picture_names(given: list[str], count: int) -> list[str]:
    """A name for each of `count` pictures; a single name for several pictures is numbered.

    Raises BadInput if the names are not valid, not distinct, or not `count`.
    """
    if len(given) == 1 and count > 1:
        digits = len(str(count))
        given = [f"{given[0].strip()}_{number:0{digits}}" for number in range(1, count + 1)]
    names = [valid(name, "name") for name in given]
    if len(names) != count:
        raise BadInput(
            "name",
            f"is a list of {len(names)} for {count} pictures",
            "give one name for each picture, or a single name to be numbered",
        )
    if len({name.casefold() for name in names}) < count:
        raise BadInput("name", "contains a name twice", "give each picture a different name")
    return names


def for_each(originals: list[torch.Tensor], count: int) -> list[torch.Tensor]:
    """The originals, repeated if there is only one. Raises BadInput for any other number."""
    if len(originals) == 1:
        return originals * count
    if len(originals) != count:
        raise BadInput(
            "original",
            f"has {len(originals)} pictures for {count} completions",
            "connect one for each completion, or one for all",
        )
    return originals


def save(study: str, part: str, pictures: dict[str, torch.Tensor]) -> None:
    """Writes pictures, [h, w, 3 or 4] float 0..1, as PNG files.

    Raises BadInput if a picture that already has votes would change, if a folder or file of the
    study is a link, or if a file cannot be written.
    """
    from PIL import Image

    target, judged = studies_folder() / study / part, voted_on(study)
    try:
        for folder in (target.parents[1], target.parent, target):
            no_link(study, folder)
            folder.mkdir(parents=True, exist_ok=True)
        for name, picture in pictures.items():
            file = no_link(study, target / f"{name}.png")
            pixels = Image.fromarray((picture * 255).round().clamp(0, 255).byte().cpu().numpy())
            if name in judged and file.is_file() and not same(file, pixels):
                raise BadInput(
                    "study",
                    f"is '{study}', in which '{name}' already has votes",
                    "save the new completions into another study",
                )
            write(file, pixels)
    except OSError as error:
        raise BadInput(
            "study",
            f"is '{study}', whose files cannot be written ({error})",
            "make room there, and check that you may write there",
        ) from None


def no_link(study: str, path: Path) -> Path:
    """The path. Raises BadInput if it is a link: writing would change a place outside the study."""
    if path.is_symlink():
        raise BadInput(
            "study",
            f"is '{study}', in which {path} is a link",
            "remove the link, or save into another study",
        )
    return path


def write(file: Path, pixels: Picture) -> None:
    """Writes a PNG by way of a new file, so that an open page never gets an incomplete picture."""
    part_file = file.with_suffix(".part")
    part_file.unlink(missing_ok=True)  # of a run that was cut short; or a link
    with open(part_file, "xb") as new:
        pixels.save(new, "PNG", compress_level=4)
    os.replace(part_file, file)


def voted_on(study: str) -> set[str]:
    """Names of the study's pictures that have votes. Raises BadInput if these cannot be read."""
    from ...amodal.study.votes import Votes

    file = votes_file(study)
    if not file.is_file():
        return set()
    try:
        return {vote.item for vote in Votes(file).all()}
    except (sqlite3.Error, OSError, ValueError) as error:
        raise BadInput(
            "study",
            f"is '{study}', whose file of votes {file} cannot be read ({error})",
            "mend or move that file, or save into another study",
        ) from None


def same(file: Path, pixels: Picture) -> bool:
    """Whether the file holds exactly these pixels."""
    from PIL import Image

    try:
        with Image.open(file, formats=["PNG"]) as saved:
            return saved.mode == pixels.mode and saved.tobytes() == pixels.tobytes()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False


NODES = [AddToStudy]
