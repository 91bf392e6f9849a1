"""A small triangle rasteriser in numpy: z-buffer, then attributes by barycentric interpolation.

V vertices, T triangles, P fragments (one per candidate pixel and triangle), H W pixel rows/columns.
Screen axes: x right, y down, z towards the viewer, so the largest z is the nearest.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Z_STEPS = float(1 << 30)
EDGE = 1e-6  # pixels by which rows of a triangle are widened, so that neighbours leave no gap


@dataclass(frozen=True)
class Raster:
    """The nearest triangle of every covered pixel, as a sparse list (N covered pixels).

    pixels_N: flat pixel indices (row * W + column), int64, without repeats.
    triangles_N: index of the triangle seen there.  weights_2N: weights of its
    corners 1 and 2 (corner 0 has the rest).  depth_N: interpolated z.
    """

    pixels_N: np.ndarray
    triangles_N: np.ndarray
    weights_2N: np.ndarray
    depth_N: np.ndarray
    shape: tuple[int, int]

    def interpolate(self, values_VC: np.ndarray, triangles_T3: np.ndarray) -> np.ndarray:
        """Vertex attributes (V, C) at the covered pixels -> (N, C)."""
        base_TC = values_VC[triangles_T3[:, 0]]
        edges = values_VC[triangles_T3[:, 1]] - base_TC, values_VC[triangles_T3[:, 2]] - base_TC
        result = np.take(base_TC, self.triangles_N, 0)
        for edge_TC, weight_N in zip(edges, self.weights_2N, strict=True):
            result += np.take(edge_TC, self.triangles_N, 0) * weight_N[:, None]
        return result

    def select(self, keep_N: np.ndarray) -> "Raster":
        """Only the covered pixels where keep_N is true."""
        pick = np.flatnonzero(keep_N)
        weights_2N = np.take(self.weights_2N, pick, 1)
        return Raster(self.pixels_N[pick], self.triangles_N[pick], weights_2N, self.depth_N[pick], self.shape)

    def paint(self, values_N: np.ndarray, fill: float = 0) -> np.ndarray:
        """Scatter per-pixel values (N, ...) into a dense picture (H, W, ...)."""
        picture = np.full((self.shape[0] * self.shape[1], *values_N.shape[1:]), fill, values_N.dtype)
        picture[self.pixels_N] = values_N
        return picture.reshape(*self.shape, *values_N.shape[1:])


Discard = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def rasterise(
    vertices_V3: np.ndarray,
    triangles_T3: np.ndarray,
    shape: tuple[int, int],
    discard: Discard | None = None,
    frames: int = 1,
) -> Raster:
    """Find the nearest front-facing triangle at every pixel centre.

    vertices_V3: x, y in pixels (0 = left/top edge of the picture), z towards the viewer in [-4, 4).
    triangles_T3: corner indices; those with positive area in x right, y down are front faces.  shape: (H, W).
    discard: (triangle, weight of corner 1, weight of corner 2) of P fragments -> (P,) bool, true where the triangle has
        a hole there (cut-out textures) and what lies behind is to be seen.
    frames: this many pictures of equal height stand on each other in the tall picture; the triangles come in as many
        equal runs, one for each, and are cut off at the borders of their own.
    """
    height, width = shape[0] // frames, shape[1]
    faces = _front_faces(vertices_V3, triangles_T3)
    first_T = faces.names_T // max(len(triangles_T3) // frames, 1) * height
    pixel_P, name_P, b1_P, b2_P, depth_P = _fragments(faces, first_T, first_T + height, width)
    if discard is not None:
        keep = np.flatnonzero(~discard(name_P, b1_P, b2_P))
        pixel_P, name_P, b1_P, b2_P, depth_P = (part[keep] for part in (pixel_P, name_P, b1_P, b2_P, depth_P))
    return _nearest(pixel_P, name_P, b1_P, b2_P, depth_P, shape)


@dataclass(frozen=True)
class _Faces:
    """Front-facing triangles: x, y, z hold their three corners' coordinates as (T,) arrays; area_T twice the area."""

    x: tuple[np.ndarray, ...]
    y: tuple[np.ndarray, ...]
    z: tuple[np.ndarray, ...]
    area_T: np.ndarray
    names_T: np.ndarray

    @staticmethod
    def smallest(corners) -> np.ndarray:
        return np.minimum(np.minimum(corners[0], corners[1]), corners[2])

    @staticmethod
    def largest(corners) -> np.ndarray:
        return np.maximum(np.maximum(corners[0], corners[1]), corners[2])


