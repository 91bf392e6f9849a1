"""What of the person lies in front of the garment: hands, bare forearms before the torso, the head.

H W pixel rows/columns, P points of a hand.
"""

import cv2
import numpy as np

from .warp_body import Frame

ALIKE = 34.0  # Lab distance (lightness counted half) within which a pixel has the hand's own colour
TRUSTED = 0.15  # share of a hand's area that must have that colour, else all of the area is taken


def in_front(
    body: Frame, hands: dict[str, np.ndarray], picture_HW3: np.ndarray, *, bare: tuple[str, ...], head: bool
) -> np.ndarray:
    """(H, W) float32, 0..1 where the person hides the garment.

    hands: "r", "l" -> known hand joints (P, 2), may be empty.  picture_HW3: uint8, the frame.  bare: sides whose
    forearm no sleeve covers.  head: whether the head's place counts.
    """
    mask, thick = np.zeros(picture_HW3.shape[:2], np.uint8), body.torso
    for side, points in hands.items():
        if not body.has(f"{side}_wrist") or not body.has(f"{side}_elbow"):
            continue
        elbow, wrist = body[f"{side}_elbow"], body[f"{side}_wrist"]
        area = np.zeros_like(mask)
        if len(points) >= 8:
            hull = cv2.convexHull(points.astype(np.int32))
            cv2.fillConvexPoly(area, hull, 255)
            cv2.polylines(area, [hull], True, 255, max(1, int(0.05 * thick)))
            core = points
        else:
            core = wrist + np.linspace(0.1, 0.35, 8)[:, None] * (wrist - elbow)
            cv2.circle(area, _pixel(wrist + 0.3 * (wrist - elbow)), int(0.12 * thick), 255, -1)
        mask |= _coloured_like(picture_HW3, area, core)
        if side in bare and crosses(body, side):
            cv2.line(mask, _pixel(elbow), _pixel(wrist), 255, max(1, int(0.15 * thick)), cv2.LINE_AA)
    face = [body[n] for n in ("nose", "r_eye", "l_eye", "r_ear", "l_ear") if body.has(n)]
    if face and head:
        cv2.circle(mask, _pixel(np.mean(face, axis=0)), int(0.26 * thick), 255, -1)
    return cv2.GaussianBlur(mask, (0, 0), max(0.6, 0.006 * thick)).astype(np.float32) / 255


def _coloured_like(picture: np.ndarray, area_HW: np.ndarray, core_P2: np.ndarray) -> np.ndarray:
    """The part of an area that has the colour found at the core points: the hand, not what lies around it."""
    h, w = area_HW.shape
    x, y, width, height = cv2.boundingRect(area_HW)
    xy = np.round(core_P2).astype(int)
    xy = xy[(xy >= 0).all(1) & (xy < [w, h]).all(1)]
    if len(xy) < 3 or width == 0:
        return area_HW
    box = slice(y, y + height), slice(x, x + width)
    weights = np.array([0.5, 1, 1], np.float32)
    lab = cv2.cvtColor(picture[box], cv2.COLOR_RGB2Lab).astype(np.float32) * weights
    own = cv2.cvtColor(picture[xy[:, 1], xy[:, 0]][None], cv2.COLOR_RGB2Lab).astype(np.float32)[0] * weights
    alike = (np.linalg.norm(lab - np.median(own, axis=0), axis=2) < ALIKE).astype(np.uint8) * 255
    alike = cv2.morphologyEx(alike, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)) & area_HW[box]
    if np.count_nonzero(alike) < TRUSTED * np.count_nonzero(area_HW):
        return area_HW
    out = np.zeros_like(area_HW)
    out[box] = alike
    return out


def crosses(body: Frame, side: str) -> bool:
    """Whether an arm lies over the torso: its wrist is inside the torso's box."""
    if not body.has(f"{side}_wrist"):
        return False
    offset = body[f"{side}_wrist"] - body.shoulders
    down, across = float(offset @ body.down), float(offset @ body.across(0.5))
    return 0.0 < down < 1.1 * body.torso and abs(across) < 0.45 * body.shoulder_width


def _pixel(point: np.ndarray) -> tuple[int, int]:
    return int(np.clip(point[0], -9999, 9999)), int(np.clip(point[1], -9999, 9999))
