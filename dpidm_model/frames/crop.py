"""The focus tunnel: a smooth crop that follows the person, so that all of the model's pixels go to them.

Not in the paper, which works on whole frames. F frames; sizes are (width, height); boxes are x0, y0, width, height.
"""

import math

import cv2
import numpy as np

from ..errors import InputError
from ..handovers import BODY, CropPlan, PoseTrack

# How far the clothed body reaches beyond its joints, in fractions of the joints' own box: hair, hands, shoes.
HEADROOM, SIDES, SHOES = 0.12, 0.12, 0.06


def plan_crop(track: PoseTrack, size: tuple[int, int], *, margin: float = 0.1, steady: int = 24) -> CropPlan:
    """A crop that holds the person in every frame, of one size over the clip and moving smoothly.

    size: (width, height) of the working picture, multiples of 8; the crop has its aspect.
    margin: free space around the person in fractions of their size.
    steady: frames over which motion of the crop is averaged.
    The crop is never larger than the frame in both directions at once, and stays inside the frame where it fits.
    Raises InputError if there is no pose at all.
    """
    if size[0] % 8 or size[1] % 8 or min(size) < 8:
        raise InputError(f"crop size {size[0]} x {size[1]} is not usable; both must be positive multiples of 8")
    if margin < 0:
        raise InputError(f"margin {margin} is negative; use 0 or more")
    boxes = _person_boxes(track)
    width, height = (np.percentile(boxes[:, i + 2] - boxes[:, i], 98) * (1 + 2 * margin) for i in (0, 1))
    aspect = size[0] / size[1]
    width = max(float(width), float(height) * aspect, 8 * aspect)
    width = min(width, max(track.canvas[0], track.canvas[1] * aspect))
    height = width / aspect
    centres = _smooth_path((boxes[:, :2] + boxes[:, 2:]) / 2, boxes, (width, height), steady)
    corners = centres - (width / 2, height / 2)
    for axis, length in ((0, width), (1, height)):
        free = track.canvas[axis] - length
        corners[:, axis] = np.clip(corners[:, axis], 0, free) if free >= 0 else free / 2
    # whole-pixel corners when nothing is resized: then cropping and pasting back copy pixels
    if math.isclose(width, size[0], abs_tol=0.5) and math.isclose(height, size[1], abs_tol=0.5):
        width, height, corners = float(size[0]), float(size[1]), np.round(corners)
    sizes = np.broadcast_to([width, height], corners.shape)
    return CropPlan(np.concatenate([corners, sizes], axis=1).astype(np.float32), size, track.canvas)


def _person_boxes(track: PoseTrack) -> np.ndarray:
    """(F, 4) x0, y0, x1, y1 around the clothed person; frames without a pose get their neighbours' box."""
    boxes = np.full((len(track), 4), np.nan)
    for frame, keypoints_K3 in enumerate(track.keypoints_FK3):
        seen = keypoints_K3[keypoints_K3[:, 2] > 0, :2]
        if (keypoints_K3[BODY, 2] > 0).sum() >= 2:
            low, high = seen.min(axis=0), seen.max(axis=0)
            extent = np.maximum(high - low, 0.25 * (high - low).max() + 1)
            low = low - (SIDES * extent[0], HEADROOM * extent[1])
            high = high + (SIDES * extent[0], SHOES * extent[1])
            boxes[frame] = np.concatenate([low, high])
    known = np.flatnonzero(np.isfinite(boxes[:, 0]))
    if len(known) == 0:
        raise InputError("no frame has a pose to crop to; run pose detection, or load a pose")
    edges = [np.interp(np.arange(len(boxes)), known, boxes[known, i]) for i in range(4)]
    boxes = np.stack(edges, axis=1)
    limits = np.array([*track.canvas, *track.canvas])
    return np.clip(boxes, 0, limits)


def _smooth_path(centres_F2: np.ndarray, boxes_F4: np.ndarray, size: tuple[float, float], steady: int) -> np.ndarray:
    """Centres averaged over time, then moved just as far as needed to keep the person inside."""
    reach = max(0, min(steady, len(centres_F2)) // 2)
    window = np.hanning(2 * reach + 3)[1:-1]
    padded = np.pad(centres_F2, ((reach, reach), (0, 0)), mode="edge")
    views = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0)
    smooth = views @ (window / window.sum())
    half = np.array(size) / 2
    low, high = boxes_F4[:, 2:] - half, boxes_F4[:, :2] + half  # centre must lie between, where the person fits at all
    fits = low <= high
    return np.where(fits, np.clip(smooth, np.minimum(low, high), np.maximum(low, high)), smooth)


