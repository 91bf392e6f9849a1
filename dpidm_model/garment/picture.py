"""Taking in a garment picture: any array a user may hand us -> RGB uint8, or a clear error."""

import numpy as np

from ..errors import InputError

MIN_SIDE = 32
ROWS = 256


def as_rgb8(image: np.ndarray) -> np.ndarray:
    """A garment picture as (H, W, 3) uint8 RGB.

    image: (H, W, 1|3|4), uint8 or float in 0..1. A fourth channel is alpha: the picture is laid on white.
    Raises InputError for other shapes, empty or tiny pictures (under MIN_SIDE pixels) and NaN.
    """
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4):
        raise InputError(f"garment picture has shape {image.shape}; expected (height, width, 1, 3 or 4 channels)")
    if min(image.shape[:2]) < MIN_SIDE:
        raise InputError(
            f"garment picture is {image.shape[1]}x{image.shape[0]} pixels; expected at least {MIN_SIDE}x{MIN_SIDE}: "
            "load the full-size photo"
        )
    if image.dtype != np.uint8:
        out = np.empty(image.shape, np.uint8)
        for top in range(0, len(image), ROWS):  # in strips: a huge picture is not copied as floats
            strip = image[top : top + ROWS].astype(np.float32)
            if not np.isfinite(strip).all():
                raise InputError("garment picture contains NaN or infinite values; expected numbers from 0 to 1")
            out[top : top + ROWS] = np.clip(strip * 255 + 0.5, 0, 255)
        image = out
    if image.shape[2] == 4:
        alpha = image[..., 3:].astype(np.uint16)
        image = ((image[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return np.ascontiguousarray(np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image)


def as_mask8(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A mask as (H, W) uint8 of 0 and 255.

    mask: (H, W), float 0..1, bool or uint8 0..255.  size: (width, height) it must have.
    Raises InputError for another size, NaN, or a mask without any pixel set.
    """
    mask = np.asarray(mask)
    if mask.shape != (size[1], size[0]):
        raise InputError(
            f"garment mask has shape {mask.shape}; expected {(size[1], size[0])} (height, width) like the picture"
        )
    if mask.dtype != np.uint8:
        mask = mask.astype(np.float32)
        if not np.isfinite(mask).all():
            raise InputError("garment mask contains NaN or infinite values; expected numbers from 0 to 1")
        mask = mask * 255
    mask = np.where(mask > 127, np.uint8(255), np.uint8(0))
    if not mask.any():
        raise InputError("garment mask is empty; paint the garment white, or leave the mask unconnected")
    return mask
