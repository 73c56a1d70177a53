"""M^k: where the object is at step k, by clusters of features or by what left the gray (sec. 3.5).

Masks are [n, H, W] with values 0 and 1 at the picture's size.
"""

import torch

from ..core import mask_ops
from ..core.errors import BadInput


def levels_of(text: str) -> list[int]:
    """Decoder levels from words such as "3" or "2, 3"; raises BadInput for anything else."""
    words = text.replace(",", " ").split()
    if not words or not all(word.isdigit() and int(word) > 0 for word in words):
        raise BadInput("levels", f"is '{text}'", "give numbers from 1 (deepest), such as 3 or 2, 3")
    return sorted({int(word) for word in words})


def cluster(features: torch.Tensor, count: int, seed: int, size: tuple[int, int]) -> torch.Tensor:
    """k-means on decoder features: one mask for each cluster, each pixel in exactly one.

    features [C, h, w] of one picture, as they are (the paper's release does not normalise them
    either); `size` the picture's (height, width). Returns [count, H, W]; with fewer different
    features than `count` some are empty. Raises BadInput for more clusters than cells, or NaN.
    """
    from sklearn.cluster import KMeans

    cells = features.shape[-2] * features.shape[-1]
    if not 1 <= count <= cells:
        raise BadInput(
            "clusters", f"is {count} for {cells} cells", f"choose 1 to {cells}; 4 suits most"
        )
    points = features.flatten(1).T.float()
    if not torch.isfinite(points).all():
        raise BadInput("features", "holds NaN or infinite values", "check the model's precision")
    means = KMeans(count, n_init=1, random_state=seed % 2**32)
    labels = torch.from_numpy(means.fit_predict(points.cpu().numpy()))
    labels = labels.reshape(1, 1, *features.shape[-2:]).float()
    labels = torch.nn.functional.interpolate(labels, size, mode="nearest-exact")[0, 0]
    return torch.stack([(labels == c).float() for c in range(count)])


def overlaps(clusters: torch.Tensor, modal: torch.Tensor) -> torch.Tensor:
    """[n] float64: the part of the modal mask [1, H, W] in each cluster; raises if it is empty."""
    area = modal.sum(dtype=torch.float64)
    if area == 0:
        raise BadInput("mask", "is empty", "give the object's visible pixels")
    return (clusters * modal).sum((1, 2), dtype=torch.float64) / area


def select(
    clusters: torch.Tensor, modal: torch.Tensor, inpaint: torch.Tensor, overlap: float = 0.2
) -> tuple[torch.Tensor, list[int]]:
    """The clusters that align with M_modal (section 3.5), as M^k [1, H, W] and their numbers.

    Keeps cluster c where |c and modal| > overlap * |modal|;
    M^k = (kept or modal) and (modal or inpaint). clusters [n, H, W], modal and inpaint [1, H, W].
    """
    kept = [c for c, share in enumerate(overlaps(clusters, modal).tolist()) if share > overlap]
    found = clusters[kept].amax(0, keepdim=True) if kept else torch.zeros_like(modal)
    return torch.maximum(found, modal) * torch.maximum(modal, inpaint), kept


def known_background(
    estimate: torch.Tensor,
    background: torch.Tensor,
    modal: torch.Tensor,
    inpaint: torch.Tensor,
    threshold: float = 0.05,
) -> torch.Tensor:
    """M^k from the swapped background being known: what differs from it is the object.

    estimate [1, H, W, 3] is the decoded guess at step k, background [1, H, W, 3] I_syn; a pixel
    differs by its mean absolute difference (0..1). Only inside the inpaint mask, with the modal
    mask added, holes up to 1 % of the picture filled, parts that do not touch the object left out.
    """
    differs = (estimate - background).abs().mean(-1) > threshold
    found = torch.maximum(differs.float() * inpaint, modal)[0]
    found = mask_ops.fill_holes(found, largest=found.numel() // 100)
    found = mask_ops.connected_to(found, modal[0])[None]
    return torch.maximum(found, modal) * torch.maximum(modal, inpaint)


def coloured(clusters: torch.Tensor) -> torch.Tensor:
    """A picture [1, H, W, 3] of clusters [n, H, W] in different colours."""
    from ..core.visualize import colour

    tints = torch.tensor([colour(c) for c in range(len(clusters))])
    return torch.einsum("nhw,nc->hwc", clusters.cpu(), tints)[None]


def told(clusters: torch.Tensor, modal: torch.Tensor, kept: list[int]) -> str:
    """In words, which clusters were kept: 'kept 0, 2 of 4 (overlap 0.61 0.02 0.37 0.00)'."""
    shares = " ".join(f"{share:.2f}" for share in overlaps(clusters, modal).tolist())
    names = ", ".join(map(str, kept)) or "none"
    return f"kept {names} of {len(clusters)} (overlap {shares})"
