"""A loop of core nodes that grows a mask until it fills a target."""

import torch

from amodal.core.types import OcclusionReport
from tools.host.inprocess import Graph

SIZE = 64


def square(side: int) -> torch.Tensor:
    """A mask [1, 64, 64] with a centred square of the given side."""
    mask = torch.zeros(1, SIZE, SIZE)
    edge = (SIZE - side) // 2
    mask[:, edge : edge + side, edge : edge + side] = 1
    return mask


def growing_loop(
    target: int = 40,
    step: int = 4,
    cap: int = 6,
    begin: int = 16,
    previews: bool = False,
    picture=None,
    one_sided: bool = False,
) -> Graph:
    """Each pass grows the mask by `step` pixels; the rest of the target counts as the occluder.

    The occluder surrounds the object unless it is `one_sided`. The body is one that a user could
    wire: Grow Mask takes the place of sampling, and depends on Check Occlusion.
    """
    graph = Graph()
    image = graph.value("image", torch.rand(1, SIZE, SIZE, 3) if picture is None else picture)
    mask = graph.value(f"mask{begin}", square(begin))
    shape = square(target)
    if one_sided:
        shape[..., : SIZE // 2] = square(begin)[..., : SIZE // 2]
    whole = graph.value(f"target{target}{one_sided}", shape)
    nothing = graph.add("SolidMask", value=0.0, width=SIZE, height=SIZE)
    start = graph.add("AmodalLoopStart", "start", image=image, modal_mask=mask)
    left = graph.add(
        "MaskComposite", "left", destination=whole, source=start[2], x=0, y=0, operation="subtract"
    )
    check = graph.add(
        "AmodalCheckOcclusion",
        "check",
        occluder_mask=left,
        padding_mask=nothing,
        modal_mask=start[2],
        occlusion=graph.value("square in front", OcclusionReport(occluders=("square",))),
        dilate=0.0,
    )
    grown = graph.add("GrowMask", "grow", mask=start[2], expand=step, tapered_corners=False)
    painted = graph.add(
        "MaskComposite",
        "painted",
        destination=check[0],
        source=grown,
        x=0,
        y=0,
        operation="multiply",
    )
    joined = graph.add(
        "MaskComposite", "joined", destination=start[2], source=painted, x=0, y=0, operation="add"
    )
    end = graph.add(
        "AmodalLoopEnd",
        "end",
        loop=start,
        occluded=check[1],
        occlusion=check[2],
        image=start[1],
        amodal_mask=joined,
        canvas=start[3],
        max_passes=cap,
    )
    if previews:
        graph.add("MaskPreview", "preview", mask=painted)
        graph.add("MaskPreview", "analysis", mask=left)
    return graph.keep(mask=end[1], status=end[3], passes=end[4], report=end[5], warnings=end[6])
