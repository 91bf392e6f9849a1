"""The steps of this folder over whole image batches, frame by frame into the output: memory is the output's.

F frames, H W pixels. IMAGE: (F, H, W, 3) float32 0..1, MASK: (F, H, W) float32 0..1; sizes are (width, height).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import InputError
from ..handovers import CropPlan, PoseTrack
from .agnostic import MaskOptions, agnostic_frame, clip_masks, overlay_frame
from .batch import collect, float_frames, masks_for, resized
from .belongings import belongings
from .crop import check_plan, crop_frame, crop_track, plan_crop
from .paste import PasteOptions, paste_frame


def batch_size(images_FHW3: Tensor) -> tuple[int, int]:
    """(width, height) of an image batch."""
    return int(images_FHW3.shape[2]), int(images_FHW3.shape[1])


def agnostic_clip(
    images_FHW3: Tensor,
    track: PoseTrack,
    options: MaskOptions,
    segmentation: Tensor | None = None,
    keep: Tensor | None = None,
    things: Sequence[str] = (),
) -> tuple[Tensor, Tensor, Tensor]:
    """Agnostic frames, masks and preview of a clip. track: one person, of as many frames.

    segmentation: MASK of the person; keep: MASK of things that must not be covered (a belt, another person); each one
    or one per frame. things: keys of belongings.THINGS to look for and keep.
    Raises InputError where the inputs do not fit together.
    """
    frames, size = len(images_FHW3), batch_size(images_FHW3)
    if len(track) != frames:
        raise InputError(f"the poses have {len(track)} frames but the video has {frames}; use the poses of this video")
    person = None
    if segmentation is not None:
        person = (mask > 0.5 for mask in masks_for(segmentation, frames, size, "segmentation"))
    kept = masks_for(keep, frames, size, "keep") if keep is not None else [None] * frames
    agnostic = torch.empty(images_FHW3.shape, dtype=torch.float32)
    preview = torch.empty_like(agnostic)
    masks = torch.empty(images_FHW3.shape[:3], dtype=torch.float32)
    found = belongings(lambda: float_frames(images_FHW3), track, size, things) if things else None
    steps = zip(float_frames(images_FHW3), clip_masks(track, size, options, person, found), kept)
    for index, (frame, mask, kept_HW) in enumerate(steps):
        mask = mask if kept_HW is None else mask * (1 - kept_HW.clip(0, 1))
        masks[index] = torch.from_numpy(mask)
        agnostic[index] = torch.from_numpy(agnostic_frame(frame, mask))
        preview[index] = torch.from_numpy(overlay_frame(frame, mask))
    return agnostic, masks, preview


def crop_clip(
    images_FHW3: Tensor, track: PoseTrack, size: tuple[int, int], *, margin: float = 0.1, steady: int = 24
) -> tuple[Tensor, PoseTrack, CropPlan]:
    """The clip cropped to a person at `size`, the pose in the crop, and the plan to paste back by."""
    track = track.scaled(batch_size(images_FHW3))
    plan = plan_crop(track, size, margin=margin, steady=steady)
    pictures = (crop_frame(frame, box, size) for frame, box in zip(float_frames(images_FHW3), plan.boxes_F4))
    return collect(pictures, len(images_FHW3)), crop_track(track, plan), plan


def paste_clip(
    source_FHW3: Tensor, result_Fhw3: Tensor, mask: Tensor, plan: CropPlan, options: PasteOptions | None = None
) -> Tensor:
    """The result pasted into the source, frame by frame. mask: one or one per frame, at the crop's or result's size.

    Raises InputError if lengths or sizes do not belong together.
    """
    frames = len(source_FHW3)
    check_plan(plan, frames, batch_size(source_FHW3))
    if len(result_Fhw3) != frames:
        raise InputError(
            f"the result has {len(result_Fhw3)} frames but the source has {frames}; paste the frames made from it"
        )
    size = batch_size(result_Fhw3)
    mask_size = (int(mask.shape[-1]), int(mask.shape[-2]))
    if mask_size not in (size, tuple(plan.size)):
        raise InputError(
            f"the mask is {mask_size[0]}x{mask_size[1]} pixels, the crop {plan.size[0]}x{plan.size[1]} and the result "
            f"{size[0]}x{size[1]}; use the agnostic mask made from the cropped frames"
        )
    masks = masks_for(mask, frames, mask_size)
    steps = zip(float_frames(source_FHW3), float_frames(result_Fhw3), masks, plan.boxes_F4)
    pasted = (paste_frame(source, result, resized(m, size), box, options)[0] for source, result, m, box in steps)
    return collect(pasted, frames)
