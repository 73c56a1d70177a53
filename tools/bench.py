"""Benchmarks on the sticker models, in the real host, as ratios measured in one run.

    nox -s bench -- [--rounds 9] [--out results/bench.md]

Runs to be compared alternate in one process; a figure is the median of its rounds.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))

from tools import bench_stages, memory  # noqa: E402
from tools.clock import Clock, canvas_sized  # noqa: E402

STEPS, K, CFG = 50, 20.0, 2.5
IMPORT = """
import sys, time
sys.path.append({root!r})
from tests import hosting
hosting.start(hosting.find_comfyui())
import asyncio, nodes
began = time.perf_counter()
assert asyncio.run(nodes.load_custom_node({root!r}))
print("SECONDS", time.perf_counter() - began)
"""


def seconds(host, prompt) -> float:
    began = time.perf_counter()
    host.run(prompt)
    return time.perf_counter() - began


def scene_picture(host, **options):
    """A scene of the sticker world as IMAGE and modal MASK, and its word."""
    import torch

    from amodal.stickers.scenes import make_scene

    scene = make_scene(**options)
    image = torch.from_numpy(scene.image.copy())[None].float()
    return image, torch.from_numpy(scene.modal().copy())[None].float(), scene.word


def sampling_prompts(hosting, seed: int):
    """The same inpainting by core's KSampler, and with mixed context; everything else cached."""
    prompts = []
    for mixed in (False, True):
        graph = hosting.Graph()
        checkpoint = graph.add("AmodalStickerCheckpoint")
        image, mask = graph.value("bench image"), graph.value("bench inpaint")
        positive = graph.add("CLIPTextEncode", clip=checkpoint[1], text="a photo of a cat")
        negative = graph.add("CLIPTextEncode", clip=checkpoint[1], text="")
        see = graph.add(
            "InpaintModelConditioning", positive=positive, negative=negative, vae=checkpoint[2],
            pixels=image, mask=mask, noise_mask=False,
        )
        if mixed:
            latent = mixed_context(graph, checkpoint, see, mask, seed)
        else:
            latent = graph.add(
                "KSampler", model=checkpoint, seed=seed, steps=STEPS, cfg=CFG,
                sampler_name="ddim", scheduler="ddim_uniform", positive=see[0], negative=see[1],
                latent_image=see[2], denoise=1.0,
            )
        prompts.append(graph.keep(latent=latent))
    return prompts


def mixed_context(graph, checkpoint, see, inpaint, seed: int):
    """To step k, features, clusters, M^k, composite, to the end."""
    guider = graph.add(
        "CFGGuider", model=checkpoint, positive=see[0], negative=see[1], cfg=CFG
    )
    noise = graph.add("RandomNoise", noise_seed=seed)
    sampler = graph.add("KSamplerSelect", sampler_name="ddim")
    sigmas = graph.add(
        "BasicScheduler", model=checkpoint, scheduler="ddim_uniform", steps=STEPS, denoise=1.0
    )
    half = graph.add(
        "AmodalSampleToStep", noise=noise, guider=guider, sampler=sampler, sigmas=sigmas,
        latent=see[2], k=K,
    )
    features = graph.add(
        "AmodalCaptureFeatures", guider=guider, sigmas=half[2], latent=half[0], levels="3"
    )
    clusters = graph.add(
        "AmodalClusterFeatures", features=features, level=3, clusters=4, seed=seed
    )
    chosen = graph.add(
        "AmodalSelectClusters", clusters=clusters, mask=graph.value("bench modal"),
        inpaint=inpaint, overlap=0.2,
    )
    noised = graph.add(
        "AmodalNoiseToStep", model=checkpoint, noise=noise, sigmas=half[2], latent=see[2]
    )
    mixed = graph.add(
        "AmodalCompositeAtStep", object=half, background=noised, mask=chosen
    )
    return graph.add(
        "AmodalResumeFromStep", noise=noise, guider=guider, sampler=sampler, sigmas=half[2],
        latent=mixed,
    )


