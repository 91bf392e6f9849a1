"""What people look like: colours of torso and thighs, by which two who cross keep their names. Not in the paper.

N people in a frame, K=130 joints, D numbers of a look.
"""

import cv2
import numpy as np

from ..handovers import BODY

LIGHTNESS, CHROMA, SPAN = 6, 8, 48.0  # steps of lightness and of each Lab colour axis between -SPAN and SPAN
GRID = 8
# (right, left) ends of a part: torso, thighs
PARTS = (((2, 5), (8, 11)), ((8, 11), (9, 12)))
KINDS = LIGHTNESS * CHROMA * CHROMA
LOOK = len(PARTS) * KINDS
CORNERS = np.array(list(np.ndindex(2, 2, 2)))


def looks(frame_HW3: np.ndarray, people_NK3: np.ndarray, *, bgr: bool = False) -> np.ndarray:
    """(N, D) float16: per part the share of each kind of colour, square-rooted; zeros where a part is not seen.

    frame_HW3: uint8 RGB (or BGR). The frame is read at a few hundred points a person only.
    """
    out = np.zeros((len(people_NK3), len(PARTS), KINDS), np.float16)
    for person, keypoints_K3 in enumerate(people_NK3):
        for part, (top, bottom) in enumerate(PARTS):
            points = _grid(keypoints_K3[BODY], top, bottom)
            if points is not None:
                out[person, part] = _shares(frame_HW3, points, bgr)
    return out.reshape(len(people_NK3), LOOK)


def difference(first_D: np.ndarray, second_D: np.ndarray) -> float | None:
    """0 (alike) .. 1 (no colour in common): Hellinger distance, mean of the parts both have; None if there is none."""
    first, second = (look.astype(np.float32).reshape(len(PARTS), -1) for look in (first_D, second_D))
    shared = first.any(axis=1) & second.any(axis=1)
    if not shared.any():
        return None
    first, second = (look[shared] / np.linalg.norm(look[shared], axis=1, keepdims=True) for look in (first, second))
    return float(np.sqrt(np.clip(1 - (first * second).sum(axis=1), 0, 1)).mean())


def _grid(body: np.ndarray, top: tuple[int, int], bottom: tuple[int, int]) -> np.ndarray | None:
    """(GRID * GRID, 2) points inside a part, the outer quarter left out; None if a corner is missing."""
    if min(body[[*top, *bottom], 2]) <= 0:
        return None
    ends = [body[list(pair), :2] for pair in (top, bottom)]
    middles = [end.mean(axis=0) for end in ends]
    length = np.linalg.norm(middles[0] - middles[1])
    if length < 2:
        return None
    along = (middles[1] - middles[0]) / length
    across = np.array([along[1], -along[0]])
    # from the side the corners fall together: at least a quarter as wide as long
    widths = [max(abs(float(np.dot(end[1] - end[0], across))), 0.25 * length) for end in ends]
    down, side = np.meshgrid(np.linspace(0.1, 0.9, GRID), np.linspace(-0.35, 0.35, GRID), indexing="ij")
    width = widths[0] + (widths[1] - widths[0]) * down
    centre = middles[0] + down[..., None] * (middles[1] - middles[0])
    return (centre + (side * width)[..., None] * across).reshape(-1, 2)


def _shares(frame_HW3: np.ndarray, points_P2: np.ndarray, bgr: bool) -> np.ndarray:
    """Square roots of the shares of kinds of colour at these points, spread over neighbours; 0 off the frame."""
    x, y = np.round(points_P2).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < frame_HW3.shape[1]) & (y < frame_HW3.shape[0])
    if inside.sum() < GRID:
        return np.zeros(KINDS, np.float32)
    colours = frame_HW3[y[inside], x[inside]].astype(np.float32)[None] / 255
    lab = cv2.cvtColor(colours, cv2.COLOR_BGR2LAB if bgr else cv2.COLOR_RGB2LAB)[0]
    steps = np.array([LIGHTNESS / 100, CHROMA / (2 * SPAN), CHROMA / (2 * SPAN)])
    places = (lab + (0, SPAN, SPAN)) * steps - 0.5
    low = np.floor(places).astype(int)
    part = (places - low)[:, None]
    # each colour is shared among the eight kinds around it: no hard borders
    weights = np.where(CORNERS, part, 1 - part).prod(axis=2)
    kinds = np.clip(low[:, None] + CORNERS, 0, (LIGHTNESS - 1, CHROMA - 1, CHROMA - 1)) @ (CHROMA * CHROMA, CHROMA, 1)
    return np.sqrt(np.bincount(kinds.ravel(), weights.ravel(), KINDS) / weights.sum())
