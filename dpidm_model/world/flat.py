"""Flat cloth pieces of the garment renderer, measured, so that they can be put around a body.

A piece is the front half of a tube; the back half repeats it, mirrored at the side seams, with the neckline closed.
R rings, S columns, H W pixels of the renderer's canvas. s is the position across the cloth: -1 at the
picture's left edge of a piece, 1 at its right.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from ..garment.renderer import GarmentLayer
from .atlas import Atlas, after_shift
from .mesh import MeshBuilder

LINING = 0.007  # metres between the body and the tightest cloth


@dataclass(frozen=True)
class Folds:
    """A garment's own wrinkles. Each phase and count is drawn once per clip; how deep they are follows the pose."""

    depth: float  # metres
    count: int
    phases: np.ndarray


def make_folds(rng: np.random.Generator) -> Folds:
    """Random wrinkles."""
    return Folds(rng.uniform(0.003, 0.008), int(rng.integers(4, 8)), rng.uniform(0, 2 * np.pi, 8))


@dataclass(frozen=True)
class Strip:
    """Where a piece's cloth lies beside an axis: per ring, the axis point and the cloth's extent, canvas pixels."""

    points_R2: np.ndarray
    normal_2: np.ndarray
    low_R: np.ndarray
    high_R: np.ndarray
    found_R: np.ndarray

    def place(self, s_S: np.ndarray) -> np.ndarray:
        """Canvas positions (R, S, 2) of the positions s across the cloth."""
        middle, half = (self.high_R + self.low_R) / 2, (self.high_R - self.low_R) / 2
        across = middle[:, None] + s_S[None] * half[:, None]
        return self.points_R2[:, None] + across[..., None] * self.normal_2


def measure(alpha_HW: np.ndarray, points_R2: np.ndarray, normal_2: np.ndarray, reach: float) -> Strip:
    """Find the cloth's extent along the normal at each axis point, within `reach` pixels to both sides."""
    steps = np.linspace(-reach, reach, 129, dtype=np.float32)
    grid = (points_R2[:, None] + steps[None, :, None] * normal_2).astype(np.float32)
    covered = cv2.remap(alpha_HW, grid, None, cv2.INTER_LINEAR) > 127  # pyright: ignore[reportCallIssue, reportArgumentType]
    found = covered.any(1)
    low = steps[covered.argmax(1)]
    high = steps[128 - covered[:, ::-1].argmax(1)]
    rows = np.arange(len(found))
    if found.any():
        low, high = (np.interp(rows, rows[found], edge[found]) for edge in (low, high))
    else:
        low, high = np.full(len(found), -reach / 2), np.full(len(found), reach / 2)
    return Strip(points_R2, np.asarray(normal_2, np.float32), low.astype(np.float32), high.astype(np.float32), found)


def wrap(angle_S: np.ndarray) -> np.ndarray:
    """Position s across the cloth at ring angles: the front half from -1 to 1, the back half mirrored."""
    s = angle_S / (np.pi / 2)
    return np.where(np.abs(s) <= 1, s, np.sign(s) * (2 - np.abs(s)))


def crop(layer: GarmentLayer, placed_RS2: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The part of a layer's picture that is used, the corner it starts at, and its layer.to_photo_23 from there."""
    height, width = layer.rgba_HW4.shape[:2]
    low = np.clip(np.floor(placed_RS2.min((0, 1))) - 1, 0, (width - 2, height - 2)).astype(int)
    high = np.clip(np.ceil(placed_RS2.max((0, 1))) + 2, low + 2, (width, height)).astype(int)
    to_photo_23 = after_shift(layer.to_photo_23, low)
    return layer.rgba_HW4[low[1] : high[1], low[0] : high[0]], low, to_photo_23


def anchor(layer: GarmentLayer, name: str) -> np.ndarray:
    return np.asarray(layer.anchors[name], np.float32)


def closed_back(picture_HW4: np.ndarray, top: float) -> np.ndarray:
    """The piece as its back: rows below `top` are covered from edge to edge, so the neckline is shallow.

    The cloth in the closed neckline mirrors what lies below it.
    """
    covered = picture_HW4[..., 3] > 127
    any_row = covered.any(1)
    left, right = covered.argmax(1), covered.shape[1] - 1 - covered[:, ::-1].argmax(1)
    columns = np.arange(covered.shape[1])
    rows = np.arange(covered.shape[0])
    fill = (columns >= left[:, None]) & (columns <= right[:, None]) & (any_row & (rows >= top))[:, None]
    back = picture_HW4.copy()
    hole = fill & ~covered
    if hole.any():
        edge = cv2.dilate(hole.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0  # the neckline's trim goes too
        row, column = np.nonzero(edge & fill)
        mirrored = np.clip(2 * (rows[hole.any(1)][-1] + 3) - row, 0, len(rows) - 1)
        back[row, column] = picture_HW4[mirrored, column]
        back[..., 3] = np.where(fill, 255, back[..., 3])
    return back


def add_front_and_back(
    builder: MeshBuilder, atlas: Atlas, surface_FRS3, uv_RS2, picture, to_photo_23, angle_S, neck_row: float, part: int
) -> None:
    """Two meshes that share a surface: the front half shows the picture, the back half its closed version."""
    quarter = (len(angle_S) - 1) // 4
    front = slice(quarter, len(angle_S) - quarter)
    back_columns = np.r_[len(angle_S) - 1 - quarter : len(angle_S), 1 : quarter + 1]
    left, top = atlas.place(picture, to_photo_23)
    builder.add_sheet(surface_FRS3, uv_RS2 + (left, top), front, part)
    left, top = atlas.place(closed_back(picture, neck_row), to_photo_23)
    builder.add_sheet(surface_FRS3, uv_RS2 + (left, top), back_columns, part)