def sampling_ratio(hosting, host, rounds: int) -> list[tuple[str, str]]:
    image, modal, _ = scene_picture(host, seed=5, query="cat", occluder="companion")
    hosting.VALUES.update({
        "bench image": image, "bench modal": modal,
        "bench inpaint": ((image - image.flip(2)).abs().mean(-1) > 0.1).float() * (1 - modal),
    })
    for prompt in sampling_prompts(hosting, 0):  # loads, warms up
        host.run(prompt)
    plain, mixed = [], []
    for round_ in range(1, rounds + 1):
        one, two = sampling_prompts(hosting, round_)
        order = ((plain, one), (mixed, two)) if round_ % 2 else ((mixed, two), (plain, one))
        for times, prompt in order:
            times.append(seconds(host, prompt))
    ratios = [m / p for m, p in zip(mixed, plain)]
    return [
        (f"core KSampler, {STEPS} DDIM steps, cfg {CFG}", f"{statistics.median(plain):.2f} s"),
        ("mixed context: to k = 20, features, clusters, composite, to the end",
         f"{statistics.median(mixed):.2f} s"),
        ("**ratio of the two** (aim: at most 1.05)",
         f"**{statistics.median(ratios):.3f}** ({min(ratios):.3f} to {max(ratios):.3f})"),
    ]


def workflow(host, name: str, picture, word: str, seed: int, **changes) -> dict:
    """The shipped workflow on a picture in the host's input folder."""
    import folder_paths
    import numpy as np
    from PIL import Image

    from amodal.workflow import fill

    target = Path(folder_paths.get_input_directory()) / f"{name}.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    pixels = (picture[0].numpy() * 255).round().astype(np.uint8)
    Image.fromarray(pixels).save(target)
    path = ROOT / "workflows" / "api" / "amodal_completion_stickers.json"
    prompt = fill(json.loads(path.read_text()), target.name, words=word, seed=seed)
    for node in prompt.values():
        for key, value in changes.items():
            if key in node["inputs"] and not isinstance(node["inputs"][key], list):
                node["inputs"][key] = value
    return prompt


def stages(host, clock: Clock, rounds: int) -> list[tuple[str, str]]:
    """Where the time of the whole workflow goes, and what the executor adds."""
    image, _, word = scene_picture(host, seed=5, query="cat", occluder="companion")
    host.run(workflow(host, "bench", image, word, 0))
    shares, kinds = [], {}
    for round_ in range(1, rounds + 1):
        prompt = workflow(host, "bench", image, word, round_)
        host.forget()
        clock.reset()
        took = seconds(host, prompt)
        shares.append(1 - clock.inside / took)
        for kind, times in clock.by_class.items():
            kinds.setdefault(kind, []).append(sum(times) / took)
    mean = {kind: statistics.median(values) for kind, values in kinds.items()}
    top = sorted(mean.items(), key=lambda item: -item[1])[:12]
    rows = [(f"share of {kind}", f"{share:.1%}") for kind, share in top]
    return [*rows, ("executor, all loading included", f"{statistics.median(shares):.1%}")]


def loop_overhead(hosting, host, clock: Clock, rounds: int) -> list[tuple[str, str]]:
    """Six passes that all paint: a far cap and an object that is never free."""
    image, mask, word = scene_picture(host, seed=5, query="cat", occluder="companion")
    shares, counts = [], []
    for round_ in range(rounds):
        prompt = workflow(host, "bench", image, word, round_, steps=STEPS, max_passes=6)
        keep_painting(prompt)
        host.forget()
        host.run(prompt)  # loads the models again
        prompt = workflow(host, "bench", image, word, 1000 + round_, steps=STEPS, max_passes=6)
        keep_painting(prompt)
        clock.reset()
        took = seconds(host, prompt)
        shares.append(1 - clock.inside / took)
        counts.append(len(clock.by_class.get("ResumeFromStep", [])))
    return [
        ("passes that painted", f"{statistics.median(counts):.0f}"),
        ("**executor's share of a 6-pass loop** (aim: under 5 %)",
         f"**{statistics.median(shares):.1%}**"),
    ]


