"""Pictures for a user study (section 4.1); study_server.py shows them and takes the votes."""

import json
import os
from pathlib import Path

import torch
from comfy_api.latest import io

from ...amodal.core.errors import BadInput
from ..common import CATEGORY, names_itself


def studies_folder() -> Path:
    """Where studies lie: a folder each, in the host's output folder."""
    import folder_paths

    return Path(folder_paths.get_output_directory()) / "studies"


def votes_file(study: str) -> Path:
    """Where a study's votes are kept. Not beside its pictures: the host serves those to anyone."""
    import folder_paths

    return Path(folder_paths.get_user_directory()) / "__amodal_studies" / f"{study}.sqlite"


class AddToStudy(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalAddToStudy",
            display_name="Add To Study (Amodal)",
            category=f"{CATEGORY}/evaluation",
            description="Saves completions as one method's part of a user study. The study's page "
            "is this server's /amodal/study/.",
            is_input_list=True,
            is_output_node=True,
            inputs=[
                io.Image.Input("images", tooltip="The completions by this method."),
                io.String.Input(
                    "study",
                    default="study",
                    tooltip="The study's name: a folder in output/studies.",
                ),
                io.String.Input(
                    "method",
                    default="ours",
                    tooltip="The method's name. Raters do not see it.",
                ),
                io.String.Input(
                    "name",
                    default="picture",
                    tooltip="The picture's name, the same for every method. Several pictures need "
                    "a list of names, or are numbered.",
                ),
                io.Image.Input(
                    "original",
                    optional=True,
                    tooltip="What was completed, shown beside the completions; one for each of "
                    "them, or one for all. Only one of the methods need give it.",
                ),
            ],
            outputs=[
                io.String.Output(
                    display_name="page", tooltip="The path of the study's page on this server."
                )
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, images, study, method, name, original=None):
        from ...amodal.study import folder

        study, method = one_name(study, "study"), one_name(method, "method")
        if method.casefold() == folder.ORIGINAL:
            raise BadInput(
                "method",
                f"is '{method}', the place of the originals",
                "connect those to the input 'original' and name the method otherwise",
            )
        pictures = [picture for batch in images for picture in batch]
        names = picture_names(name, len(pictures))
        save(study, method, dict(zip(names, pictures)))
        if original is not None:
            originals = [picture for batch in original for picture in batch]
            save(study, folder.ORIGINAL, dict(zip(names, for_each(originals, len(names)))))
        return io.NodeOutput(f"/amodal/study/{study}/")


def one_name(given: list[str], input: str) -> str:
    """A widget of a node that takes lists comes as a list of one; links may bring more."""
    if len(set(given)) > 1:
        raise BadInput(input, f"is a list of {len(given)}", "give one name for all pictures")
    return valid(given[0], input)


def valid(name: str, input: str) -> str:
    from ...amodal.study.folder import is_name

    name = name.strip()
    if not is_name(name):
        raise BadInput(
            input,
            f"is {json.dumps(name)}, which cannot be a file's name everywhere",
            "use letters, digits, spaces and ._-()+=, 64 at most, a letter or digit first",
        )
    return name


def picture_names(given: list[str], count: int) -> list[str]:
    """A name for each of `count` pictures; one name for several is numbered."""
    if len(given) == 1 and count > 1:
        digits = len(str(count))
        given = [f"{given[0].strip()}_{number:0{digits}}" for number in range(1, count + 1)]
    names = [valid(one, "name") for one in given]
    if len(names) != count:
        raise BadInput(
            "name",
            f"is a list of {len(names)} for {count} pictures",
            "give a name for each picture, or one, which is numbered",
        )
    if len({one.casefold() for one in names}) < count:
        raise BadInput("name", "has a name twice", "give each picture a name of its own")
    return names


def for_each(originals: list[torch.Tensor], count: int) -> list[torch.Tensor]:
    if len(originals) == 1:
        return originals * count
    if len(originals) != count:
        raise BadInput(
            "original",
            f"holds {len(originals)} pictures for {count} completions",
            "connect one for each completion, or one for all",
        )
    return originals


def save(study: str, part: str, pictures: dict[str, torch.Tensor]) -> None:
    """Writes [h, w, 3 or 4] float pictures as PNG, unless they would change what was voted on."""
    from PIL import Image

    place = studies_folder() / study / part
    place.mkdir(parents=True, exist_ok=True)
    judged = voted_on(study)
    for name, picture in pictures.items():
        file = place / f"{name}.png"
        pixels = Image.fromarray((picture * 255).round().clamp(0, 255).byte().cpu().numpy())
        if name in judged and file.is_file() and not same(file, pixels):
            raise BadInput(
                "study",
                f"is '{study}', where '{name}' has been voted on as it was",
                "save the new completions into another study",
            )
        half = file.with_suffix(".part")  # a page that is open never sees half a picture
        pixels.save(half, "PNG", compress_level=4)
        os.replace(half, file)


def voted_on(study: str) -> set[str]:
    """The pictures of a study that have votes."""
    from ...amodal.study.votes import Votes

    file = votes_file(study)
    return {vote.item for vote in Votes(file).all()} if file.is_file() else set()


def same(file: Path, pixels) -> bool:
    from PIL import Image

    with Image.open(file) as saved:
        return saved.mode == pixels.mode and saved.tobytes() == pixels.tobytes()


NODES = [AddToStudy]
