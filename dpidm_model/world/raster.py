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
    first_T = faces.names_T // (len(triangles_T3) // frames) * height
    left_T = np.maximum(np.ceil(faces.smallest(faces.x) - 0.5), 0).astype(np.int32)
    top_T = np.maximum(np.ceil(faces.smallest(faces.y) - 0.5), first_T).astype(np.int32)
    right_T = np.minimum(np.floor(faces.largest(faces.x) - 0.5), width - 1).astype(np.int32)
    bottom_T = np.minimum(np.floor(faces.largest(faces.y) - 0.5), first_T + height - 1).astype(np.int32)
    wide_T, tall_T = right_T - left_T + 1, bottom_T - top_T + 1
    seen_T = (wide_T > 0) & (tall_T > 0)
    size_T = np.where(seen_T, BOX_OF_SPAN[np.clip(np.maximum(wide_T, tall_T), 0, len(BOX_OF_SPAN) - 1)], -1)
    found = []
    for box in np.unique(size_T[seen_T]):
        group = np.flatnonzero(size_T == box)
        side = BOXES[box] if box < len(BOXES) else int(max(wide_T[group].max(), tall_T[group].max()))
        corner = left_T[group], top_T[group], first_T[group] + height
        fragments = _fragments(faces, group, corner, side, width)
        if discard is not None:
            keep = ~discard(*fragments[1:4])
            fragments = tuple(part[keep] for part in fragments)
        found.append(fragments)
    return _nearest(found, shape)


# Triangles are handled in groups by the side of the square box that holds their pixels.
BOXES = (2, 3, 4, 6, 8, 12, 16, 24, 32, 64)
BOX_OF_SPAN = np.searchsorted(BOXES, np.arange(BOXES[-1] + 2)).astype(np.int32)


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


def _fragments(faces: _Faces, group, corner, side: int, width: int):
    """All (pixel, triangle) pairs with the pixel centre inside, for triangles whose box fits side x side pixels.

    corner: left column, top row, end of the rows that may be drawn on: each (T,).
    Returns flat pixel index, triangle, weights of corners 1 and 2, depth: each (P,).
    """
    steps, (left_T, top_T, end_T) = np.arange(side, dtype=np.float32), corner
    x, y, z = ([corner[group] for corner in corners] for corners in (faces.x, faces.y, faces.z))
    dx_TS = (left_T + np.float32(0.5) - x[0])[:, None] + steps
    dy_TS = (top_T + np.float32(0.5) - y[0])[:, None] + steps
    inverse_T = 1 / faces.area_T[group]
    # all three corners' weights are affine in the pixel position: a column part plus a row part
    column1_TS, column2_TS = ((y[2] - y[0]) * inverse_T)[:, None] * dx_TS, ((y[0] - y[1]) * inverse_T)[:, None] * dx_TS
    row1_TS, row2_TS = ((x[0] - x[2]) * inverse_T)[:, None] * dy_TS, ((x[1] - x[0]) * inverse_T)[:, None] * dy_TS
    b1_TSS = column1_TS[:, None] + row1_TS[..., None]
    b2_TSS = column2_TS[:, None] + row2_TS[..., None]
    least_TSS = (1 - column1_TS - column2_TS)[:, None] - (row1_TS + row2_TS)[..., None]
    np.minimum(least_TSS, b1_TSS, out=least_TSS)
    inside_TSS = np.minimum(least_TSS, b2_TSS, out=least_TSS) >= 0
    place_P = np.flatnonzero(inside_TSS)
    t = np.repeat(np.arange(len(group)), np.count_nonzero(inside_TSS.reshape(len(group), -1), axis=1))
    cell = place_P - t * (side * side)
    row, column = cell // side, cell % side
    row += top_T[t]
    column += left_T[t]
    b1, b2 = np.take(b1_TSS, place_P), np.take(b2_TSS, place_P)
    depth = np.take(z[0], t) + b1 * np.take(z[1] - z[0], t) + b2 * np.take(z[2] - z[0], t)
    result = row * width + column, faces.names_T[group][t], b1, b2, depth
    inside_P = (column < width) & (row < end_T[t])
    return result if inside_P.all() else tuple(part[inside_P] for part in result)


def _nearest(found: list, shape: tuple[int, int]) -> Raster:
    if not found:
        none = np.zeros(0, np.int64)
        return Raster(none, none, np.zeros((2, 0), np.float32), np.zeros(0, np.float32), shape)
    pixel_P, name_P, b1_P, b2_P, depth_P = (np.concatenate(part) for part in zip(*found, strict=True))
    key_P = ((depth_P.astype(np.float64) + 4) * (Z_STEPS / 8)).astype(np.int64) << 32 | np.arange(len(pixel_P))
    best = np.full(shape[0] * shape[1], -1, np.int64)
    np.maximum.at(best, pixel_P, key_P)
    pixels = np.flatnonzero(best >= 0)
    pick = best[pixels] & 0xFFFFFFFF
    return Raster(pixels, name_P[pick], np.stack([b1_P[pick], b2_P[pick]]), depth_P[pick], shape)
