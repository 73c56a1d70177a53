"""M^k: the object's mask at step k, by the paper's rule, clusters of decoder features (3.5).

The other rules are in `known_background` and `seeded_mask`. Masks are [n, H, W] with the
values 0 and 1, at the picture's size.
"""

from functools import partial

import torch

from ..core import interrupts, mask_ops
from ..core.errors import BadInput


def cluster(features: torch.Tensor, count: int, seed: int, size: tuple[int, int]) -> torch.Tensor:
    """k-means on decoder features: one mask for each cluster; each pixel is in exactly one.

    features [C, h, w] belong to one picture and are not normalised, as in the authors' release.
    `size` is the picture's (height, width). Returns [count, H, W]; some masks are empty where
    there are fewer distinct features than `count`. Raises BadInput for more clusters than cells,
    and for NaN.
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
    fit = partial(means.fit_predict, points.cpu().numpy())
    labels = torch.from_numpy(interrupts.waited_for(fit))
    labels = labels.reshape(1, 1, *features.shape[-2:]).float()
    labels = torch.nn.functional.interpolate(labels, size, mode="nearest-exact")[0, 0]
    return torch.stack([(labels == c).float() for c in range(count)])


def overlaps(clusters: torch.Tensor, modal_mask: torch.Tensor) -> torch.Tensor:
    """[n] float64: the part of the modal mask [1, H, W] in each cluster, 0..1.

    Raises BadInput where the modal mask is empty.
    """
    area = modal_mask.sum(dtype=torch.float64)
    if area == 0:
        raise BadInput("modal_mask", "is empty", "give the object's visible pixels")
    return (clusters * modal_mask).sum((1, 2), dtype=torch.float64) / area


def select(
    clusters: torch.Tensor,
    modal_mask: torch.Tensor,
    inpaint_mask: torch.Tensor,
    overlap: float = 0.2,
) -> tuple[torch.Tensor, list[int]]:
    """The clusters that align with M_modal (section 3.5): M^k [1, H, W] and their numbers.

    Keeps cluster c where |c and M_modal| > overlap * |M_modal|. M^k is the union of the kept
    clusters and M_modal, within M_modal and the inpaint mask. clusters [n, H, W], modal_mask and
    inpaint_mask [1, H, W].
    """
    shares = overlaps(clusters, modal_mask).tolist()
    kept = [number for number, share in enumerate(shares) if share > overlap]
    allowed = torch.maximum(modal_mask, inpaint_mask)
    return torch.maximum(union(clusters, kept), modal_mask) * allowed, kept


def union(clusters: torch.Tensor, kept: list[int]) -> torch.Tensor:
    """[1, H, W]: the pixels of the kept clusters of [n, H, W]."""
    return clusters[kept].amax(0, keepdim=True) if kept else torch.zeros_like(clusters[:1])


def tidied(
    mask: torch.Tensor, modal_mask: torch.Tensor, inpaint_mask: torch.Tensor
) -> torch.Tensor:
    """M^k [1, H, W] from a rule's mask of the object, all [1, H, W].

    Only pixels of the inpaint mask count, and the modal mask is added. Holes of up to 1 % of the
    picture are filled, and parts that do not touch the object are dropped.
    """
    whole = torch.maximum(mask * inpaint_mask, modal_mask)[0]
    whole = mask_ops.fill_holes(whole, largest=whole.numel() // 100)
    whole = mask_ops.connected_to(whole, modal_mask[0])[None]
    return torch.maximum(whole, modal_mask) * torch.maximum(modal_mask, inpaint_mask)


def describe(clusters: torch.Tensor, modal_mask: torch.Tensor, kept: list[int]) -> str:
    """Which clusters were kept, in words: 'kept 0, 2 of 4 (overlap 0.61 0.02 0.37 0.00)'."""
    shares = " ".join(f"{share:.2f}" for share in overlaps(clusters, modal_mask).tolist())
    names = ", ".join(map(str, kept)) or "none"
    return f"kept {names} of {len(clusters)} (overlap {shares})"