def _front_faces(vertices_V3: np.ndarray, triangles_T3: np.ndarray) -> _Faces:
    columns = [np.ascontiguousarray(vertices_V3[:, i]) for i in range(3)]
    corners = [np.ascontiguousarray(triangles_T3[:, i]) for i in range(3)]
    x, y = ([np.take(column, corner) for corner in corners] for column in columns[:2])
    area_T = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0])
    names_T = np.flatnonzero(area_T > 1e-6)
    z = tuple(np.take(columns[2], corner[names_T]) for corner in corners)
    return _Faces(tuple(v[names_T] for v in x), tuple(v[names_T] for v in y), z, area_T[names_T], names_T)


def _runs_of(counts_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each of N things repeated counts_N times: which thing, and its how manieth repetition, both (sum,)."""
    which = np.repeat(np.arange(len(counts_N)), counts_N)
    return which, np.arange(len(which)) - np.repeat(np.cumsum(counts_N) - counts_N, counts_N)


def _fragments(faces: _Faces, first_T, end_T, width: int):
    """All (pixel, triangle) pairs with the pixel centre inside the triangle, found row by row.

    first_T, end_T: rows that each triangle may be drawn on.
    Returns flat pixel index, triangle, weights of corners 1 and 2, depth: each (P,).
    """
    x, y, z = (tuple(corner.astype(np.float64) for corner in axis) for axis in (faces.x, faces.y, faces.z))
    top_T = np.maximum(np.ceil(faces.smallest(y) - 0.5).astype(np.int64), first_T)
    bottom_T = np.minimum(np.floor(faces.largest(y) - 0.5).astype(np.int64), end_T - 1)
    t_R, step_R = _runs_of(np.maximum(bottom_T - top_T + 1, 0))  # R rows of triangles
    row_R = top_T[t_R] + step_R
    dy_R = row_R + 0.5 - y[0][t_R]
    # the weight of corner i at (dx, dy) from corner 0 is constant_i + slope_i * dx along a row
    slope1_T, slope2_T = (y[2] - y[0]) / faces.area_T, (y[0] - y[1]) / faces.area_T
    constant1_R = ((x[0] - x[2]) / faces.area_T)[t_R] * dy_R
    constant2_R = ((x[1] - x[0]) / faces.area_T)[t_R] * dy_R
    low_R, high_R = np.full(len(t_R), -np.inf), np.full(len(t_R), np.inf)
    constants = (constant1_R, constant2_R, 1 - constant1_R - constant2_R)
    for slope_T, constant_R in zip((slope1_T, slope2_T, -slope1_T - slope2_T), constants, strict=True):
        slope_R = np.where(np.abs(slope_T) < 1e-12, 1e-12, slope_T)[t_R]
        cut_R = -constant_R / slope_R
        rising_R = slope_R > 0
        low_R = np.where(rising_R, np.maximum(low_R, cut_R), low_R)
        high_R = np.where(rising_R, high_R, np.minimum(high_R, cut_R))
    left_R = np.ceil(np.clip(low_R + x[0][t_R] - 0.5 - EDGE, 0, width)).astype(np.int64)
    right_R = np.floor(np.clip(high_R + x[0][t_R] - 0.5 + EDGE, -1, width - 1)).astype(np.int64)
    r_P, step_P = _runs_of(np.maximum(right_R - left_R + 1, 0))
    t_P, column_P = t_R[r_P], left_R[r_P] + step_P
    dx_P = column_P + 0.5 - x[0][t_P]
    b1_P, b2_P = constant1_R[r_P] + slope1_T[t_P] * dx_P, constant2_R[r_P] + slope2_T[t_P] * dx_P
    depth_P = z[0][t_P] + b1_P * (z[1] - z[0])[t_P] + b2_P * (z[2] - z[0])[t_P]
    weights = (b.astype(np.float32) for b in (b1_P, b2_P, depth_P))
    return row_R[r_P] * width + column_P, faces.names_T[t_P], *weights


def _nearest(pixel_P, name_P, b1_P, b2_P, depth_P, shape: tuple[int, int]) -> Raster:
    """Of all fragments of a pixel the one nearest to the viewer."""
    key_P = ((depth_P.astype(np.float64) + 4) * (Z_STEPS / 8)).astype(np.int64) << 32 | np.arange(len(pixel_P))
    best = np.full(shape[0] * shape[1], -1, np.int64)
    np.maximum.at(best, pixel_P, key_P)
    pixels = np.flatnonzero(best >= 0)
    pick = best[pixels] & 0xFFFFFFFF
    return Raster(pixels, name_P[pick], np.stack([b1_P[pick], b2_P[pick]]), depth_P[pick], shape)
