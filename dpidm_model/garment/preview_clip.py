"""The instant preview in the tensors that nodes exchange. F frames, H W pixel rows/columns."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..frames.batch import masks_for, uint8_frames
from ..handovers import CATEGORIES
from ..pose.schema import to_garment, to_track
from .picture import as_mask8, as_rgb8
from .preview import INVISIBLE, GarmentPreview, PreviewOptions
from .silhouette import NOTHING, foreground_mask


def guess_category_of(pose: list[dict]) -> str:
    """The category that a garment's POSE_KEYPOINT speaks of: its points tell (neck or shoulders, legs, or both)."""
    points = to_garment(pose, CATEGORIES[0])
    neck, legs = points.visibility_K[[0, 1, 4]].any(), points.visibility_K[[8, 9, 11, 12]].any()
    return "lower" if not neck else "dress" if legs else "upper"


def preview_clip(
    images_FHW3: Tensor,
    pose: list[dict],
    garment_image: Tensor,
    garment_pose: list[dict],
    *,
    garment_mask: Tensor | None = None,
    protect: Tensor | None = None,
    options: PreviewOptions | None = None,
    on_frame: Callable[[int], None] | None = None,
) -> tuple[Tensor, Tensor, str]:
    """The clip with the garment warped onto the person: (frames, masks, report).

    images_FHW3: float 0..1.  pose: POSE_KEYPOINT of these frames.  garment_image: (1, H, W, 3 or 4).  garment_pose: its
    POSE_KEYPOINT.  garment_mask: white on the garment, else found.  protect: one or F masks, white where something lies
    before the garment.  on_frame: called with the number of frames done. Raises InputError where inputs do not fit.
    """
    frames, size = len(images_FHW3), (int(images_FHW3.shape[2]), int(images_FHW3.shape[1]))
    track = to_track(pose, frames=frames).scaled(size)
    garment = as_rgb8(garment_image[0].detach().cpu().float().numpy())
    canvas = (garment.shape[1], garment.shape[0])
    if garment_mask is None:
        mask = foreground_mask(garment)
        if not mask.any():
            raise InputError(NOTHING)
    else:
        single = garment_mask if garment_mask.ndim == 2 else garment_mask[0]
        mask = as_mask8(single.detach().cpu().float().numpy(), canvas)
    landmarks = to_garment(garment_pose, guess_category_of(garment_pose))
    if landmarks.canvas != canvas:
        raise InputError(
            f"the garment pose was made on a picture of {landmarks.canvas[0]}x{landmarks.canvas[1]} pixels but the "
            f"garment picture is {canvas[0]}x{canvas[1]}; connect the same picture to both"
        )
    preview = GarmentPreview(garment, mask, landmarks, track, options)
    keep = iter(masks_for(protect, frames, size, "protect")) if protect is not None else None
    out_FHW3, masks_FHW = torch.empty((frames, size[1], size[0], 3)), torch.empty((frames, size[1], size[0]))
    for index, picture in enumerate(uint8_frames(images_FHW3)):
        dressed, where = preview.frame(index, picture, None if keep is None else next(keep))
        out_FHW3[index] = torch.from_numpy(dressed).float() / 255
        masks_FHW[index] = torch.from_numpy(where).float() / 255
        if on_frame:
            on_frame(index + 1)
    return out_FHW3, masks_FHW, _report(landmarks.category, preview.weights_F)


def _report(category: str, weights_F: np.ndarray) -> str:
    shown, partly = int((weights_F > 0.98).sum()), int(((weights_F >= INVISIBLE) & (weights_F <= 0.98)).sum())
    hidden = len(weights_F) - shown - partly
    return (
        f"{category}: {shown} frames with the garment, {partly} fading, {hidden} as they were (person not frontal, or "
        "shoulders and hips not found)"
    )