def crop_track(track: PoseTrack, plan: CropPlan) -> PoseTrack:
    """The pose in the working picture's pixels."""
    check_plan(plan, len(track), track.canvas)
    keypoints = track.keypoints_FK3.copy()
    scale = np.array(plan.size) / plan.boxes_F4[:, 2:]
    keypoints[..., :2] = (keypoints[..., :2] - plan.boxes_F4[:, None, :2]) * scale[:, None]
    keypoints[keypoints[..., 2] <= 0] = 0
    return PoseTrack(keypoints.astype(np.float32), plan.size, track.provenance_F)


def check_plan(plan: CropPlan, frames: int, source_size: tuple[int, int]) -> None:
    """Raise InputError unless a crop plan belongs to a clip of that length and size."""
    if len(plan.boxes_F4) != frames:
        raise InputError(f"the crop was made for {len(plan.boxes_F4)} frames but the clip has {frames}; crop it again")
    if tuple(plan.source_size) != tuple(source_size):
        found, made = "x".join(map(str, source_size)), "x".join(map(str, plan.source_size))
        raise InputError(f"the crop was made for {made} frames but these have {found}; crop them again")


def crop_frame(frame: np.ndarray, box_4: np.ndarray, size: tuple[int, int], *, nearest: bool = False) -> np.ndarray:
    """One frame's working picture: the box resized to `size` by Lanczos (area averaging when shrinking).

    frame: (H, W, 3) or (H, W), uint8 or float32. box_4: x0, y0, width, height; outside the frame its edge continues.
    A box of whole pixels and the working size is copied. nearest: no new values (label maps).
    """
    x0, y0, width, height = (float(v) for v in box_4)
    if (width, height) == tuple(map(float, size)) and x0.is_integer() and y0.is_integer():
        return _copy_region(frame, int(x0), int(y0), size)
    left, top = math.floor(x0), math.floor(y0)
    region_size = math.ceil(x0 + width) - left + 1, math.ceil(y0 + height) - top + 1
    region = _copy_region(frame, left, top, region_size)
    scale = np.array([size[0] / width, size[1] / height])
    if not nearest and scale.min() < 0.75:  # Lanczos over so few samples would alias: average first, then place exactly
        shrink = max(1, int(1 / scale.min()))
        small = max(1, region_size[0] // shrink), max(1, region_size[1] // shrink)
        region = cv2.resize(region, small, interpolation=cv2.INTER_AREA)
    else:
        small = region_size
    step = np.array([small[0] / region_size[0], small[1] / region_size[1]])
    # working pixel centre u + 0.5 lies at source (u + 0.5) / scale + x0
    zoom = step / scale
    shift = (0.5 / scale + (x0 - left, y0 - top)) * step - 0.5
    matrix = np.array([[zoom[0], 0, shift[0]], [0, zoom[1], shift[1]]])
    how = (cv2.INTER_NEAREST if nearest else cv2.INTER_LANCZOS4) | cv2.WARP_INVERSE_MAP
    out = cv2.warpAffine(region, matrix, tuple(size), flags=how, borderMode=cv2.BORDER_REPLICATE)
    return np.clip(out, 0, 1) if out.dtype == np.float32 else out


def _copy_region(frame: np.ndarray, x0: int, y0: int, size: tuple[int, int]) -> np.ndarray:
    """A copy of a rectangle that may reach outside the frame, whose edge pixels then continue."""
    height, width = frame.shape[:2]
    inside = (
        slice(max(0, min(y0, height - 1)), max(1, min(y0 + size[1], height))),
        slice(max(0, min(x0, width - 1)), max(1, min(x0 + size[0], width))),
    )
    top, left = max(0, inside[0].start - y0), max(0, inside[1].start - x0)
    top, left = min(top, size[1] - 1), min(left, size[0] - 1)
    region = frame[inside][: size[1] - top, : size[0] - left]
    bottom, right = size[1] - top - region.shape[0], size[0] - left - region.shape[1]
    return cv2.copyMakeBorder(region, top, bottom, left, right, cv2.BORDER_REPLICATE)
