"""Benchmarks of single stages, for `bench`. Rows are (name, figure); runs alternate."""

from __future__ import annotations

import statistics
import time


def seconds_of(call, *args) -> float:
    """Duration of `call(*args)`."""
    began = time.perf_counter()
    call(*args)
    return time.perf_counter() - began


def alternating(calls: dict, rounds: int) -> dict[str, list[float]]:
    """Seconds of each call, by name. The calls alternate, after one run of each to warm up."""
    times = {name: [] for name in calls}
    for call in calls.values():
        call()
    for round_ in range(rounds):
        for name in list(calls) if round_ % 2 else list(calls)[::-1]:
            times[name].append(seconds_of(calls[name]))
    return times


def compared(times: dict, fast: str, slow: str, aim: str = "") -> list[tuple[str, str]]:
    """Rows for two calls of `alternating`: their medians, and the ratio of slow to fast."""
    ratios = [slow_time / fast_time for fast_time, slow_time in zip(times[fast], times[slow])]
    rows = [(name, f"{1000 * statistics.median(times[name]):.0f} ms") for name in (fast, slow)]
    ratio = f"**{statistics.median(ratios):.1f}** ({min(ratios):.1f} to {max(ratios):.1f})"
    return [*rows, (f"**times as fast**{aim}", ratio)]


def crowd(columns: int = 5, lines: int = 4):
    """A picture with 20 objects in a grid: IMAGE [1, H, W, 3], masks [20, H, W], words."""
    import torch

    from amodal.stickers.scenes import make_scene

    side, words = 128, []
    image = torch.full((1, side * lines, side * columns, 3), 0.5)
    masks = torch.zeros(columns * lines, side * lines, side * columns)
    for index in range(columns * lines):
        scene = make_scene(970_000 + index, background="gray", occluder=None)
        y, x = index // columns * side, index % columns * side
        place = slice(y, y + side), slice(x, x + side)
        image[0][place] = torch.from_numpy(scene.image.copy()).float()
        masks[index][place] = torch.from_numpy(scene.modal().copy()).float()
        words.append(scene.word)
    return image, masks, words


class KnownBoxes:
    """A detector that returns known boxes.

    It replaces GroundingDINO, whose time does not depend on the number of objects.
    """

    def __init__(self, boxes, words):
        self.boxes, self.words = boxes, words

    def find(self, image, words):
        import torch

        from amodal.models.grounding_dino import Found

        return Found(self.boxes, torch.full((len(self.boxes),), 0.6), self.words)


def masker_net():
    """A SAM with random weights, larger than the tests' and smaller than the published ones."""
    from functools import partial

    import torch
    from segment_anything import modeling

    torch.manual_seed(0)
    return modeling.Sam(
        image_encoder=modeling.ImageEncoderViT(
            img_size=512,
            embed_dim=192,
            depth=6,
            num_heads=3,
            out_chans=256,
            use_rel_pos=True,
            window_size=14,
            global_attn_indexes=(2, 5),
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
        ),
        prompt_encoder=modeling.PromptEncoder(256, (32, 32), (512, 512), 16),
        mask_decoder=modeling.MaskDecoder(
            transformer_dim=256,
            transformer=modeling.TwoWayTransformer(2, 256, 8, 2048),
        ),
    ).eval()


def segmentation(rounds: int) -> list[tuple[str, str]]:
    """Masks of 20 boxes: the picture encoded once, against encoded for each box."""
    from amodal.core import detections
    from amodal.models.grounded_sam import GroundedSegmenter
    from amodal.models.sam import Masker

    image, masks, words = crowd()
    boxes = detections.from_masks(masks, words).boxes
    net = masker_net()

    def together():
        GroundedSegmenter(KnownBoxes(boxes, words), Masker(net), words).detect(image[0])

    def apart():
        for box, word in zip(boxes, words):
            detector = KnownBoxes(box[None], [word])
            GroundedSegmenter(detector, Masker(net), words).detect(image[0])

    names = "20 objects, picture encoded once", "20 objects, picture encoded for each"
    return compared(alternating(dict(zip(names, (together, apart))), rounds), *names)


def order(rounds: int, model) -> list[tuple[str, str]]:
    """Order of all 190 pairs of 20 objects: in one batch, against pair by pair."""
    image, masks, _ = crowd()
    pairs = [(i, j) for i in range(len(masks)) for j in range(i + 1, len(masks))]

    def together():
        model.order(image[0], masks, pairs)

    def apart():
        for pair in pairs:
            model.order(image[0], masks, [pair])

    names = "order of 190 pairs in one batch", "order of 190 pairs, pair by pair"
    return compared(alternating(dict(zip(names, (together, apart))), rounds), *names)


