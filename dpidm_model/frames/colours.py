"""Colours of things as histograms: what is this pixel likely a part of? H W pixels."""

import cv2
import numpy as np

# steps of lightness, and of each of the two colour axes of Lab between -64 and 64: 16384 kinds of colour
LIGHTNESS, CHROMA = 16, 32
KINDS = LIGHTNESS * CHROMA * CHROMA


def colour_kinds(frame_HW3: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(h, w) uint16: each pixel's kind of colour in the frame (float 0..1 or uint8 RGB) shrunk to (width, height)."""
    small = frame_HW3 if frame_HW3.shape[1::-1] == size else cv2.resize(frame_HW3, size, interpolation=cv2.INTER_AREA)
    if small.dtype != np.uint8:
        small = np.clip(small * 255 + 0.5, 0, 255).astype(np.uint8)
    lab = cv2.cvtColor(cv2.medianBlur(np.ascontiguousarray(small), 3), cv2.COLOR_RGB2LAB).astype(np.uint16)
    chroma = (np.clip(lab[..., 1:], 64, 191) - 64) * CHROMA // 128
    return (lab[..., 0] * LIGHTNESS // 256 * CHROMA + chroma[..., 0]) * CHROMA + chroma[..., 1]


class Colours:
    """How often each kind of colour was seen in something."""

    def __init__(self):
        self._counts = np.zeros(KINDS)

    def add(self, kinds_HW: np.ndarray, where_HW: np.ndarray) -> None:
        """Count the pixels where `where_HW` is not zero."""
        self._counts += np.bincount(kinds_HW[where_HW > 0], minlength=KINDS)

    @property
    def pixels(self) -> int:
        """How many pixels were counted."""
        return int(self._counts.sum())

    def density(self) -> np.ndarray:
        """(KINDS,) float: the share of each kind, spread over its neighbours; 0 everywhere if nothing was seen."""
        table = (self._counts / max(self._counts.sum(), 1)).reshape(LIGHTNESS, CHROMA, CHROMA)
        for axis in range(3):
            for _ in range(2):
                padded = np.pad(table, [(1, 1) if a == axis else (0, 0) for a in range(3)])
                before, after = (np.take(padded, range(s, s + table.shape[axis]), axis) for s in (0, 2))
                table = 0.5 * table + 0.25 * (before + after)
        return table.reshape(-1)
