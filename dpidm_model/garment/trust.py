"""Whether a picture is what the detector is made for: one garment, lying free. Every threshold of that is here.

`python evaluate.py garment-pose --others DIR` measures them again, as after a training. H W pixel rows/columns.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from .detector import Detection
from .silhouette import standing_out

ONE_GARMENT = 0.5  # score below which the user is warned and no point counts as sure
LOW_CONFIDENCE = 0.4  # confidence below which a point counts as unsure
COVERED = 0.12  # share of the garment's box that the network's mask fills at least; slim trousers on a slant fill 0.2
SECOND_THING = (
    0.4  # area of the second largest thing that stands out, by the largest's, from which on there are several
)
AROUND = 0.9  # share of a picture's rim that a given mask covers, from which on it is taken for an inverted one
PLAIN_SHAPE = 0.985  # share in common with an ellipse or rectangle, from which on an outline is no garment's


@dataclass(frozen=True, kw_only=True)
class Trust:
    """score: 0..1, how sure it is that the picture shows exactly one garment lying free.  reason: why not.

    factor: what the confidence of every point is multiplied with: where the score is low, none is left above
    LOW_CONFIDENCE.
    """

    score: float
    reason: str

    @property
    def factor(self) -> float:
        return LOW_CONFIDENCE * self.score / ONE_GARMENT if self.low else 1.0

    @property
    def low(self) -> bool:
        return self.score < ONE_GARMENT


def judge(found: Detection, picture_HW3: np.ndarray, outline_HW: np.ndarray, *, given: bool) -> Trust:
    """How far a reading can be trusted.

    outline_HW: uint8, what stands out from the background, or the user's mask.  given: whether it is the user's, who
    then vouches for there being one thing.
    """
    marks = {"no garment, several, or a person wearing it": found.single}
    if given:
        rim = np.concatenate([outline_HW[0], outline_HW[-1], outline_HW[:, 0], outline_HW[:, -1]])
        inverted = "the MASK is white around the garment, connect it through Invert Mask"
        marks = {inverted: 0.2 if (rim > 0).mean() > AROUND else 1.0, **marks}
    else:  # each of these is ONE_GARMENT at its threshold
        marks = {
            "several things stand out": ONE_GARMENT * SECOND_THING / max(_second(picture_HW3), 1e-6),
            "the outline is a plain box or disc": 0.2 if _plainness(outline_HW) > PLAIN_SHAPE else 1.0,
            **marks,
            "the garment cannot be told from what is around it": ONE_GARMENT * found.covered / COVERED,
        }
    reason = next((reason for reason, mark in marks.items() if mark < ONE_GARMENT), "")
    return Trust(score=float(min(1.0, *marks.values())), reason=reason)


def _second(picture_HW3: np.ndarray) -> float:
    """Area of the second largest thing that stands out from the background, by the largest's."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(standing_out(picture_HW3), connectivity=8)
    areas = np.sort(stats[1:, cv2.CC_STAT_AREA])[::-1]
    return float(areas[1] / areas[0]) if len(areas) > 1 else 0.0


def _plainness(outline_HW: np.ndarray) -> float:
    """What an outline has in common with its best ellipse or rectangle (intersection over union), the larger."""
    contours, _ = cv2.findContours(outline_HW, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    contour = max(contours, key=cv2.contourArea, default=None)
    if contour is None or len(contour) < 5:
        return 0.0
    alike = []
    for shape in ("ellipse", "box"):
        drawn = np.zeros_like(outline_HW)
        if shape == "ellipse":
            cv2.ellipse(drawn, cv2.fitEllipse(contour), (255,), -1)
        else:
            cv2.fillPoly(drawn, [np.round(cv2.boxPoints(cv2.minAreaRect(contour))).astype(np.int32)], (255,))
        either = np.count_nonzero(drawn | outline_HW)
        alike.append(np.count_nonzero(drawn & outline_HW) / max(either, 1))
    return max(alike)
