"""Fit a garment photo of any shape into the model's working size: crop around the garment, pad with its background."""

import cv2
import numpy as np

from ..errors import InputError
from ..handovers import GarmentLandmarks

MARGIN = 0.05  # of the garment's larger side, left free around it


def fit_garment(
    image_HW3: np.ndarray, landmarks: GarmentLandmarks, size: tuple[int, int], mask_HW: np.ndarray | None = None
) -> tuple[np.ndarray, GarmentLandmarks]:
    """The garment, centred and as large as fits, without distortion.

    image_HW3: float32 in 0..1.  size: (width, height) wanted.  mask_HW: where the garment is (else: the whole picture).
    Returns the picture (height, width, 3) float32 and the landmarks moved along.
    """
    height, width = image_HW3.shape[:2]
    if landmarks.canvas != (width, height):
        raise InputError(
            f"garment pose is for a {landmarks.canvas} picture, the picture is {(width, height)}; detect it on this one"
        )
    x0, y0, x1, y1 = _bounds(mask_HW, width, height)
    margin = MARGIN * max(x1 - x0, y1 - y0)
    scale = min(size[0] / (x1 - x0 + 2 * margin), size[1] / (y1 - y0 + 2 * margin))
    shift = np.array([size[0] - scale * (x0 + x1), size[1] - scale * (y0 + y1)]) / 2
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float64)
    # shrinking needs the area filter: blur first by the scale, then sample
    source = cv2.GaussianBlur(image_HW3, (0, 0), 0.4 / scale) if scale < 0.8 else image_HW3
    picture = cv2.warpAffine(
        source, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=_background(image_HW3)
    )
    points_K3 = landmarks.points_K3.copy()
    points_K3[:, :2] = points_K3[:, :2] * scale + shift
    points_K3[landmarks.visibility_K == 0] = 0
    moved = GarmentLandmarks(
        points_K3.astype(np.float32), landmarks.visibility_K, size, landmarks.category, landmarks.sleeve
    )
    return np.clip(picture, 0, 1), moved


def _bounds(mask_HW: np.ndarray | None, width: int, height: int) -> tuple[float, float, float, float]:
    if mask_HW is None or not (mask_HW > 0.5).any():
        return 0, 0, width, height
    y, x = np.where(mask_HW > 0.5)
    return x.min(), y.min(), x.max() + 1, y.max() + 1


def _background(image_HW3: np.ndarray) -> tuple[float, ...]:
    rim = np.concatenate([image_HW3[0], image_HW3[-1], image_HW3[:, 0], image_HW3[:, -1]])
    return tuple(float(v) for v in np.median(rim, axis=0))
