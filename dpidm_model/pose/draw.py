"""Poses as pictures, in the convention that pose encoders of this family were trained on.

18 joints and 17 limbs in an 18-colour hue table on black: limbs are filled ellipses at 0.6 of their colour, joints
discs in full colour, hands thin hue lines with blue discs, the face white dots (the drawing of ControlNet's OpenPose
and DW-Pose preprocessors). Sizes are (width, height), K joints.
"""

import colorsys
import math

import cv2
import numpy as np

from ..errors import InputError
from ..handovers import BODY, FACE, JOINTS, LEFT_HAND, RIGHT_HAND, GarmentLandmarks

LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10),
    (1, 11), (11, 12), (12, 13), (1, 0), (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip
COLOURS = (
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0), (0, 255, 0),
    (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255), (0, 0, 255), (85, 0, 255),
    (170, 0, 255), (255, 0, 255), (255, 0, 170), (255, 0, 85),
)  # fmt: skip
HAND_EDGES = tuple(
    (0 if step == 0 else 4 * finger + step, 4 * finger + step + 1) for finger in range(5) for step in range(4)
)
CLASSIC_HALF_WIDTH = 4.0


def ecosystem_limb_half_width(size: tuple[int, int]) -> float:
    """Limb half-width that other packs draw on a canvas: 4 px, more above 500 px (their "xinsr" stick scale)."""
    longest = max(size)
    return CLASSIC_HALF_WIDTH * (1 if longest < 500 else min(2 + longest // 1000, 7))


def small_half_width(size: tuple[int, int]) -> float:
    """A half-width for canvases smaller than the convention was made for: 4 px at 512, in proportion, at least 1."""
    return max(1.0, CLASSIC_HALF_WIDTH * max(size) / 512)


def draw_pose(
    keypoints_K3: np.ndarray,
    canvas: tuple[int, int],
    size: tuple[int, int],
    *,
    hands: bool = True,
    face: bool = True,
    half_width: float | None = None,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Draw one person.

    keypoints_K3: (18, 3) body or (130, 3) whole body; x, y in pixels of `canvas` = (width, height), joints with
    confidence <= 0 are absent.  size: (width, height) of the picture.
    half_width: None = the ecosystem's (limbs `ecosystem_limb_half_width(size)`, joints 4 px); a number = limbs and
    joints of that half-width, hands and face in proportion (see `small_half_width`).
    out: an RGB uint8 picture of `size` to draw onto (several people); None = a black one.
    Returns (H, W, 3) uint8 RGB. Raises InputError on other shapes.
    """
    if keypoints_K3.shape not in ((18, 3), (JOINTS, 3)):
        raise InputError(f"pose to draw has shape {keypoints_K3.shape}; expected (18, 3) or ({JOINTS}, 3)")
    picture = np.zeros((size[1], size[0], 3), np.uint8) if out is None else out
    if picture.shape != (size[1], size[0], 3):
        raise InputError(f"picture to draw on has shape {picture.shape}; expected {(size[1], size[0], 3)}")
    points_K3 = np.nan_to_num(keypoints_K3.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    points_K3[:, :2] *= (size[0] / canvas[0], size[1] / canvas[1])
    # far outside the picture cv2's fixed-point coordinates overflow; a limb that long is not visible anyway
    points_K3[:, 2] *= (np.abs(points_K3[:, :2]) < 30000).all(axis=1)
    limb = ecosystem_limb_half_width(size) if half_width is None else half_width
    joint = CLASSIC_HALF_WIDTH if half_width is None else half_width
    _draw_body(picture, points_K3[BODY], limb, joint)
    if hands and len(points_K3) == JOINTS:
        for part in (LEFT_HAND, RIGHT_HAND):
            _draw_hand(picture, points_K3[part], joint)
    if face and len(points_K3) == JOINTS:
        _draw_face(picture, points_K3[FACE], joint)
    return picture


def draw_people(people_NK3: np.ndarray, canvas: tuple[int, int], size: tuple[int, int], **how) -> np.ndarray:
    """All people of a frame in one picture; `how` as for draw_pose. Returns (H, W, 3) uint8, black without people."""
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    for keypoints_K3 in people_NK3:
        draw_pose(keypoints_K3, canvas, size, out=picture, **how)
    return picture


def draw_garment(landmarks: GarmentLandmarks, size: tuple[int, int], *, half_width: float | None = None) -> np.ndarray:
    """Draw garment landmarks with the same code and colours: they are body joints 1..13. Returns (H, W, 3) uint8."""
    keypoints_K3 = np.zeros((18, 3), np.float32)
    keypoints_K3[1:14] = landmarks.points_K3
    keypoints_K3[1:14, 2] *= landmarks.visibility_K > 0
    return draw_pose(keypoints_K3, landmarks.canvas, size, half_width=half_width)


def _draw_body(picture: np.ndarray, points_K3: np.ndarray, limb: float, joint: float) -> None:
    for (a, b), colour in zip(LIMBS, COLOURS):
        if points_K3[a, 2] <= 0 or points_K3[b, 2] <= 0:
            continue
        (ax, ay), (bx, by) = points_K3[a, :2], points_K3[b, :2]
        angle = math.degrees(math.atan2(ay - by, ax - bx))
        centre = int((ax + bx) / 2), int((ay + by) / 2)
        axes = int(math.hypot(ax - bx, ay - by) / 2), max(1, round(limb))
        polygon = cv2.ellipse2Poly(centre, axes, int(angle), 0, 360, 1)
        cv2.fillConvexPoly(picture, np.asarray(polygon), [int(c * 0.6) for c in colour])
    for (x, y, confidence), colour in zip(points_K3, COLOURS):
        if confidence > 0:
            cv2.circle(picture, (int(x), int(y)), max(1, round(joint)), colour, thickness=-1)


def _draw_hand(picture: np.ndarray, points_K3: np.ndarray, joint: float) -> None:
    present_K = (points_K3[:, 2] > 0) & (points_K3[:, :2] >= 1).all(axis=1)
    corners = points_K3[:, :2].astype(int)
    for index, (a, b) in enumerate(HAND_EDGES):
        if present_K[a] and present_K[b]:
            colour = [255 * c for c in colorsys.hsv_to_rgb(index / len(HAND_EDGES), 1.0, 1.0)]
            start, end = corners[a].tolist(), corners[b].tolist()
            cv2.line(picture, start, end, colour, thickness=max(1, round(joint / 2)))
    for corner in corners[present_K].tolist():
        cv2.circle(picture, corner, max(1, round(joint)), (0, 0, 255), thickness=-1)


def _draw_face(picture: np.ndarray, points_K3: np.ndarray, joint: float) -> None:
    present_K = (points_K3[:, 2] > 0) & (points_K3[:, :2] >= 1).all(axis=1)
    for corner in points_K3[present_K, :2].astype(int).tolist():
        cv2.circle(picture, corner, max(1, round(joint * 0.75)), (255, 255, 255), thickness=-1)
