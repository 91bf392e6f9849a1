"""Measures of pictures against the truth.

# F frames, H W pixel rows/columns
"""

import cv2
import numpy as np


def psnr(result_FHW3: np.ndarray, truth_FHW3: np.ndarray, mask_FHW: np.ndarray | None = None) -> float:
    """Peak signal-to-noise ratio in dB of uint8 pictures, over the pixels where mask > 127 (None: all)."""
    error = (result_FHW3.astype(np.float64) - truth_FHW3) ** 2
    inside = np.ones(error.shape[:-1], bool) if mask_FHW is None else mask_FHW > 127
    mean = error[inside].mean() if inside.any() else 0.0
    return float(10 * np.log10(255**2 / max(mean, 1e-10)))


def colour_error(result_FHW3: np.ndarray, truth_FHW3: np.ndarray, mask_FHW: np.ndarray) -> float:
    """Mean Euclidean RGB distance (0..442) over the pixels where mask > 127."""
    distance = np.linalg.norm(result_FHW3.astype(np.float64) - truth_FHW3, axis=-1)
    inside = mask_FHW > 127
    return float(distance[inside].mean()) if inside.any() else 0.0


def ssim(result_HW3: np.ndarray, truth_HW3: np.ndarray, mask_HW: np.ndarray | None = None) -> float:
    """Structural similarity (Wang et al. 2004): Gaussian window 11, sigma 1.5, mean over channels and pixels.

    mask_HW: take the mean over windows centred where it is > 127 (None: all; nan where it is empty).
    """
    x, y = result_HW3.astype(np.float64), truth_HW3.astype(np.float64)

    def blur(image: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(image, (11, 11), 1.5)

    mx, my = blur(x), blur(y)
    vx, vy, vxy = blur(x * x) - mx * mx, blur(y * y) - my * my, blur(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    similarity = ((2 * mx * my + c1) * (2 * vxy + c2)) / ((mx * mx + my * my + c1) * (vx + vy + c2))
    if mask_HW is None:
        return float(similarity.mean())
    inside = similarity[mask_HW > 127]
    return float(inside.mean()) if len(inside) else float("nan")


def identify(result_FHW3: np.ndarray, candidates: list[np.ndarray], mask_FHW: np.ndarray) -> int:
    """Index of the candidate (the same motion in different garments, uint8) nearest to the result inside the mask."""
    inside = mask_FHW > 127
    seen = result_FHW3[inside].astype(np.float64)
    return int(np.argmin([((candidate[inside] - seen) ** 2).mean() for candidate in candidates]))
