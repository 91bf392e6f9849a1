"""One size for all pictures: scaled to fit, centred, the border filled by the edge.

# F frames, H W pixel rows/columns
"""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A source picture of `source` = (width, height) inside one of `size`: x' = x * scale + left, y' likewise."""

    source: tuple[int, int]
    size: tuple[int, int]

    @property
    def scale(self) -> float:
        return min(self.size[0] / self.source[0], self.size[1] / self.source[1])

    @property
    def inner(self) -> tuple[int, int]:
        """(width, height) of the scaled picture."""
        width, height = (max(1, round(n * self.scale)) for n in self.source)
        return min(width, self.size[0]), min(height, self.size[1])

    @property
    def corner(self) -> tuple[int, int]:
        """(left, top) of the scaled picture."""
        return (self.size[0] - self.inner[0]) // 2, (self.size[1] - self.inner[1]) // 2

    def picture(self, image: np.ndarray, *, mask: bool = False) -> np.ndarray:
        """Scale (H, W) or (H, W, 3) uint8. Masks: nearest pixels, border 0; pictures: area or linear, border edge."""
        small = self.scale < 1
        way = cv2.INTER_NEAREST if mask else cv2.INTER_AREA if small else cv2.INTER_LINEAR
        inner = image if image.shape[1::-1] == self.inner else cv2.resize(image, self.inner, interpolation=way)
        left, top = self.corner
        right, bottom = self.size[0] - self.inner[0] - left, self.size[1] - self.inner[1] - top
        border = cv2.BORDER_CONSTANT if mask else cv2.BORDER_REPLICATE
        return cv2.copyMakeBorder(inner, top, bottom, left, right, border, value=0)

    def points(self, points: np.ndarray) -> np.ndarray:
        """Map (..., 3) x, y, confidence; missing points (confidence 0) stay at 0, 0."""
        scale = np.array([self.inner[0] / self.source[0], self.inner[1] / self.source[1]], points.dtype)
        moved = points.copy()
        moved[..., :2] = points[..., :2] * scale + np.array(self.corner, points.dtype)
        moved[points[..., 2] <= 0] = 0
        return moved
