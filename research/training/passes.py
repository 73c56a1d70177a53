"""Pairs of objects as a second pass sees them, for the order model.

The first pass has painted the query where the nearest object hid it. So at the query's painted
pixels the picture does not show whether it goes on behind the next object: there is no T-junction,
and the outline of the removed occluder is all there is.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from amodal.stickers import scenes
from amodal.stickers.catalog import WORDS

from . import bank, pool

SIZE = pool.SIZE
TRIES = 40
ALONE = 0.7  # probability that the two touch at painted pixels alone
SPILLED = 0.3  # probability that the query was painted beyond its true outline
GAP = 3  # pixels: objects within this distance are neighbours


def painted_pair(rng) -> dict | None:
    """A picture after a pass, and two neighbours in it. None if no try gives neighbours.

    image [S, S, 3] float 0..1; query and other: their masks [S, S] bool, of the query as it is
    known now and of what is seen of the other; painted [S, S] bool; order: whether the other hides
    a part of the query, and the query of the other.
    """
    words = [str(word) for word in rng.choice(WORDS, 3, replace=False)]
    background = scenes.make_background(rng, str(rng.choice(scenes.BACKGROUNDS)), SIZE)
    query = whole(rng, words[0])
    body = query[..., 3] > 0.5
    nearest = bank.hiding(rng, body, words[2])
    removed = nearest[..., 3] > 0.5
    alone = rng.random() < ALONE
    for _ in range(TRIES):
        other = bank.over(rng, removed, words[1])
        shape, in_front = other[..., 3] > 0.5, bool(rng.random() < 0.5)
        seen = body & ~shape if in_front else body
        known = (seen & ~removed) | (spilled(rng, body) & removed)
        rest = shape & ~removed & ~known if in_front else shape & ~removed & ~body
        if min(known.sum(), rest.sum()) < pool.LEAST or not touches(known & removed, rest):
            continue
        if not (alone and touches(known & ~removed, rest)):
            break
    else:
        return None
    image = background.copy()
    for layer in (query, other) if in_front else (other, query):
        bank.paint(image, layer)
    inside = background.copy()
    bank.paint(inside, np.concatenate([query[..., :3], known[..., None].astype(np.float32)], 2))
    image[removed] = inside[removed]
    overlap = bool((body & shape).any())
    return {
        "image": image.clip(0, 1).astype(np.float32),
        "query": known,
        "other": rest,
        "painted": removed,
        "order": (overlap and in_front, overlap and not in_front),
    }


def whole(rng, word: str) -> np.ndarray:
    """A large sticker [S, S, 4] in or near the middle of a sheet."""
    art = scenes.transformed(rng, word, rng.uniform(0.5, 0.95) * SIZE)
    corner = [(SIZE - side) / 2 + rng.uniform(-0.1, 0.1) * SIZE for side in art.shape[1::-1]]
    return scenes.on_sheet(art, SIZE, *corner)


def spilled(rng, body: np.ndarray) -> np.ndarray:
    """The query's shape [S, S] as a pass paints it: true, or a little too large or too small."""
    if rng.random() >= SPILLED:
        return body
    change = ndimage.binary_dilation if rng.random() < 0.5 else ndimage.binary_erosion
    return change(body, iterations=int(rng.integers(1, 4)))


def touches(first: np.ndarray, second: np.ndarray) -> bool:
    """True if two masks [S, S] are neighbours."""
    return bool((ndimage.binary_dilation(first, iterations=GAP) & second).any())
