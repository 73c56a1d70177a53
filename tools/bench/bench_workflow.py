"""Benchmarks of the whole workflow, its loop and what it holds in memory, for `bench`."""

from __future__ import annotations

import statistics

from tools.bench.bench_scenes import scene_picture, workflow
from tools.bench.bench_stages import took
from tools.bench.clock import Clock, canvas_sized

IN_A_PASS = ("LoopStart", "PadIfTouching", "CropToObject", "PasteBack", "LoopEnd")


def stages(host, clock: Clock, rounds: int) -> list[tuple[str, str]]:
    """Where the time of the whole workflow goes, and what the executor adds."""
    image, _, word = scene_picture(seed=5, query="cat", occluder="companion")
    host.run(workflow("bench", image, word, 0))
    shares, kinds = [], {}
    for round_ in range(1, rounds + 1):
        prompt = workflow("bench", image, word, round_)
        host.forget()
        clock.reset()
        whole = took(host.run, prompt)
        shares.append(1 - clock.inside / whole)
        for kind, times in clock.by_class.items():
            kinds.setdefault(kind, []).append(sum(times) / whole)
    mean = {kind: statistics.median(values) for kind, values in kinds.items()}
    top = sorted(mean.items(), key=lambda item: -item[1])[:12]
    rows = [(f"share of {kind}", f"{share:.1%}") for kind, share in top]
    return [*rows, ("executor, all loading included", f"{statistics.median(shares):.1%}")]


def loop_overhead(host, clock: Clock, rounds: int) -> list[tuple[str, str]]:
    """Six passes that all paint: a far cap and an object that is never free."""
    image, _, word = scene_picture(seed=5, query="cat", occluder="companion")
    shares, counts = [], []
    for round_ in range(rounds):
        loading, measured = (
            keep_painting(workflow("bench", image, word, seed, steps=50, max_passes=6))
            for seed in (round_, 1000 + round_)
        )
        host.forget()
        host.run(loading)
        clock.reset()
        whole = took(host.run, measured)
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
    """Half of the crop stays an occluder for ever, and each pass' mask is eroded a little, so that
    neither "free" nor "unchanged" ends the loop; whether the object is found is not asked."""
    ids = {node["class_type"]: key for key, node in prompt.items()}
    prompt["half"] = {
        "class_type": "SolidMask",
        "inputs": {"value": 1.0, "width": 128, "height": 128},
    }
    prompt["worn"] = {
        "class_type": "GrowMask",
        "inputs": {"mask": [ids["AmodalPasteBack"], 1], "expand": -2, "tapered_corners": False},
    }
    prompt[ids["AmodalCheckOcclusion"]]["inputs"]["occluders"] = ["half", 0]
    prompt[ids["AmodalLoopEnd"]]["inputs"] |= {"mask": ["worn", 0], "found": True}
    return prompt


def held_tensors(host, clock: Clock) -> list[tuple[str, str]]:
    """Canvas-size tensors that a run at 12 megapixels makes; the executor's cache keeps them."""
    import torch

    from amodal.core import validate

    image, _, word = scene_picture(seed=11, query="cat", occluder="companion")
    picture = validate.resize(image, (3000, 3000)).contiguous()
    wide = torch.nn.functional.pad(picture.movedim(-1, 1), (500, 500, 0, 0), mode="replicate")
    large = workflow("bench12", wide.movedim(1, -1), word, 1, steps=10, k=4, max_passes=3)
    prompt = keep_painting(large)
    host.forget()
    clock.watched = []
    host.run(prompt)
    made, seen = {}, set()
    for kind, outputs in clock.watched:
        for tensor in canvas_sized(outputs, torch, 3000 * 4000):
            if tensor.data_ptr() not in seen:
                seen.add(tensor.data_ptr())
                made[kind] = made.get(kind, 0) + 1
    passes = sum(
        kind == "PasteBack" and any(True for _ in canvas_sized(outputs, torch, 3000 * 4000))
        for kind, outputs in clock.watched
    )
    clock.watched = None
    inside = sum(count for kind, count in made.items() if kind in IN_A_PASS)
    return [
        ("passes that painted at 4000x3000", f"{passes}"),
        (
            "**canvas-size tensors made and held for each pass** (aim: at most 2)",
            f"**{inside / max(1, passes):.1f}**",
        ),
        (
            "all that are held, by the node that made them",
            ", ".join(f"{kind} {count}" for kind, count in made.items()),
        ),
    ]