def features(cells: int = 64, channels: int = 640):
    """Synthetic features [channels, cells, cells]: five smooth regions and strong noise."""
    import torch

    generator = torch.Generator().manual_seed(0)
    regions = torch.nn.functional.interpolate(
        torch.randn(1, 5, 6, 6, generator=generator), (cells, cells), mode="bicubic"
    )[0].softmax(0)
    centres = 2 * torch.randn(5, channels, generator=generator)
    noise = torch.randn(channels, cells, cells, generator=generator)
    return torch.einsum("rhw,rc->chw", regions, centres) + noise


def inertia(points, labels) -> float:
    """Sum of squared distances of points [n, channels] from the centre of their cluster."""
    parts = [points[labels == label] for label in range(int(labels.max()) + 1)]
    return sum(float((part - part.mean(0)).square().sum()) for part in parts if len(part))


def kmeans(rounds: int) -> list[tuple[str, str]]:
    """K-means on 4096x640 features, against the release's settings: speed and inertia."""
    from sklearn.cluster import KMeans

    from amodal.method import mask_at_k

    cube = features()
    points = cube.flatten(1).T.double()
    labels = {}

    def ours():
        masks = mask_at_k.cluster(cube, 4, 0, tuple(cube.shape[1:]))
        labels["ours"] = masks.argmax(0).flatten()

    def release():
        import torch

        assigned = KMeans(4, n_init=10, random_state=0).fit_predict(points.numpy())
        labels["release"] = torch.from_numpy(assigned)

    names = (
        "k-means on 4096x640 features (aim: about 50 ms)",
        "the same with the release's settings",
    )
    rows = compared(alternating(dict(zip(names, (ours, release))), rounds), *names)
    ratio = inertia(points, labels["ours"]) / inertia(points, labels["release"])
    return [
        *rows,
        ("**inertia, relative to the release's** (aim: at most 1.01)", f"**{ratio:.4f}**"),
    ]


def duplicates(rounds: int, side: tuple[int, int] = (3000, 4000)) -> list[tuple[str, str]]:
    """Duplicates among 20 objects at 12 megapixels: by boxes first, against whole masks."""
    import torch

    from amodal.core import mask_ops

    masks = torch.zeros(20, *side)
    for index, mask in enumerate(masks):
        y, x = index // 5 * 700, index % 5 * 780
        mask[y : y + 800, x : x + 850] = 1
    boxes = [mask_ops.box_of(mask) for mask in masks]
    numbers = range(len(masks))
    pairs = [(i, j) for i in numbers for j in numbers if i < j]

    def by_boxes():
        for i, j in pairs:
            mask_ops.iou(masks[i], masks[j], (boxes[i], boxes[j]))

    def whole():
        for i, j in pairs[::10]:
            first, second = masks[i] > 0.5, masks[j] > 0.5
            int((first & second).sum()) / int((first | second).sum())

    names = "190 pairs of masks of 4000x3000, by boxes", "every tenth of them, by whole masks"
    times = alternating(dict(zip(names, (by_boxes, whole))), rounds)
    return compared(times, *names, aim=", at ten times the pairs")


class InsideModel:
    """Context manager that counts calls of the diffusion model and their seconds."""

    def __enter__(self):
        import comfy.model_base

        self.seconds, self.calls, self.base = 0.0, 0, comfy.model_base.BaseModel
        self.original = self.base.apply_model

        def timed(model, *args, **kwargs):
            began = time.perf_counter()
            try:
                return self.original(model, *args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - began
                self.calls += 1

        self.base.apply_model = timed
        return self

    def __exit__(self, *_):
        self.base.apply_model = self.original


def outside_the_model(run, prompts) -> list[tuple[str, str]]:
    """The share of a pass that is not spent in UNet calls.

    run: runs a prompt of the whole workflow. prompts: the first one only loads the models.
    """
    shares, calls = [], []
    run(prompts[0])
    for prompt in prompts[1:]:
        with InsideModel() as inside:
            whole = seconds_of(run, prompt)
        shares.append(1 - inside.seconds / whole)
        calls.append(inside.calls)
    return [
        ("UNet calls in a pass of 50 steps", f"{statistics.median(calls):.0f}"),
        (
            "**share of the pass outside UNet calls** at 128x128 (aim at 512x512: under 10 %)",
            f"**{statistics.median(shares):.1%}**",
        ),
    ]
