"""YOLOX person boxes, as DW-Pose uses them. N boxes, each x0, y0, x1, y1."""

from pathlib import Path

import cv2
import numpy as np

from ...errors import CheckpointError
from .onnx_session import Session

PIXELS = 640
STRIDES = (8, 16, 32)
PERSON = 0


class YoloX:
    """The detector. Works on BGR pictures, as its weights were trained."""

    def __init__(self, path: Path, threads: int = 0, min_score: float = 0.3, max_overlap: float = 0.45):
        self._session = Session(path, (PIXELS, PIXELS), threads)
        self.provider = self._session.provider
        self._min_score, self._max_overlap = min_score, max_overlap
        grids, strides = [], []
        for stride in STRIDES:
            cells = PIXELS // stride
            ys, xs = np.mgrid[0:cells, 0:cells]
            grids.append(np.stack([xs, ys], axis=-1).reshape(-1, 2))
            strides.append(np.full((cells * cells, 1), stride))
        self._grid, self._stride = np.concatenate(grids), np.concatenate(strides)

    def __call__(self, frames: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Boxes (N, 4) and scores (N,) of people in each BGR uint8 frame, best first."""
        prepared = [letterbox(frame) for frame in frames]
        raw = self._session(cv2.dnn.blobFromImages([picture for picture, _ in prepared]))[0]
        if raw.ndim != 3 or raw.shape[1] != len(self._grid) or raw.shape[2] < 6:
            raise CheckpointError(
                f"{self._session.path} gives output {raw.shape}; expected (batch, {len(self._grid)}, 5 + classes): "
                "use yolox_l.onnx of yzd-v/DWPose"
            )
        return [self._people(one, ratio) for one, (_, ratio) in zip(raw, prepared)]

    def _people(self, raw_A: np.ndarray, ratio: float) -> tuple[np.ndarray, np.ndarray]:
        """One picture's raw anchors (A, 5 + classes) as boxes of people in its own pixels."""
        scores = raw_A[:, 4] * raw_A[:, 5 + PERSON]
        keep = scores > self._min_score
        centres = (raw_A[keep, :2] + self._grid[keep]) * self._stride[keep]
        sizes = np.exp(raw_A[keep, 2:4]) * self._stride[keep]
        boxes = np.concatenate([centres - sizes / 2.0, centres + sizes / 2.0], axis=1) / ratio
        finite = np.isfinite(boxes).all(axis=1)
        return suppress(boxes[finite], scores[keep][finite], self._max_overlap)


def letterbox(frame: np.ndarray) -> tuple[np.ndarray, float]:
    """The frame scaled into the upper left corner of a 640 x 640 picture of grey 114, and the scale."""
    height, width = frame.shape[:2]
    ratio = min(PIXELS / height, PIXELS / width)
    picture = np.full((PIXELS, PIXELS, 3), 114, np.uint8)
    small = max(1, int(width * ratio)), max(1, int(height * ratio))
    resized = frame if (width, height) == small else cv2.resize(frame, small, interpolation=cv2.INTER_LINEAR)
    picture[: small[1], : small[0]] = resized
    return picture, ratio


def suppress(boxes_N4: np.ndarray, scores_N: np.ndarray, max_overlap: float) -> tuple[np.ndarray, np.ndarray]:
    """Non-maximum suppression, best first; areas count pixels inclusively (w + 1), as YOLOX's own code does."""
    areas = (boxes_N4[:, 2] - boxes_N4[:, 0] + 1) * (boxes_N4[:, 3] - boxes_N4[:, 1] + 1)
    order, keep = scores_N.argsort()[::-1], []
    while len(order):
        best, rest = order[0], order[1:]
        keep.append(best)
        low = np.maximum(boxes_N4[best, :2], boxes_N4[rest, :2])
        high = np.minimum(boxes_N4[best, 2:], boxes_N4[rest, 2:])
        inner = np.prod(np.maximum(0.0, high - low + 1), axis=1)
        order = rest[inner / (areas[best] + areas[rest] - inner) <= max_overlap]
    return boxes_N4[keep], scores_N[keep]
