"""Benchmarks on the sticker models, in the real host, as ratios measured in one run.

    nox -s bench -- [--rounds 9] [--out research/results/bench.md]

Runs to be compared alternate in one process; a figure is the median of its rounds.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import statistics
import subprocess
import sys
from pathlib import Path

from tools.bench import bench_sampling, bench_stages, bench_workflow, memory
from tools.bench.bench_scenes import scene_picture, workflow
from tools.bench.clock import Clock

ROOT = Path(__file__).resolve().parents[2]

IMPORT = """
import sys, time
from tools.host import inprocess
inprocess.start(inprocess.find_comfyui())
import asyncio, nodes
began = time.perf_counter()
assert asyncio.run(nodes.load_custom_node({root!r}))
print("SECONDS", time.perf_counter() - began)
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=ROOT / "research" / "results" / "bench.md")
    options = parser.parse_args()
    loading = import_time()
    from tools.host import inprocess

    host = inprocess.host()
    few = max(3, options.rounds // 3)
    parts = {"Sampling": bench_sampling.ratio(inprocess, host, options.rounds)}
    clock = Clock()  # from here on, so that it does not weigh on the ratio
    parts |= {
        "The whole workflow": bench_workflow.stages(host, clock, few),
        "The loop": bench_workflow.loop_overhead(host, clock, few),
        "Memory at 12 megapixels": bench_workflow.held_tensors(host, clock),
        "Memory of each stage, computed for Stable Diffusion 2 at 512x512": memory.rows(host),
        "Single stages": single_stages(inprocess, host, few),
        "Start": loading,
    }
    import torch

    head = (
        f"# Benchmark\n\n`nox -s bench -- --rounds {options.rounds}` on {datetime.date.today()}, "
        f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}, "
        "sticker models.\nMedians; runs that are compared alternate in one process.\n"
    )
    text = head + "\n" + "\n".join(table(title, rows) for title, rows in parts.items())
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(text, encoding="utf-8")
    print(text)


def single_stages(inprocess, host, rounds: int) -> list[tuple[str, str]]:
    """Segmentation, order, clusters, and what a pass does beside the UNet's calls."""
    graph = inprocess.Graph()
    graph.keep(model=graph.add("AmodalStickerOrder"))
    order_model = host.run(graph).values["model"]
    image, _, word = scene_picture(seed=5, query="cat", occluder="companion")
    prompts = [workflow("bench", image, word, 600 + seed, max_passes=1) for seed in range(rounds)]
    return [
        *bench_stages.segmentation(rounds),
        *bench_stages.order(rounds, order_model),
        *bench_stages.kmeans(rounds),
        *bench_stages.outside_the_model(host.run, prompts),
    ]


def import_time() -> list[tuple[str, str]]:
    code = IMPORT.format(root=str(ROOT))
    times = []
    for _ in range(3):
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
        lines = [line for line in out.stdout.splitlines() if line.startswith("SECONDS")]
        times.append(float(lines[0].split()[1]))
    return [
        (
            "the pack's part of a host's start (aim: under 0.3 s)",
            f"{statistics.median(times):.2f} s",
        )
    ]


def table(title: str, rows: list[tuple[str, str]]) -> str:
    body = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return f"### {title}\n\n| | |\n|---|---|\n{body}\n"


if __name__ == "__main__":
    main()
