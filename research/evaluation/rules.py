"""Compares the rules for M^k, the object's mask in the noisy picture (section 3.5, Figure 9).

The shipped workflow runs its first pass to step k. Then every rule is applied to the same latent.
"""

from __future__ import annotations

from . import figures

LEVELS = (1, 2, 3, 4)
COUNTS = (3, 4, 6, 8)
RULES = {
    "known background": "known background",
    **{f"level {level}": f"clusters of decoder level {level}" for level in LEVELS},
    **{f"{count} clusters": f"{count} clusters of level 3" for count in COUNTS if count != 4},
    "modal": "the modal mask",
}


def links(wiring) -> dict[str, list]:
    """Adds every rule to a wired prompt; gives {rule: link to its mask}."""
    features = captured(wiring, LEVELS)
    masks = {"known background": wiring.link("known")}
    for level in LEVELS:
        masks[f"level {level}"] = clustered(wiring, features, level, 4)
    for count in COUNTS:
        if count != 4:
            masks[f"{count} clusters"] = clustered(wiring, features, 3, count)
    masks["modal"] = wiring.link("crop", 1)
    return masks


def paper_clusters(wiring) -> list:
    """M^k by the paper's rule: four clusters of decoder level 3."""
    return clustered(wiring, captured(wiring, (3,)), 3, 4)


def captured(wiring, levels: tuple[int, ...]) -> list:
    """The decoder's features at step k."""
    return wiring.add(
        "features",
        "AmodalCaptureFeatures",
        guider=wiring.inputs("to_k")["guider"],
        sigmas=wiring.link("to_k", 2),
        latent=wiring.link("to_k", 0),
        levels=",".join(map(str, levels)),
    )


def clustered(wiring, features: list, level: int, count: int) -> list:
    name = f"{level}_{count}"
    clusters = wiring.add(
        f"clusters_{name}",
        "AmodalClusterFeatures",
        features=features,
        level=level,
        clusters=count,
        seed=0,
    )
    return wiring.add(
        f"chosen_{name}",
        "AmodalSelectClusters",
        clusters=clusters,
        modal_mask=wiring.link("crop", 1),
        inpaint_mask=wiring.link("check", 0),
        overlap=0.2,
    )


def of_masks(scene, values: dict) -> dict[str, float]:
    """{rule: IoU of its mask with the true amodal mask} in the first pass' crop."""
    return {
        rule: round(figures.mask_at_k(scene, values["crop"], values[rule]), 4)
        for rule in RULES
        if rule in values
    }
