"""Rotated square regions of a frame, cut out for a network and mapped back. K points."""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np


@dataclass(frozen=True)
class Roi:
    """A square: centre x, y and side in pixels; angle in radians, positive turns clockwise on the screen."""

    x: float
    y: float
    side: float
    angle: float = 0.0

    def matrix(self, pixels: int) -> np.ndarray:
        """(2, 3) affine from the cut-out picture (pixels x pixels) to the frame."""
        scale = self.side / pixels
        c, s = math.cos(self.angle) * scale, math.sin(self.angle) * scale
        half = pixels / 2
        return np.array([[c, -s, self.x - c * half + s * half], [s, c, self.y - s * half - c * half]])

    def cut(self, frame: np.ndarray, pixels: int, outside: tuple[float, ...] = (0, 0, 0)) -> np.ndarray:
        """The region as (pixels, pixels, 3) uint8; the colour `outside` where it leaves the frame."""
        matrix = self.matrix(pixels)
        shrink = self.side / pixels
        if shrink > 2:  # bilinear sampling would skip pixels: average them first
            factor = 1 / 2 ** int(math.log2(shrink))
            small = cv2.resize(frame, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
            scale = np.array([small.shape[1] / frame.shape[1], small.shape[0] / frame.shape[0]])
            frame, matrix = small, matrix * scale[:, None]
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        border = cv2.BORDER_CONSTANT
        return cv2.warpAffine(frame, matrix, (pixels, pixels), flags=flags, borderMode=border, borderValue=outside)

    def to_frame(self, points_K2: np.ndarray) -> np.ndarray:
        """Points in 0..1 of the region -> pixels of the frame."""
        matrix = self.matrix(1)
        return points_K2 @ matrix[:, :2].T + matrix[:, 2]

    def scaled(self, factor: float) -> "Roi":
        """The same centre and angle, another side."""
        return replace(self, side=self.side * factor)

    def overlap(self, other: "Roi") -> float:
        """0..1: how near two regions are, 1 for the same centre and side."""
        distance = math.hypot(self.x - other.x, self.y - other.y) / max(self.side, other.side, 1e-6)
        return max(0.0, 1 - 2 * distance) * min(self.side, other.side) / max(self.side, other.side, 1e-6)


def upright_angle(start: np.ndarray, end: np.ndarray) -> float:
    """Angle of a region in which the direction start -> end points up."""
    return math.pi / 2 + math.atan2(end[1] - start[1], end[0] - start[0])


def roi_around_axis(start: np.ndarray, end: np.ndarray, scale: float) -> Roi:
    """Region centred on `start`, turned so that start -> end points up, side = 2 * their distance * scale."""
    distance = float(np.linalg.norm(end - start))
    return Roi(float(start[0]), float(start[1]), max(2 * distance * scale, 8.0), upright_angle(start, end))


def shifted(roi: Roi, up: float) -> Roi:
    """The region moved along its own upward direction by `up` of its side."""
    dx, dy = math.sin(roi.angle) * up * roi.side, -math.cos(roi.angle) * up * roi.side
    return Roi(roi.x + dx, roi.y + dy, roi.side, roi.angle)


def roi_around_points(points_K2: np.ndarray, angle: float, scale: float) -> Roi:
    """The turned square around points, side = their larger extent along the turned axes * scale."""
    c, s = math.cos(angle), math.sin(angle)
    turn = np.array([[c, s], [-s, c]])
    turned = points_K2 @ turn.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    x, y = turn.T @ ((low + high) / 2)
    return Roi(float(x), float(y), max(float((high - low).max()) * scale, 8.0), angle)
