"""Searches a picture for the words of a person beside everything that a segmenter knows (3.4)."""

from dataclasses import replace

import torch

from . import mask_ops
from .detections import SAME, distinct, only
from .names import as_words, plain
from .types import Objects, Segmenter


def search(
    segmenter: Segmenter, image: torch.Tensor, words: str, threshold: float, add_known: bool
) -> Objects:
    """The objects of an image [H, W, 3] that `words` name; with `add_known`, all known ones too.

    No words mean everything that the segmenter knows. With `add_known`, the words that it does not
    know are searched for alone, so that no known name takes their place (a "cup" that of "red
    mug"), and their objects come first. Raises BadInput for words that it cannot search for.
    """
    names = as_words(words)
    if names and not add_known:
        found = distinct(segmenter.detect(image, names, threshold))
        return replace(found, sought=", ".join(names))
    vocabulary = {plain(name) for name in getattr(segmenter, "vocabulary", ())}
    new = [name for name in names if plain(name) not in vocabulary]
    known = distinct(segmenter.detect(image, None, threshold))
    sought = f"{len(vocabulary)} known names" if vocabulary else "everything the segmenter knows"
    if not new:
        return replace(known, sought=sought)
    named = distinct(segmenter.detect(image, new, threshold))
    return replace(beside(named, known), sought=f"{', '.join(new)}, and {sought}")


def beside(named: Objects, known: Objects) -> Objects:
    """The objects `named`, then those of `known` that are none of them (mask IoU up to SAME)."""
    others = [
        i
        for i, mask in enumerate(known.masks)
        if all(mask_ops.iou(mask, own) <= SAME for own in named.masks)
    ]
    masks = torch.cat([named.masks, known.masks[others]])
    labels = [*named.labels, *(known.labels[i] for i in others)]
    scores = torch.cat([named.scores, known.scores[others]])
    return only(masks, labels, scores, list(range(len(masks))))