def keep_painting(prompt: dict):
    """Half of the crop stays an occluder for ever, and each pass' mask is eroded a little, so that
    neither "free" nor "unchanged" ends the loop; whether the object is found is not asked."""
    ids = {node["class_type"]: key for key, node in prompt.items()}
    prompt["half"] = {
        "class_type": "SolidMask", "inputs": {"value": 1.0, "width": 128, "height": 128}
    }
    prompt["worn"] = {
        "class_type": "GrowMask",
        "inputs": {"mask": [ids["AmodalPasteBack"], 1], "expand": -2, "tapered_corners": False},
    }
    prompt[ids["AmodalCheckOcclusion"]]["inputs"]["occluders"] = ["half", 0]
    prompt[ids["AmodalLoopEnd"]]["inputs"] |= {"mask": ["worn", 0], "found": True}


def single_stages(hosting, host, rounds: int) -> list[tuple[str, str]]:
    """Segmentation, order, clusters, and what a pass does beside the UNet's calls."""
    graph = hosting.Graph()
    graph.keep(model=graph.add("AmodalStickerOrder"))
    order_model = host.run(graph).values["model"]
    image, _, word = scene_picture(host, seed=5, query="cat", occluder="companion")
    prompts = [
        workflow(host, "bench", image, word, 600 + seed, max_passes=1) for seed in range(rounds)
    ]
    return [
        *bench_stages.segmentation(rounds),
        *bench_stages.order(rounds, order_model),
        *bench_stages.kmeans(rounds),
        *bench_stages.outside_the_model(host.run, prompts),
    ]


def held_tensors(host, clock: Clock) -> list[tuple[str, str]]:
    """Canvas-size tensors that a run at 12 megapixels makes; the executor's cache keeps them."""
    import torch

    from amodal import shapes

    image, mask, word = scene_picture(host, seed=11, query="cat", occluder="companion")
    picture = shapes.resize(image, (3000, 3000)).contiguous()
    wide = torch.nn.functional.pad(picture.movedim(-1, 1), (500, 500, 0, 0), mode="replicate")
    prompt = workflow(host, "bench12", wide.movedim(1, -1), word, 1)
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
        ("**canvas-size tensors made and held for each pass** (aim: at most 2)",
         f"**{inside / max(1, passes):.1f}**"),
        ("all that are held, by the node that made them",
         ", ".join(f"{kind} {count}" for kind, count in made.items())),
    ]


IN_A_PASS = ("LoopStart", "PadIfTouching", "CropToObject", "PasteBack", "LoopEnd")


def import_time() -> list[tuple[str, str]]:
    code = IMPORT.format(root=str(ROOT))
    times = []
    for _ in range(3):
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        lines = [line for line in out.stdout.splitlines() if line.startswith("SECONDS")]
        times.append(float(lines[0].split()[1]))
    return [("the pack's part of a host's start (aim: under 0.3 s)",
             f"{statistics.median(times):.2f} s")]


def table(title: str, rows: list[tuple[str, str]]) -> str:
    body = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return f"### {title}\n\n| | |\n|---|---|\n{body}\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "bench.md")
    options = parser.parse_args()
    loading = import_time()
    from tests import hosting

    host = hosting.host()
    parts = [table("Sampling", sampling_ratio(hosting, host, options.rounds))]
    clock = Clock()
    few = max(3, options.rounds // 3)
    parts.append(table("The whole workflow", stages(host, clock, few)))
    parts.append(table("The loop", loop_overhead(hosting, host, clock, few)))
    parts.append(table("Memory at 12 megapixels", held_tensors(host, clock)))
    parts.append(table(
        "Memory of each stage, computed for Stable Diffusion 2 at 512x512", memory.rows(host)
    ))
    parts.append(table("Single stages", single_stages(hosting, host, few)))
    parts.append(table("Start", loading))
    import torch

    head = (
        f"# Benchmark\n\n`nox -s bench -- --rounds {options.rounds}` on {datetime.date.today()}, "
        f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}, "
        "sticker models.\nMedians; runs that are compared alternate in one process.\n"
    )
    text = head + "\n" + "\n".join(parts)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
