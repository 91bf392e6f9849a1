"""The points of a garment picture as the page shows them, to be dragged by the user."""

import cv2
import numpy as np

from ..handovers import GARMENT_SLOTS, GarmentLandmarks
from ..pose.draw import COLOURS, LIMBS

SHOWN_SIDE = 768  # larger side of the picture in the page, in pixels


def draggable(picture_HW3: np.ndarray, found: GarmentLandmarks) -> tuple[np.ndarray, dict]:
    """A copy of the picture small enough for the page, and its points as JSON values.

    picture_HW3: uint8.  found: the points without the user's own.  Returns uint8 and {"size": [width, height] of the
    picture, "points": [{name, x, y, visibility 0..2, confidence, colour}], "limbs": [[name, name]]}; x, y in pixels of
    the picture.
    """
    width, height = found.canvas
    scale = min(1.0, SHOWN_SIDE / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    points = [
        {
            "name": name,
            "x": round(float(x), 1),
            "y": round(float(y), 1),
            "visibility": int(v),
            "confidence": round(float(confidence), 2),
            "colour": "#{:02x}{:02x}{:02x}".format(*COLOURS[1 + i]),
        }
        for i, (name, (x, y, confidence), v) in enumerate(zip(GARMENT_SLOTS, found.points_K3, found.visibility_K))
    ]
    slots = range(1, 1 + len(GARMENT_SLOTS))  # the garment's points are OpenPose's body joints 1..13
    limbs = [[GARMENT_SLOTS[a - 1], GARMENT_SLOTS[b - 1]] for a, b in LIMBS if a in slots and b in slots]
    shown = cv2.resize(picture_HW3, size, interpolation=cv2.INTER_AREA) if scale < 1 else picture_HW3
    return shown, {"size": [width, height], "points": points, "limbs": limbs}
