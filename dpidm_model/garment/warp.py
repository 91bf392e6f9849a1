"""Thin-plate warps of picture parts: control points in, pixels out. H W pixel rows/columns, N control points."""

from dataclasses import dataclass

import cv2
import numpy as np

GRID = 14  # nodes a side at which the warp is computed exactly; between them it is interpolated


@dataclass(frozen=True, kw_only=True)
class Part:
    """A piece of the garment picture.

    rgba_HW4: uint8, colour premultiplied by coverage.  points_N2: its control points in this picture's pixels.
    """

    name: str
    rgba_HW4: np.ndarray
    points_N2: np.ndarray


def fit_thin_plate(from_N2: np.ndarray, to_N2: np.ndarray, stiffness: float = 1e-3) -> np.ndarray:
    """Coefficients ((N + 3), 2) of the thin-plate spline that takes `from` points to `to` points.

    stiffness: regularisation in units of the points' spread; a little keeps nearly equal points harmless.
    """
    n = len(from_N2)
    scale = max(float(np.ptp(from_N2, axis=0).max()), 1e-6)
    kernel = _radial(from_N2, from_N2)
    kernel[np.diag_indices(n)] += stiffness * scale * scale
    affine = np.concatenate([np.ones((n, 1)), from_N2], 1)
    system = np.zeros((n + 3, n + 3))
    system[:n, :n], system[:n, n:], system[n:, :n] = kernel, affine, affine.T
    return np.linalg.lstsq(system, np.concatenate([to_N2, np.zeros((3, 2))]), rcond=None)[0]


def apply_thin_plate(coefficients: np.ndarray, from_N2: np.ndarray, points_M2: np.ndarray) -> np.ndarray:
    """Where the spline takes points (M, 2)."""
    n = len(from_N2)
    affine = np.concatenate([np.ones((len(points_M2), 1)), points_M2], 1)
    return _radial(points_M2, from_N2) @ coefficients[:n] + affine @ coefficients[n:]


def _radial(a_M2: np.ndarray, b_N2: np.ndarray) -> np.ndarray:
    """r^2 log r between all pairs."""
    square = ((a_M2[:, None] - b_N2[None]) ** 2).sum(2)
    return 0.5 * square * np.log(np.maximum(square, 1e-9))


def warp_part(part: Part, targets_N2: np.ndarray, size: tuple[int, int]):
    """Draw a part so that its control points lie at `targets_N2` in a picture of `size` = (width, height).

    Returns (x0, y0, premultiplied (h, w, 4) uint8) or None when it lies outside or has collapsed.
    """
    source = part.points_N2
    if np.ptp(targets_N2, axis=0).min() < 1.0:
        return None
    forward = fit_thin_plate(source, targets_N2)
    h, w = part.rgba_HW4.shape[:2]
    border = np.linspace(0, 1, 7)
    rim = np.concatenate(
        [[(x * w, y * h) for x in border for y in (0, 0.5, 1)], [(x * w, y * h) for x in (0, 1) for y in border]]
    )
    reach = apply_thin_plate(forward, source, rim)
    spread = max(float(np.ptp(targets_N2, axis=0).max()), 4.0)
    low = np.maximum(reach.min(0), targets_N2.min(0) - spread)
    high = np.minimum(reach.max(0), targets_N2.max(0) + spread)
    x0, y0 = (int(v) for v in np.maximum(0, np.floor(low)))
    x1, y1 = (int(v) for v in np.minimum(size, np.ceil(high) + 1))
    if x1 - x0 < 2 or y1 - y0 < 2:
        return None
    backward = fit_thin_plate(targets_N2, source)
    gx, gy = np.meshgrid(np.linspace(x0, x1 - 1, GRID), np.linspace(y0, y1 - 1, GRID))
    nodes = apply_thin_plate(backward, targets_N2, np.stack([gx.ravel(), gy.ravel()], 1))
    map_x, map_y = (_enlarge(nodes[:, i].reshape(GRID, GRID).astype(np.float32), (x1 - x0, y1 - y0)) for i in (0, 1))
    picture = cv2.remap(
        part.rgba_HW4, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(0, 0, 0, 0)
    )
    return x0, y0, picture


def _enlarge(nodes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bilinear interpolation with the grid's outer nodes on the outer pixels (cv2.resize has them half a cell in)."""
    w, h = size
    matrix = np.array([[(GRID - 1) / max(w - 1, 1), 0, 0], [0, (GRID - 1) / max(h - 1, 1), 0]])
    return cv2.warpAffine(
        nodes, matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )


def lay_over(
    frame_HW3: np.ndarray, x0: int, y0: int, rgba_hw4: np.ndarray, keep_HW: np.ndarray | None, weight: float
) -> None:
    """Composite a premultiplied picture onto a float32 frame (in place); keep_HW: 0..1, where it is hidden."""
    h, w = rgba_hw4.shape[:2]
    window = frame_HW3[y0 : y0 + h, x0 : x0 + w]
    factor = (
        np.float32(weight)
        if keep_HW is None
        else (np.float32(weight) * (1 - keep_HW[y0 : y0 + h, x0 : x0 + w]))[..., None]
    )
    alpha = rgba_hw4[..., 3:].astype(np.float32) * (factor / 255)
    window *= 1 - alpha
    window += rgba_hw4[..., :3].astype(np.float32) * factor
