"""Benchmarks of the whole workflow, of its loop, and of the tensors it holds, for `bench`."""

from __future__ import annotations

import statistics

from tools.bench.bench_scenes import scene_picture, workflow
from tools.bench.bench_stages import seconds_of
from tools.bench.clock import Clock, canvas_sized

IN_A_PASS = ("LoopStart", "PadIfTouching", "CropToObject", "PasteBack", "LoopEnd")


def stages(host, clock: Clock, rounds: int) -> list[tuple[str, str]]:
    """Share of each node class in the time of the workflow, and the share of the executor."""
    image, _, word = scene_picture(seed=5, query="cat", occluder="co-occurring")
    host.run(workflow("bench", image, word, 0))
    shares, kinds = [], {}
    for round_ in range(1, rounds + 1):
        prompt = workflow("bench", image, word, round_)
        host.forget()
        clock.reset()
        whole = seconds_of(host.run, prompt)
        shares.append(1 - clock.inside / whole)
        for kind, times in clock.by_class.items():
            kinds.setdefault(kind, []).append(sum(times) / whole)
    medians = {kind: statistics.median(values) for kind, values in kinds.items()}
    top = sorted(medians.items(), key=lambda item: -item[1])[:12]
    rows = [(f"share of {kind}", f"{share:.1%}") for kind, share in top]
    return [
        *rows,
        ("share of the executor, model loading included", f"{statistics.median(shares):.1%}"),
    ]


def loop_overhead(host, clock: Clock, rounds: int) -> list[tuple[str, str]]:
    """The executor's share of a loop of six passes that all paint (see `keep_painting`)."""
    image, _, word = scene_picture(seed=5, query="cat", occluder="co-occurring")
    shares, counts = [], []
    for round_ in range(rounds):
        loading, measured = (
            keep_painting(workflow("bench", image, word, seed, steps=50, max_passes=6))
            for seed in (round_, 1000 + round_)
        )
        host.forget()
        host.run(loading)
        clock.reset()
        whole = seconds_of(host.run, measured)
        shares.append(1 - clock.inside / whole)
        counts.append(len(clock.by_class.get("ResumeFromStep", [])))
    return [
        ("passes that painted", f"{statistics.median(counts):.0f}"),
        (
            "**executor's share of a 6-pass loop** (aim: under 5 %)",
            f"**{statistics.median(shares):.1%}** ({min(shares):.1%} to {max(shares):.1%})",
        ),
    ]


def keep_painting(prompt: dict) -> dict:
    """Changes the prompt so that only the cap ends the loop.

    The whole crop counts as an occluder, and every pass erodes the amodal mask by two pixels.
    The object therefore stays occluded, its mask changes, and it counts as found.
    """
    ids = {node["class_type"]: key for key, node in prompt.items()}
    prompt["occluder"] = {
        "class_type": "SolidMask",
        "inputs": {"value": 1.0, "width": 128, "height": 128},
    }
    prompt["eroded"] = {
        "class_type": "GrowMask",
        "inputs": {"mask": [ids["AmodalPasteBack"], 1], "expand": -2, "tapered_corners": False},
    }
    prompt[ids["AmodalCheckOcclusion"]]["inputs"]["occluder_mask"] = ["occluder", 0]
    prompt[ids["AmodalLoopEnd"]]["inputs"] |= {"amodal_mask": ["eroded", 0], "found": True}
    return prompt


def held_tensors(host, clock: Clock) -> list[tuple[str, str]]:
    """Canvas-size tensors that the executor's cache keeps in a run at 12 megapixels."""
    import torch

    from amodal.core import validate

    image, _, word = scene_picture(seed=11, query="cat", occluder="co-occurring")
    picture = validate.resize(image, (3000, 3000)).contiguous()
    wide = torch.nn.functional.pad(picture.movedim(-1, 1), (500, 500, 0, 0), mode="replicate")
    large = workflow("bench12", wide.movedim(1, -1), word, 1, steps=10, k=4, max_passes=3)
    prompt = keep_painting(large)
    host.forget()
    clock.watched = []
    host.run(prompt)
    tensors, addresses, passes = {}, set(), 0
    for kind, outputs in clock.watched:
        large_outputs = canvas_sized(outputs, 3000 * 4000)
        passes += kind == "PasteBack" and bool(large_outputs)
        for tensor in large_outputs:
            if tensor.data_ptr() not in addresses:
                addresses.add(tensor.data_ptr())
                tensors[kind] = tensors.get(kind, 0) + 1
    clock.watched = None
    in_passes = sum(count for kind, count in tensors.items() if kind in IN_A_PASS)
    return [
        ("passes that painted at 4000x3000", f"{passes}"),
        (
            "**canvas-size tensors held for each pass** (aim: at most 2)",
            f"**{in_passes / max(1, passes):.1f}**",
        ),
        (
            "all canvas-size tensors held, by node class",
            ", ".join(f"{kind} {count}" for kind, count in tensors.items()),
        ),
    ]
