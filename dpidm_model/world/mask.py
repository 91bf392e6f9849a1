"""The clothing-agnostic mask of generated clips, drawn from the pose as a user's would be.

F frames, H W pixel rows/columns, K joints.
"""

import cv2
import numpy as np

from ..handovers import BODY_NAMES

_AT = {name: i for i, name in enumerate(BODY_NAMES)}


def agnostic_masks(body_FK2: np.ndarray, keep_FHW: np.ndarray, category: str, hem_F: np.ndarray, loose: float):
    """Masks that hide the garment without showing its shape: (F, H, W) bool, true = to be painted.

    body_FK2: the 18 body joints in pixels, those outside the picture too.  keep_FHW: bool, hands, face and hair: never
    masked.  category: upper, lower or dress.  hem_F: pixel row that the mask reaches at least.  loose: margin, in parts
    of the torso's length.
    """
    return np.stack(
        [_mask(body, keep, category, hem, loose) for body, keep, hem in zip(body_FK2, keep_FHW, hem_F, strict=True)]
    )


def _mask(body_K2: np.ndarray, keep_HW: np.ndarray, category: str, hem: float, loose: float) -> np.ndarray:
    height, width = keep_HW.shape
    torso = max(float(np.linalg.norm(_middle(body_K2, "shoulder") - _middle(body_K2, "hip"))), 4.0)
    mask = np.zeros((height, width), np.uint8)
    margin = torso * loose
    if category in ("upper", "dress"):
        _fill(mask, _trunk(body_K2, torso, margin, hem))
        for side in "rl":
            joints = [body_K2[_AT[f"{side}_{name}"]] for name in ("shoulder", "elbow", "wrist")]
            _line(mask, joints, 0.30 * torso + margin)
    if category in ("lower", "dress"):
        _fill(mask, _legs(body_K2, torso, margin, hem))
    gap = max(3, round(torso * 0.18)) | 1
    pad = gap
    grown = cv2.copyMakeBorder(mask, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    closed = cv2.morphologyEx(grown, cv2.MORPH_CLOSE, np.ones((gap, gap), np.uint8))[pad:-pad, pad:-pad]
    return (closed > 0) & ~keep_HW


def _middle(body_K2: np.ndarray, name: str) -> np.ndarray:
    return (body_K2[_AT[f"r_{name}"]] + body_K2[_AT[f"l_{name}"]]) / 2


def _fill(mask: np.ndarray, outline) -> None:
    cv2.fillPoly(mask, [np.round(np.asarray(outline) * 16).astype(np.int32)], 255, cv2.LINE_8, 4)


def _line(mask: np.ndarray, points, thickness: float) -> None:
    points = np.round(np.asarray(points) * 16).astype(np.int32)
    cv2.polylines(mask, [points], False, 255, max(1, round(thickness)), cv2.LINE_8, 4)


def _trunk(body_K2: np.ndarray, torso: float, margin: float, hem: float):
    """A box around shoulders and hips, upright, from the neck's base to below the hem."""
    points = body_K2[[_AT[n] for n in ("r_shoulder", "l_shoulder", "r_hip", "l_hip")]]
    left, right = points[:, 0].min() - 0.22 * torso - margin, points[:, 0].max() + 0.22 * torso + margin
    top = points[:2, 1].min() - 0.16 * torso - margin * 0.5
    bottom = max(points[2:, 1].max() + 0.25 * torso, hem) + margin
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def _legs(body_K2: np.ndarray, torso: float, margin: float, hem: float):
    """A box around hips and legs, from the waist to the ankles or below the hem."""
    points = body_K2[[_AT[f"{s}_{n}"] for s in "rl" for n in ("hip", "knee", "ankle")]]
    left, right = points[:, 0].min() - 0.28 * torso - margin, points[:, 0].max() + 0.28 * torso + margin
    top = min(points[0, 1], points[3, 1]) - 0.42 * torso - margin
    bottom = max(points[:, 1].max() - 0.05 * torso, hem) + margin * 0.5
    return [(left, top), (right, top), (right, bottom), (left, bottom)]
