"""Pasting the working pictures back: feathered, colour-matched at the seam, everything outside untouched.

Not in the paper. H W pixels of the source frame, h w of the working picture; sizes are (width, height).
"""

from dataclasses import dataclass

import cv2
import numpy as np

from ..errors import InputError
from .agnostic import grow
from .crop import crop_frame

MATCHES = ("seam", "none")


@dataclass(frozen=True, kw_only=True)
class PasteOptions:
    """feather: width of the soft edge, in pixels of a result 512 high.  match: "seam" shifts the result's colours so
    that they meet the source around the mask, "none" leaves them.
    """

    feather: float = 8.0
    match: str = "seam"

    def __post_init__(self):
        if self.feather < 0:
            raise InputError(f"feather {self.feather} is negative; use 0 for a hard edge")
        if self.match not in MATCHES:
            raise InputError(f"colour match {self.match!r} is not known; choose one of {', '.join(MATCHES)}")


def feathered(mask_HW: np.ndarray, pixels: float) -> np.ndarray:
    """Soft edge around a mask: 1 inside, falling to 0 over `pixels` outside it. Float 0..1 in, float32 out."""
    mask = mask_HW.astype(np.float32)
    if pixels <= 0:
        return mask
    outside = (mask < 0.5).astype(np.uint8)
    if not outside.any() or outside.all():
        return mask
    away = cv2.distanceTransform(outside, cv2.DIST_L2, 5)
    ramp = np.clip(1 - away / (pixels + 1), 0, 1)
    return np.maximum(mask, ramp * ramp * (3 - 2 * ramp))


def paste_frame(
    source_HW3: np.ndarray,
    result_hw3: np.ndarray,
    mask_hw: np.ndarray,
    box_4: np.ndarray,
    options: PasteOptions | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Put one working picture back into its source frame.

    source_HW3, result_hw3: float32 RGB 0..1.  mask_hw: float32 0..1, where the result counts.
    box_4: x0, y0, width, height of the crop in source pixels.
    Returns the new frame (a copy; pixels where the blend weight is 0 are bit-identical to the source) and the blend
    weight (H, W) float32.
    """
    options = options or PasteOptions()
    if mask_hw.shape != result_hw3.shape[:2]:
        raise InputError(f"the mask is {mask_hw.shape} but the result {result_hw3.shape[:2]}; they must be of one size")
    out = source_HW3.copy()
    weight_HW = np.zeros(source_HW3.shape[:2], np.float32)
    size_wh = (result_hw3.shape[1], result_hw3.shape[0])
    unchanged_hw3 = crop_frame(source_HW3, box_4, size_wh)
    soft_hw = feathered(mask_hw, options.feather * max(size_wh) / 512) * changed(result_hw3, unchanged_hw3)
    height, width = source_HW3.shape[:2]
    x0, y0, box_w, box_h = (float(v) for v in box_4)
    left, top = max(0, int(np.floor(x0))), max(0, int(np.floor(y0)))
    right, bottom = min(width, int(np.ceil(x0 + box_w))), min(height, int(np.ceil(y0 + box_h)))
    if right <= left or bottom <= top or not soft_hw.any():
        return out, weight_HW
    region = source_HW3[top:bottom, left:right]
    place = (x0 - left, y0 - top, box_w, box_h)
    size = (right - left, bottom - top)
    back = _place(result_hw3, place, size, cv2.INTER_LANCZOS4)
    weight = np.clip(_place(soft_hw, place, size, cv2.INTER_LINEAR), 0, 1)
    weight *= _inside(place, size)
    weight[weight < 1 / 512] = 0
    if options.match == "seam":
        back = back + _seam_shift(region, back, weight)
    blended = region + weight[..., None] * (np.clip(back, 0, 1) - region)
    out[top:bottom, left:right] = np.where(weight[..., None] > 0, blended, region)
    weight_HW[top:bottom, left:right] = weight
    return out, weight_HW


def changed(result_hw3: np.ndarray, unchanged_hw3: np.ndarray) -> np.ndarray:
    """(h, w) float32: 1 where the result differs from the cropped source, 0 where it is still the same.

    What nobody touched is not resampled twice: the source keeps its own pixels there. Differences count from 1/255 and
    fully from 4/255; islands of chance agreement within changed areas are closed.
    """
    difference = np.abs(result_hw3 - unchanged_hw3).max(axis=2)
    ramp = np.clip((difference * 255 - 1) / 3, 0, 1).astype(np.float32)
    if not ramp.any() or ramp.all():
        return ramp
    closed = cv2.morphologyEx(ramp, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (15, 15)))
    return cv2.GaussianBlur(cv2.dilate(closed, np.ones((7, 7), np.uint8)), (5, 5), 0)


def _place(picture: np.ndarray, place: tuple[float, ...], size: tuple[int, int], how: int) -> np.ndarray:
    """The working picture resampled onto the source pixels of a region; its edge continues outside."""
    x, y, width, height = place
    scale = picture.shape[1] / width, picture.shape[0] / height
    if scale == (1.0, 1.0) and float(x).is_integer() and float(y).is_integer():
        how = cv2.INTER_NEAREST
    elif how == cv2.INTER_LANCZOS4 and max(scale) > 1.5:  # the result is finer than the source: average, do not sample
        factor = max(1, int(max(scale)))
        picture = cv2.resize(picture, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
        scale = picture.shape[1] / width, picture.shape[0] / height
    matrix = np.array([[scale[0], 0, (0.5 - x) * scale[0] - 0.5], [0, scale[1], (0.5 - y) * scale[1] - 0.5]])
    flags = how | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(picture, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _inside(place: tuple[float, ...], size: tuple[int, int]) -> np.ndarray:
    """(h, w) float 0..1: how much of each source pixel the crop covers."""
    x, y, width, height = place
    columns, rows = np.arange(size[0]), np.arange(size[1])
    cover_x = np.clip(np.minimum(columns + 1, x + width) - np.maximum(columns, x), 0, 1)
    cover_y = np.clip(np.minimum(rows + 1, y + height) - np.maximum(rows, y), 0, 1)
    return (cover_y[:, None] * cover_x[None]).astype(np.float32)


def _seam_shift(source: np.ndarray, result: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(3,) or (h, w, 3): the colour shift that makes the result meet the source along the seam.

    The seam is the outer half of the soft edge, where both show the same thing if the result is good. Its median
    difference, at most 8/255 a channel, is added everywhere: a constant does not bleed one side's colour into another.
    """
    seam = (weight > 0) & (weight < 0.6)
    if seam.sum() < 16:
        inside = (weight > 0.5).astype(np.uint8) * 255
        seam = (grow(inside, 2) > 0) & (inside == 0)
    if seam.sum() < 16:
        return np.zeros(3, np.float32)
    difference = np.median(source[seam] - result[seam], axis=0)
    return np.clip(difference, -8 / 255, 8 / 255).astype(np.float32)
