"""Reading a batch of garment pictures, in the tensors that nodes exchange. B pictures, H W pixel rows/columns."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..pose.schema import from_garment
from .detect import GarmentReading, preview_picture, read_garment
from .draggable import draggable
from .picture import as_rgb8


@dataclass(frozen=True, kw_only=True)
class BatchReading:
    """pose: POSE_KEYPOINT, one frame a picture.  preview_BHW3, mask_BHW: float32 0..1.  category: of the first picture.

    warnings: sentences for the user.  report: the warnings and what was found, as text.  shown, points: the first
    picture for the page and its points there, see `draggable`.
    """

    pose: list[dict]
    preview_BHW3: Tensor
    mask_BHW: Tensor
    category: str
    warnings: tuple[str, ...]
    report: str
    shown_HW3: np.ndarray
    points: dict


def read_batch(images_BHWC: Tensor, *, category: str, masks: Tensor | None = None, overrides: str = "") -> BatchReading:
    """Read every picture of a batch.

    images_BHWC: float 0..1, 3 or 4 channels.  masks: (1 or B, H, W) or (H, W), white on the garment; an all-black mask
    counts as none (the host's picture loader gives one for photos without transparency).  overrides: for every picture.
    """
    if images_BHWC.ndim != 4 or len(images_BHWC) == 0:
        raise InputError(
            f"garment pictures have shape {tuple(images_BHWC.shape)}; expected (pictures, height, width, 3)"
        )
    masks_BHW = _as_masks(masks, len(images_BHWC))
    readings, previews, pictures = [], [], []
    for index, image in enumerate(images_BHWC):
        mask = None if masks_BHW is None else masks_BHW[index if len(masks_BHW) > 1 else 0].float().cpu().numpy()
        picture = as_rgb8(image.float().cpu().numpy())
        pictures = pictures or [picture]
        readings.append(read_garment(picture, category=category, mask=mask, overrides=overrides))
        previews.append(preview_picture(picture, readings[-1]))
    shown, points = draggable(pictures[0], readings[0].found)
    warnings = tuple(f"picture {i + 1}: {line}" for i, reading in enumerate(readings) for line in reading.warnings)
    return BatchReading(
        pose=[frame for reading in readings for frame in from_garment(reading.landmarks)],
        preview_BHW3=torch.from_numpy(np.stack(previews)).float() / 255,
        mask_BHW=torch.from_numpy(np.stack([reading.mask_HW for reading in readings])).float() / 255,
        category=readings[0].landmarks.category,
        warnings=warnings,
        report="\n".join([_describe(i, reading) for i, reading in enumerate(readings)] + list(warnings)),
        shown_HW3=shown,
        points=points,
    )


def _as_masks(masks: Tensor | None, pictures: int) -> Tensor | None:
    if masks is None or not bool((masks > 0).any()):
        return None
    masks_BHW = masks[None] if masks.ndim == 2 else masks
    if masks_BHW.ndim != 3 or len(masks_BHW) not in (1, pictures):
        raise InputError(
            f"garment masks have shape {tuple(masks.shape)}; expected 1 or {pictures} masks (count, height, width)"
        )
    return masks_BHW


def _describe(index: int, reading: GarmentReading) -> str:
    landmarks = reading.landmarks
    present = landmarks.visibility_K > 0
    confidence = float(landmarks.points_K3[present, 2].mean()) if present.any() else 0.0
    return (
        f"picture {index + 1}: {landmarks.category}, sleeve {landmarks.sleeve}, {int(present.sum())} points, "
        f"mean confidence {confidence:.2f}, one garment {reading.score:.2f}"
    )
