"""Features where a prompt is several conditions, each of a region or under a mask.

The host calls the model for each region alone. The features of the condition that covers most of
the picture are taken, each at its place; where it does not reach, those of the next.
"""

import uuid

import comfy.model_management
import comfy.patcher_extension
import torch
import torch.nn.functional as functional

Box = tuple[int, int, int, int]  # top, left, height, width in cells of the latent


class Regions:
    """The conditions of a prompt in one call of the guider, and the features that each gave.

    prompt: gives the ids of the prompt's conditions while the guider runs.
    """

    def __init__(self, prompt):
        self.prompt = prompt
        self.conditions: dict[uuid.UUID, dict] = {}
        self.maps: dict[int, dict[uuid.UUID, torch.Tensor]] = {}

    def attach(self, transformer_options: dict) -> None:
        """Tells the prompt's conditions apart in the guider's first call with any of them."""
        comfy.patcher_extension.add_wrapper(
            comfy.patcher_extension.WrappersMP.CALC_COND_BATCH, self.name, transformer_options
        )

    def name(self, executor, model, groups, *rest):
        if not self.conditions:
            ids = self.prompt()
            groups = [group and [self.named(one, ids) for one in group] for group in groups]
        return executor(model, groups, *rest)

    def named(self, condition: dict, ids: set) -> dict:
        """The condition with an id of its own: the host's copy for a region shares its first's."""
        if condition.get("uuid") not in ids:
            return condition
        condition = {**condition, "uuid": uuid.uuid4()}
        self.conditions[condition["uuid"]] = condition
        return condition

    def keep(self, level: int, batch: torch.Tensor, options: dict, as_map=None) -> None:
        """Keeps what one call of the model gave for each condition of the prompt in its batch.

        as_map: turns a condition's rows of the batch into features [B, C, h, w].
        """
        names, kept = options.get("uuids", []), self.maps.setdefault(level, {})
        device = comfy.model_management.intermediate_device()
        for name, rows in zip(names, batch.chunk(max(len(names), 1))):
            if name in self.conditions and name not in kept:
                rows = rows.to(device, torch.float32, copy=True)
                kept[name] = as_map(rows) if as_map else rows

    def features(self, size: tuple[int, int]) -> dict[int, torch.Tensor]:
        """The features [B, C, h, w] of each level for a latent of size (height, width)."""
        return {level: self.placed(maps, size) for level, maps in self.maps.items() if maps}

    def placed(self, maps: dict, size: tuple[int, int]) -> torch.Tensor:
        """One level's features, each at its place; of the whole picture as they are."""
        order = sorted(maps, key=lambda name: coverage(self.conditions[name], size))
        last = maps[order[-1]]
        if box_of(self.conditions[order[-1]], size) == (0, 0, *size):
            return last
        canvas = last.new_zeros(*last.shape[:2], *size)
        for name in order:
            top, left, height, width = box_of(self.conditions[name], size)
            part = functional.interpolate(maps[name], (height, width), mode="nearest-exact")
            canvas[..., top : top + height, left : left + width] = part
        return canvas


def box_of(condition: dict, size: tuple[int, int]) -> Box:
    """The region of a condition in a latent of size (height, width), as the host cuts it."""
    area = condition.get("area")
    if area is None:
        return (0, 0, *size)
    sides, corner = area[: len(area) // 2][-2:], area[-2:]
    height, width = (min(whole - at, side) for whole, side, at in zip(size, sides, corner))
    return corner[0], corner[1], height, width


def coverage(condition: dict, size: tuple[int, int]) -> float:
    """How much of the picture a condition decides: its cells, times its mask and strengths."""
    top, left, height, width = box_of(condition, size)
    weight = condition.get("strength", 1.0)
    if (mask := condition.get("mask")) is not None:
        part = mask[..., top : top + height, left : left + width]
        weight *= float(part.float().mean()) * condition.get("mask_strength", 1.0)
    return height * width * weight
