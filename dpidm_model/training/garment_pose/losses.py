"""What the garment network is trained to minimise. B pictures, K slots, h w map rows/columns."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ...garment.network import GarmentMaps

WEIGHTS = {"heat": 1.0, "visibility": 1.0, "category": 0.3, "sleeve": 0.3, "single": 0.5, "mask": 1.0}


def garment_losses(maps: GarmentMaps, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Each loss by name and their weighted sum as "loss".

    heat: cross-entropy between the softmax of a map and a Gaussian, over points that are present (seen or inferred).
    visibility, category, sleeve: cross-entropy; single, mask: binary cross-entropy. Labels other than `single` are
    learnt only from pictures that show one garment; the mask only where it is known (>= 0).
    """
    one_B = batch["single"] > 0.5
    present_BK = (batch["visibility"] > 0) & one_B[:, None]
    log_p = maps.heat_BKhw.flatten(2).log_softmax(2)
    heat_BK = -(batch["heat"].flatten(2) * log_p).sum(2)
    visibility_BK = F.cross_entropy(maps.visibility_BK3.flatten(0, 1), batch["visibility"].flatten(), reduction="none")
    known = batch["mask"] >= 0
    losses = {
        "heat": (heat_BK * present_BK).sum() / present_BK.sum().clamp_min(1),
        "visibility": (visibility_BK.view_as(present_BK) * one_B[:, None]).sum()
        / (one_B.sum() * present_BK.shape[1]).clamp_min(1),
        "category": _masked_entropy(maps.category_B3, batch["category"], one_B),
        "sleeve": _masked_entropy(maps.sleeve_B3, batch["sleeve"], one_B),
        "single": F.binary_cross_entropy_with_logits(maps.single_B, batch["single"]),
        "mask": (
            F.binary_cross_entropy_with_logits(maps.mask_Bhw, batch["mask"].clamp_min(0), reduction="none") * known
        ).sum()
        / known.sum().clamp_min(1),
    }
    losses["loss"] = torch.stack([WEIGHTS[name] * value for name, value in losses.items()]).sum()
    return losses


def _masked_entropy(logits_BN: Tensor, target_B: Tensor, keep_B: Tensor) -> Tensor:
    return (F.cross_entropy(logits_BN, target_B, reduction="none") * keep_B).sum() / keep_B.sum().clamp_min(1)
