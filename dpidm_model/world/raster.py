"""A small triangle rasteriser in numpy: z-buffer, then attributes by barycentric interpolation.

V vertices, T triangles, P fragments (one per candidate pixel and triangle), H W pixel rows/columns.
Screen axes: x right, y down, z towards the viewer, so the largest z is the nearest.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Z_STEPS = float(1 << 30)


@dataclass(frozen=True)
class Raster:
    """The nearest triangle of every covered pixel, as a sparse list (N covered pixels).

    pixels_N: flat pixel indices (row * W + column), int64, without repeats.
    triangles_N: index of the triangle seen there.  bary_N3: its barycentric weights.  depth_N: interpolated z.
    """

    pixels_N: np.ndarray
    triangles_N: np.ndarray
    bary_N3: np.ndarray
    depth_N: np.ndarray
    shape: tuple[int, int]

    def interpolate(self, values_VC: np.ndarray, triangles_T3: np.ndarray) -> np.ndarray:
        """Vertex attributes (V, C) at the covered pixels -> (N, C)."""
        corners_N3 = triangles_T3[self.triangles_N]
        result = values_VC[corners_N3[:, 0]] * self.bary_N3[:, :1]
        result += values_VC[corners_N3[:, 1]] * self.bary_N3[:, 1:2]
        result += values_VC[corners_N3[:, 2]] * self.bary_N3[:, 2:]
        return result

    def select(self, keep_N: np.ndarray) -> "Raster":
        """Only the covered pixels where keep_N is true."""
        fields = (a[keep_N] for a in (self.pixels_N, self.triangles_N, self.bary_N3, self.depth_N))
        return Raster(*fields, self.shape)

    def paint(self, values_N: np.ndarray, fill: float = 0) -> np.ndarray:
        """Scatter per-pixel values (N, ...) into a dense picture (H, W, ...)."""
        picture = np.full((self.shape[0] * self.shape[1], *values_N.shape[1:]), fill, values_N.dtype)
        picture[self.pixels_N] = values_N
        return picture.reshape(*self.shape, *values_N.shape[1:])


Discard = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def rasterise(
    vertices_V3: np.ndarray, triangles_T3: np.ndarray, shape: tuple[int, int], discard: Discard | None = None
) -> Raster:
    """Find the nearest front-facing triangle at every pixel centre.

    vertices_V3: x, y in pixels (0 = left/top edge of the picture), z towards the viewer in [-4, 4).
    triangles_T3: corner indices; those with positive area in x right, y down are front faces.  shape: (H, W).
    discard: (triangle, weight of corner 1, weight of corner 2) of P fragments -> (P,) bool, true where the triangle has
        a hole there (cut-out textures) and what lies behind is to be seen.
    """
    height, width = shape
    corners_T33 = vertices_V3[triangles_T3]
    x, y = corners_T33[:, :, 0], corners_T33[:, :, 1]
    area_T = (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) - (x[:, 2] - x[:, 0]) * (y[:, 1] - y[:, 0])
    left_T = np.maximum(np.ceil(x.min(1) - 0.5), 0).astype(np.int32)
    top_T = np.maximum(np.ceil(y.min(1) - 0.5), 0).astype(np.int32)
    right_T = np.minimum(np.floor(x.max(1) - 0.5), width - 1).astype(np.int32)
    bottom_T = np.minimum(np.floor(y.max(1) - 0.5), height - 1).astype(np.int32)
    span_T = np.maximum(right_T - left_T, bottom_T - top_T) + 1
    seen_T = (area_T > 1e-6) & (right_T >= left_T) & (bottom_T >= top_T)
    order = np.flatnonzero(seen_T)
    found = []
    low = 0
    for high in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128, 1 << 20):
        group = order[(span_T[order] > low) & (span_T[order] <= high)]
        low = high
        if len(group):
            side = min(high, int(span_T[group].max()))
            found.append(_fragments(corners_T33[group], area_T[group], left_T[group], top_T[group], side, shape, group))
            if discard is not None:
                keep = ~discard(*found[-1][1:4])
                found[-1] = tuple(part[keep] for part in found[-1])
    return _nearest(found, shape)


def _fragments(corners_T33, area_T, left_T, top_T, side, shape, names_T):
    """All (pixel, triangle) pairs with the pixel centre inside, for triangles whose box fits side x side pixels."""
    steps = np.arange(side, dtype=np.int32)
    column_TS = left_T[:, None] + steps
    row_TS = top_T[:, None] + steps
    x, y, z = (corners_T33[:, :, i] for i in range(3))
    dx_TS = column_TS + np.float32(0.5) - x[:, :1]
    dy_TS = row_TS + np.float32(0.5) - y[:, :1]
    inverse_T1 = (1 / area_T)[:, None]
    # weights of corners 1 and 2 are affine in the pixel position: a column part plus a row part
    b1_TSS = ((y[:, 2:] - y[:, :1]) * inverse_T1 * dx_TS)[:, None] - ((x[:, 2:] - x[:, :1]) * inverse_T1 * dy_TS)[
        ..., None
    ]
    b2_TSS = ((x[:, 1:2] - x[:, :1]) * inverse_T1 * dy_TS)[..., None] - ((y[:, 1:2] - y[:, :1]) * inverse_T1 * dx_TS)[
        :, None
    ]
    inside_TSS = (b1_TSS >= 0) & (b2_TSS >= 0) & (b1_TSS + b2_TSS <= 1)
    inside_TSS &= (column_TS < shape[1])[:, None] & (row_TS < shape[0])[..., None]
    t, i, j = np.nonzero(inside_TSS)
    b1, b2 = b1_TSS[t, i, j], b2_TSS[t, i, j]
    depth = z[t, 0] + b1 * (z[t, 1] - z[t, 0]) + b2 * (z[t, 2] - z[t, 0])
    return row_TS[t, i].astype(np.int64) * shape[1] + column_TS[t, j], names_T[t], b1, b2, depth


def _nearest(found: list, shape: tuple[int, int]) -> Raster:
    if not found:
        none = np.zeros(0, np.int64)
        return Raster(none, none, np.zeros((0, 3), np.float32), np.zeros(0, np.float32), shape)
    pixel_P, name_P, b1_P, b2_P, depth_P = (np.concatenate(part) for part in zip(*found, strict=True))
    key_P = ((depth_P.astype(np.float64) + 4) * (Z_STEPS / 8)).astype(np.int64) << 32 | np.arange(len(pixel_P))
    best = np.full(shape[0] * shape[1], -1, np.int64)
    np.maximum.at(best, pixel_P, key_P)
    pixels = np.flatnonzero(best >= 0)
    pick = best[pixels] & 0xFFFFFFFF
    b1, b2 = b1_P[pick], b2_P[pick]
    return Raster(pixels, name_P[pick], np.stack([1 - b1 - b2, b1, b2], 1), depth_P[pick], shape)
