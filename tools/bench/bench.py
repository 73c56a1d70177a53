"""Benchmark on the sticker models, in a real ComfyUI. Ratios come from a single run.

    nox -s bench -- [--rounds 9] [--out research/results/bench.md]

Runs that are compared alternate in one process. Each figure is the median over the rounds.
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
from tools.host import inprocess

ROOT = Path(__file__).resolve().parents[2]

IMPORT = """
import time
from tools.host import inprocess
inprocess.start(inprocess.find_comfyui())
import asyncio, nodes
began = time.perf_counter()
assert asyncio.run(nodes.load_custom_node({root!r}))
print("SECONDS", time.perf_counter() - began)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--rounds", type=int, default=9, help="measured runs of each stage (default: 9)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=ROOT / "research" / "results" / "bench.md",
        help="the report to write (default: research/results/bench.md)",
    )
    options = parser.parse_args()
    start_rows = import_time()
    host = inprocess.host()
    few_rounds = max(3, options.rounds // 3)
    sections = {"Sampling": bench_sampling.ratio(host, options.rounds)}
    clock = Clock()  # created after the sampling benchmark, so that it does not slow that down
    sections |= {
        "The whole workflow": bench_workflow.stages(host, clock, few_rounds),
        "The loop": bench_workflow.loop_overhead(host, clock, few_rounds),
        "Memory at 12 megapixels": bench_workflow.held_tensors(host, clock),
        "Memory of each stage, computed for Stable Diffusion 2 at 512x512": memory.rows(host),
        "Single stages": single_stages(host, few_rounds),
        "Start": start_rows,
    }
    import torch

    head = (
        f"# Benchmark\n\n`nox -s bench -- --rounds {options.rounds}` on {datetime.date.today()}, "
        f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}, "
        "sticker models.\nFigures are medians. Runs that are compared alternate in one process. A "
        "ratio is the median of\nthe rounds' own ratios, not that of two medians; its brackets "
        "hold the least and the greatest.\n"
    )
    text = head + "\n" + "\n".join(table(title, rows) for title, rows in sections.items())
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(text, encoding="utf-8")
    print(text)


def single_stages(host, rounds: int) -> list[tuple[str, str]]:
    """Segmentation, order, clustering, and the part of a pass outside the UNet."""
    graph = inprocess.Graph()
    graph.keep(model=graph.add("AmodalStickerOrder"))
    order_model = host.run(graph).values["model"]
    image, _, word = scene_picture(seed=5, query="cat", occluder="co-occurring")
    prompts = [workflow("bench", image, word, 600 + seed, max_passes=1) for seed in range(rounds)]
    return [
        *bench_stages.segmentation(rounds),
        *bench_stages.order(rounds, order_model),
        *bench_stages.kmeans(rounds),
        *bench_stages.duplicates(rounds),
        *bench_stages.outside_the_model(host.run, prompts),
    ]


def import_time() -> list[tuple[str, str]]:
    """Time to load the pack in a new host process, as the median of three starts.

    Raises RuntimeError if a host does not start; the message holds its log.
    """
    code = IMPORT.format(root=str(ROOT))
    times = []
    for _ in range(3):
        process = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT
        )
        if process.returncode:
            raise RuntimeError(f"the host did not start:\n{process.stderr}")
        lines = [line for line in process.stdout.splitlines() if line.startswith("SECONDS")]
        times.append(float(lines[0].split()[1]))
    return [
        (
            "loading the pack at the host's start (aim: under 0.3 s)",
            f"{statistics.median(times):.2f} s",
        )
    ]


def table(title: str, rows: list[tuple[str, str]]) -> str:
    """A Markdown heading and a table of two columns: name and figure."""
    body = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return f"### {title}\n\n| | |\n|---|---|\n{body}\n"


if __name__ == "__main__":
    main()
