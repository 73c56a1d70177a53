"""Nodes that give a scene's ground truth. Only the oracles among the methods use them."""

from __future__ import annotations

import numpy as np
import torch

from . import figures


class Truth:
    """Base class that holds the scene of the current run."""

    FUNCTION, CATEGORY = "give", "evaluation"
    scene = None

    @classmethod
    def IS_CHANGED(cls, **_inputs):
        return float("nan")


class EvaluationTruth(Truth):
    """The true picture and amodal mask in a pass' crop."""

    RETURN_TYPES = ("IMAGE", "MASK")

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"crop": ("AMODAL_CROP",)}}

    def give(self, crop):
        return figures.truth_in_crop(Truth.scene, crop)


class EvaluationModal(Truth):
    """The true modal mask of the query in the picture."""

    RETURN_TYPES = ("MASK",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    def give(self):
        return (torch.from_numpy(Truth.scene.modal()[None].astype(np.float32)),)


NODES = (EvaluationTruth, EvaluationModal)
