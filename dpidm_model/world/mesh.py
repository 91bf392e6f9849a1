"""Tubes: every part of a body or garment is a grid of rings around a moving centre line.

F frames, R rings, S columns around a ring (the first column is repeated last, so texture coordinates never wrap),
V vertices, T triangles. World axes: x to the picture's right, y down, z towards the viewer; metres.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh moving over frames.

    vertices_FV3, normals_FV3: float32 world positions and unit outward normals.
    uv_V2: texture position in pixels of the mesh's atlas.  triangles_T3: corners.  part_T: a Part.
    cut_T: bool, the triangle's texture may have holes.
    """

    vertices_FV3: np.ndarray
    normals_FV3: np.ndarray
    uv_V2: np.ndarray
    triangles_T3: np.ndarray
    part_T: np.ndarray
    cut_T: np.ndarray


def normalise(v: np.ndarray) -> np.ndarray:
    """Unit vectors along the last axis."""
    return v / (np.sqrt((v * v).sum(-1, keepdims=True)) + 1e-9)


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cross product along the last axis (numpy's own is several times slower on small arrays)."""
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    result = np.empty(np.broadcast_shapes(a.shape, b.shape), np.result_type(a, b))
    result[..., 0], result[..., 1], result[..., 2] = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    return result


def ring_angles(columns: int, front_density: float = 0.0) -> np.ndarray:
    """Angles of a ring's columns, from -pi to pi with both ends present: (columns,) float32.

    front_density: 0 = evenly spaced, towards 1 = closer together near angle 0.
    """
    even = np.linspace(-np.pi, np.pi, columns)
    return (even - front_density * np.sin(even)).astype(np.float32)


def thin(values: ArrayLike, detail: float, least: int = 4) -> np.ndarray:
    """About `detail` (0..1) times as many of the values, first and last always among them."""
    values = np.asarray(values)
    count = min(len(values), max(least, round(len(values) * detail)))
    return values[np.round(np.linspace(0, len(values) - 1, count)).astype(int)]


def columns(full: int, detail: float) -> int:
    """An odd number of ring columns: `full` at detail 1, fewer below, at least 7."""
    return 2 * max(3, round((full - 1) / 2 * detail)) + 1


def tube(
    centre_FR3: np.ndarray,
    front_FR3: np.ndarray,
    side_FR3: np.ndarray,
    front_radius: np.ndarray,
    side_radius: np.ndarray,
    angle_S: np.ndarray,
    squareness: float = 2.0,
) -> np.ndarray:
    """Vertices (F, R, S, 3) of rings around a centre line.

    Angle 0 of a ring lies at +front, angle pi/2 at +side; front x side must be the direction of growing ring number.
    The radii broadcast against (F, R, S).  squareness: superellipse exponent (2 = ellipse, larger = boxier).
    """
    cos_S, sin_S = np.cos(angle_S), np.sin(angle_S)
    if squareness != 2.0:
        norm = (np.abs(cos_S) ** squareness + np.abs(sin_S) ** squareness) ** (1 / squareness)
        cos_S, sin_S = cos_S / norm, sin_S / norm
    along_front = (front_radius * cos_S)[..., None] * front_FR3[:, :, None]
    along_side = (side_radius * sin_S)[..., None] * side_FR3[:, :, None]
    return (centre_FR3[:, :, None] + along_front + along_side).astype(np.float32)


def grid_normals(vertices_FRS3: np.ndarray) -> np.ndarray:
    """Outward unit normals of a tube's vertices, smooth over the seam: (F, R, S, 3)."""
    padded = np.concatenate([vertices_FRS3[:, :, -2:-1], vertices_FRS3, vertices_FRS3[:, :, 1:2]], 2)
    around = padded[:, :, 2:] - padded[:, :, :-2]
    along = np.empty_like(vertices_FRS3)
    along[:, 1:-1] = vertices_FRS3[:, 2:] - vertices_FRS3[:, :-2]
    along[:, 0] = vertices_FRS3[:, 1] - vertices_FRS3[:, 0]
    along[:, -1] = vertices_FRS3[:, -1] - vertices_FRS3[:, -2]
    return normalise(cross(around, along)).astype(np.float32)


@lru_cache(256)
def grid_triangles(rings: int, columns: int) -> np.ndarray:
    """Corner indices (T, 3) of a tube's grid, outward facing. Kept between calls: do not change it."""
    first = (np.arange(rings - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    a, b, c, d = first, first + 1, first + columns, first + columns + 1
    return np.concatenate([np.stack([a, b, d], 1), np.stack([a, d, c], 1)]).astype(np.int64)


class MeshBuilder:
    """Collects tubes into one Mesh."""

    def __init__(self):
        self._vertices, self._normals, self._uv, self._triangles, self._parts, self._cut = [], [], [], [], [], []
        self._count = 0

    def add(self, vertices_FRS3: np.ndarray, uv_RS2: np.ndarray, part: int, cut: bool = False) -> None:
        """Add one tube with its atlas coordinates and part; cut: its texture has holes."""
        frames, rings, columns = vertices_FRS3.shape[:3]
        self._vertices.append(vertices_FRS3.reshape(frames, -1, 3))
        self._normals.append(grid_normals(vertices_FRS3).reshape(frames, -1, 3))
        self._uv.append(np.broadcast_to(uv_RS2, (rings, columns, 2)).reshape(-1, 2).astype(np.float32))
        triangles = grid_triangles(rings, columns) + self._count
        self._triangles.append(triangles)
        self._parts.append(np.full(len(triangles), part, np.int16))
        self._cut.append(np.full(len(triangles), cut))
        self._count += rings * columns

    def add_many(self, vertices_NFRS3: np.ndarray, uv_RS2: np.ndarray, part: int) -> None:
        """Add N tubes of one shape and texture."""
        count, frames, rings, columns = vertices_NFRS3.shape[:4]
        normals = grid_normals(vertices_NFRS3.reshape(-1, rings, columns, 3)).reshape(vertices_NFRS3.shape)
        for stored, values in ((self._vertices, vertices_NFRS3), (self._normals, normals)):
            stored.append(values.swapaxes(0, 1).reshape(frames, -1, 3))
        self._uv.append(np.tile(uv_RS2.reshape(-1, 2), (count, 1)).astype(np.float32))
        offsets = self._count + np.arange(count)[:, None, None] * (rings * columns)
        triangles = (grid_triangles(rings, columns) + offsets).reshape(-1, 3)
        self._triangles.append(triangles)
        self._parts.append(np.full(len(triangles), part, np.int16))
        self._cut.append(np.zeros(len(triangles), bool))
        self._count += count * rings * columns

    def add_sheet(self, vertices_FRS3: np.ndarray, uv_RS2: np.ndarray, columns, part: int) -> None:
        """Add only some columns of a tube (a slice or indices of neighbouring columns), textured with holes."""
        normals = grid_normals(vertices_FRS3)[:, :, columns]
        sheet = vertices_FRS3[:, :, columns]
        frames, rings, width = sheet.shape[:3]
        self._vertices.append(sheet.reshape(frames, -1, 3))
        self._normals.append(normals.reshape(frames, -1, 3))
        self._uv.append(uv_RS2[:, columns].reshape(-1, 2).astype(np.float32))
        triangles = grid_triangles(rings, width) + self._count
        self._triangles.append(triangles)
        self._parts.append(np.full(len(triangles), part, np.int16))
        self._cut.append(np.full(len(triangles), True))
        self._count += rings * width

    def build(self) -> Mesh:
        """The mesh of everything added so far."""
        return Mesh(
            np.concatenate(self._vertices, 1),
            np.concatenate(self._normals, 1),
            np.concatenate(self._uv),
            np.concatenate(self._triangles),
            np.concatenate(self._parts),
            np.concatenate(self._cut),
        )
