"""One texture picture for a whole mesh: patches packed side by side, so that shading samples a single picture."""

import cv2
import numpy as np
from numpy.typing import ArrayLike

PAD = 3


class Atlas:
    """Collects RGBA patches; `picture()` gives the packed float32 texture.

    Patches are packed in columns of the atlas from left to right, each with its border repeated PAD pixels outwards so
    that bilinear sampling at a patch's edge never sees its neighbour.
    """

    def __init__(self):
        self._patches: list[np.ndarray] = []
        self._to_photo: list[np.ndarray] = []
        self._left = 0

    def place(self, rgba_HW4: np.ndarray, to_photo_23: np.ndarray | None = None) -> tuple[float, float]:
        """Add a patch (float32 0..255 or uint8); returns the atlas position of its top-left pixel's centre.

        to_photo_23: takes (x, y, 1) in the patch to where that lies in the garment's picture; see `on_photo`.
        """
        patch = np.ascontiguousarray(rgba_HW4, np.float32)
        self._patches.append(cv2.copyMakeBorder(patch, PAD, PAD, PAD, PAD, cv2.BORDER_REPLICATE))
        left = self._left + PAD
        self._to_photo.append(after_shift(_NOWHERE if to_photo_23 is None else to_photo_23, (-left, -PAD)))
        self._left += patch.shape[1] + 2 * PAD
        return float(left), float(PAD)

    def place_uv(self, rgba_HW4: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Add a patch and return atlas coordinates of the points x, y in 0..1 of its width and height: (..., 2)."""
        left, top = self.place(rgba_HW4)
        height, width = rgba_HW4.shape[:2]
        x, y = np.broadcast_arrays(x, y)
        return np.stack([left + x * (width - 1), top + y * (height - 1)], -1).astype(np.float32)

    def on_photo(self, uv_N2: np.ndarray) -> np.ndarray:
        """Where N atlas positions lie in the garment's picture, pixels: (N, 2). Not a number for other patches."""
        widths = [p.shape[1] for p in self._patches]
        patch_N = np.searchsorted(np.cumsum(widths)[:-1], uv_N2[:, 0] + 0.5, side="right")
        maps_N23 = np.stack(self._to_photo)[patch_N]
        return (maps_N23[:, :, :2] @ uv_N2[:, :, None])[..., 0] + maps_N23[:, :, 2]

    def picture(self) -> np.ndarray:
        """The packed texture (H, W, 4) float32, 0..255."""
        height = max(p.shape[0] for p in self._patches)
        grown = [cv2.copyMakeBorder(p, 0, height - p.shape[0], 0, 0, cv2.BORDER_REPLICATE) for p in self._patches]
        return np.concatenate(grown, 1)


_NOWHERE = np.full((2, 3), np.nan, np.float32)


def after_shift(map_23: np.ndarray, by: ArrayLike) -> np.ndarray:
    """The affine map of points that are moved first."""
    shifted = map_23.astype(np.float32).copy()
    shifted[:, 2] += map_23[:, :2] @ np.asarray(by, np.float32)
    return shifted


def opaque(rgb_HW3: np.ndarray) -> np.ndarray:
    """RGB (H, W, 3) 0..255 -> RGBA with full coverage, float32."""
    return np.concatenate([rgb_HW3.astype(np.float32), np.full((*rgb_HW3.shape[:2], 1), 255, np.float32)], -1)


def mottle(rng: np.random.Generator, height: int, width: int, cells: int, strength: float) -> np.ndarray:
    """Smooth random brightness around 1: (height, width, 1) float32. cells: blotches across the patch."""
    noise = rng.normal(0, strength, (max(2, cells), max(2, cells))).astype(np.float32)
    return 1 + cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
