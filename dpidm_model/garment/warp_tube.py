"""Bending a sleeve of the picture along an arm: ribs across the tube, and the cloth between neighbouring ribs moved
triangle by triangle. A spline over the whole sleeve would swirl where the arm folds; this one creases.

S stations (armhole, elbow, wrist), N ribs, H W pixel rows/columns.
"""

import cv2
import numpy as np
from einops import rearrange

from .warp import Part

STRAIGHT, BEND = 4, 7  # ribs along a straight stretch and around a joint
ROUNDING = 1.0  # how far from a joint the ribs begin to turn, in half widths there
COLUMNS = (2.6, 1.0, -1.0, -1.3)  # along each rib, 1 and -1 at its ends: cloth may bulge beyond the measured edges
OVERHANG = 0.6  # and the tube beyond its first and last station, in half widths


def ribs(stations_S22: np.ndarray) -> np.ndarray:
    """Ribs (N, 2, 2) across a tube, edge to edge; N depends on S only, so ribs of two tubes of equal S belong together.

    stations_S22: pairs of points on both edges, S = 2 or 3, the outer edge (the shoulder's) first, each square to the
    stretch before it. The first pair, the armhole, may be slanted: from there to the first joint the ribs pass evenly
    from slanted to square. Around the joint they fan out, after it they stay square.
    """
    centre_S2 = stations_S22.mean(1)
    half_S = np.linalg.norm(stations_S22[:, 0] - stations_S22[:, 1], axis=1) / 2
    along = np.diff(centre_S2, axis=0)
    length = np.maximum(np.linalg.norm(along, axis=1), 1e-3)
    outward = stations_S22[1, 0] - stations_S22[1, 1]
    sense = 1.0 if along[0, 0] * outward[1] - along[0, 1] * outward[0] > 0 else -1.0
    square = np.arctan2(sense * along[:, 0], -sense * along[:, 1])  # the angle of the direction outward
    last = len(length) - 1
    start, end = -OVERHANG * half_S[0] / length[0], 1 + OVERHANG * half_S[-1] / length[-1]
    rounding = min(0.4 * float(length.min()), ROUNDING * half_S[1]) if last else 0.0
    stop = end if not last else 1 - rounding / length[0]
    t = np.linspace(start, stop, STRAIGHT + 1)[:, None]
    armhole, joint = stations_S22[0] - centre_S2[0], half_S[1] * _direction(square[:1])[0]
    passed = np.clip(t / stop, 0, 1)[..., None]
    slant = (1 - passed) * armhole + passed * joint
    stretches = [centre_S2[0] + (t * along[0])[:, None] + slant]
    if last:
        elbow, after = centre_S2[1], centre_S2[1] + along[1] * (rounding / length[1])
        t = np.linspace(0, 1, BEND + 2)[1:-1]
        curve = np.stack([(1 - t) ** 2, 2 * t * (1 - t), t**2], 1) @ np.stack(
            [elbow - along[0] * (1 - stop), elbow, after]
        )
        turn = (square[1] - square[0] + np.pi) % (2 * np.pi) - np.pi
        stretches.append(curve[:, None] + half_S[1] * _direction(square[0] + turn * t))
        t = np.linspace(rounding / length[1], end, STRAIGHT + 1)
        half = np.interp(t, [0, 1], half_S[1:])[:, None, None]
        stretches.append((elbow + t[:, None] * along[1])[:, None] + half * _direction(square[1:]))
    return np.concatenate(stretches)


def _direction(angle_N: np.ndarray) -> np.ndarray:
    """The directions (N, 2, 2) to both edges: outward and back."""
    outward = np.stack([np.cos(angle_N), np.sin(angle_N)], 1)
    return np.stack([outward, -outward], 1)


def bend_part(part: Part, targets_N2: np.ndarray, size: tuple[int, int]):
    """Draw a tube so that its stations lie at `targets_N2` in a picture of `size` = (width, height).

    part.points_N2, targets_N2: both edges of each station, one after the other.  What lies further down the tube is
    drawn over what lies above: a forearm over its upper arm.  Returns (x0, y0, premultiplied (h, w, 4) uint8), or None
    outside.
    """
    source, target = (
        _grid(ribs(rearrange(p, "(s side) xy -> s side xy", side=2))) for p in (part.points_N2, targets_N2)
    )
    x0, y0 = (int(v) for v in np.clip(np.floor(target.min((0, 1))), 0, size))
    x1, y1 = (int(v) for v in np.clip(np.ceil(target.max((0, 1))) + 1, 0, size))
    if x1 - x0 < 2 or y1 - y0 < 2:
        return None
    canvas = np.zeros((y1 - y0, x1 - x0, 4), np.float32)
    target = target - [x0, y0]
    for i in range(len(source) - 1):
        for j in range(len(COLUMNS) - 1):
            for corners in (((i, j), (i, j + 1), (i + 1, j)), ((i + 1, j + 1), (i + 1, j), (i, j + 1))):
                where = tuple(zip(*corners))
                _triangle(canvas, part.rgba_HW4, source[where], target[where])
    return x0, y0, np.clip(canvas + 0.5, 0, 255).astype(np.uint8)


def _grid(ribs_N22: np.ndarray) -> np.ndarray:
    """Points (N, len(COLUMNS), 2) along the ribs."""
    middle = ribs_N22.mean(1, keepdims=True)
    return middle + np.array(COLUMNS)[:, None] * (ribs_N22[:, :1] - middle)


def _triangle(canvas: np.ndarray, rgba: np.ndarray, source_32: np.ndarray, target_32: np.ndarray) -> None:
    """Lay one triangle of a premultiplied picture over a float32 canvas, in place; nothing if it is empty or flat."""
    if min(abs(np.linalg.det(t[1:] - t[0])) for t in (source_32, target_32)) < 1e-3:
        return
    (left, top), (right, bottom) = (
        np.maximum(source_32.min(0) - 1, 0).astype(int),
        np.ceil(source_32.max(0)).astype(int),
    )
    if not rgba[top : bottom + 2, left : right + 2, 3].any():
        return
    low = np.maximum(np.floor(target_32.min(0)).astype(int), 0)
    high = np.minimum(np.ceil(target_32.max(0)).astype(int) + 1, canvas.shape[1::-1])
    if (high <= low).any():
        return
    window = canvas[low[1] : high[1], low[0] : high[0]]
    matrix = cv2.getAffineTransform((target_32 - low).astype(np.float32), source_32.astype(np.float32))
    size = window.shape[1], window.shape[0]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    patch = cv2.warpAffine(rgba, matrix, size, flags=flags, borderMode=cv2.BORDER_CONSTANT).astype(np.float32)
    inside = np.zeros(window.shape[:2], np.uint8)
    cv2.fillConvexPoly(inside, np.round((target_32 - low) * 16).astype(np.int32), (1,), shift=4)
    patch *= inside[..., None]
    window *= 1 - patch[..., 3:] / 255
    window += patch
