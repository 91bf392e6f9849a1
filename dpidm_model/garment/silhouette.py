"""The garment by its outline alone: foreground mask, and landmarks at the outline's extreme points.

No learning: the baseline that the detector is compared with, and the source of the full-resolution mask.
H W pixel rows/columns, K the 13 garment slots.
"""

import cv2
import numpy as np

from ..errors import InputError
from ..handovers import GARMENT_SLOTS, GarmentLandmarks
from .picture import as_mask8

SLOT = {name: i for i, name in enumerate(GARMENT_SLOTS)}
WORK_SIDE = 512
SHADOW_DROP = 28  # of lightness (0..100), at most
SHADOW_WIDTH = 0.035  # of the picture's larger side, at most
ALIKE_SHARE = 0.07  # of a garment's inside that may look like shadow for it to count as unlike the background
NOTHING = (
    "no garment stands out from the picture's background; expected a product photo of one garment on a plain "
    "background: use another photo, or connect a MASK of the garment"
)
CONFIDENCE = 0.5  # of every point: the outline cannot tell how sure it is


def _background_distance(lab_HW3: np.ndarray) -> tuple[np.ndarray, float]:
    """Colour distance of each pixel from a background that is a plane fitted to the border; and the border's noise."""
    h, w = lab_HW3.shape[:2]
    y_HW, x_HW = np.mgrid[0:h, 0:w].astype(np.float32)
    design_HW3 = np.stack([x_HW / w, y_HW / h, np.ones_like(x_HW)], -1)
    width = max(2, round(0.03 * min(h, w)))
    ring = np.ones((h, w), bool)
    ring[width:-width, width:-width] = False
    design, values = design_HW3[ring], lab_HW3[ring]
    keep = np.ones(len(values), bool)
    plane = np.zeros((3, 3), np.float32)
    for _ in range(4):
        plane = np.linalg.lstsq(design[keep], values[keep], rcond=None)[0]
        residual = np.linalg.norm(values - design @ plane, axis=1)
        keep = residual <= max(1.5, float(np.percentile(residual, 75)))
    distance_HW = np.linalg.norm(lab_HW3 - design_HW3 @ plane, axis=2)
    return distance_HW, float(np.median(residual[keep]))


def foreground_mask(image_HW3: np.ndarray) -> np.ndarray:
    """What stands out from a plain or smoothly shaded background: (H, W) uint8, 0 or 255; all 0 if nothing does.

    image_HW3: uint8 RGB. Background is what is alike the border and reaches it; holes are filled.
    """
    h, w = image_HW3.shape[:2]
    lab = _small_lab(image_HW3)
    mask = _without_shadow(_largest(_standing_out(lab)), lab)
    return cv2.resize(mask * 255, (w, h), interpolation=cv2.INTER_LINEAR) // 128 * 255


def standing_out(image_HW3: np.ndarray) -> np.ndarray:
    """All that stands out from the background, shadows too, at working size: (h, w) uint8, 0 or 1."""
    return _standing_out(_small_lab(image_HW3))


def _small_lab(image_HW3: np.ndarray) -> np.ndarray:
    """A picture at working size in Lab, softened a little."""
    h, w = image_HW3.shape[:2]
    scale = min(1.0, WORK_SIDE / max(h, w))
    size = (max(8, round(w * scale)), max(8, round(h * scale)))
    small = cv2.resize(image_HW3, size, interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2Lab), (3, 3), 0)


def _standing_out(lab_HW3: np.ndarray) -> np.ndarray:
    distance, noise = _background_distance(lab_HW3)
    threshold = max(2.2, 4 * noise)
    barrier = cv2.morphologyEx((distance > threshold).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    padded = cv2.copyMakeBorder(barrier, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    cv2.floodFill(padded, None, (0, 0), (2,))
    mask = (padded[1:-1, 1:-1] != 2).astype(np.uint8)
    return cv2.morphologyEx(mask, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3)))


def _without_shadow(mask_HW: np.ndarray, lab_HW3: np.ndarray) -> np.ndarray:
    """Take off the soft shadow beside a garment: a little darker than the background, of its colour, reaching the rim.

    On whitish garments, what reaches deeper in than a shadow is wide is cloth; notches (stripes) are closed again.
    """
    outside = mask_HW == 0
    ground = np.median(lab_HW3[outside], axis=0) if outside.any() else np.array([100.0, 0, 0])
    drop = ground[0] - lab_HW3[..., 0]
    tint = np.linalg.norm(lab_HW3[..., 1:] - ground[1:], axis=2)
    passable = outside | ((drop > -1) & (drop < SHADOW_DROP) & (tint < 4))
    padded = cv2.copyMakeBorder((~passable).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    cv2.floodFill(padded, None, (0, 0), (2,))
    taken = (padded[1:-1, 1:-1] == 2).astype(np.uint8) & mask_HW
    depth = cv2.distanceTransform(mask_HW, cv2.DIST_L2, 3)
    limit = SHADOW_WIDTH * max(mask_HW.shape)
    core = depth > limit
    if core.any() and (passable & core).sum() < ALIKE_SHARE * core.sum():
        shadow = (taken > 0) & (depth < limit)  # the garment itself is unlike the background: all of it at the rim
    else:
        count, labels = cv2.connectedComponents(taken, connectivity=8)
        deepest = np.zeros(count, np.float32)
        np.maximum.at(deepest, labels.ravel(), depth.ravel())
        shadow = (taken > 0) & (deepest[labels] < limit)
    reach = max(3, round(0.02 * max(mask_HW.shape))) | 1
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    lit: np.ndarray = mask_HW.copy()
    lit[shadow] = 0
    kept = cv2.bitwise_and(cv2.morphologyEx(lit, cv2.MORPH_CLOSE, brush), mask_HW)
    return _largest(cv2.morphologyEx(kept, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)))


def _largest(mask_HW: np.ndarray) -> np.ndarray:
    """The largest connected part of a 0/1 mask."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask_HW, connectivity=8)
    if count < 2:
        return mask_HW
    return (labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))).astype(np.uint8)


class _Outline:
    """A mask's bounding box and the runs of its rows."""

    def __init__(self, mask_HW: np.ndarray):
        self.mask_HW = mask_HW > 0
        rows, columns = np.where(self.mask_HW.any(1))[0], np.where(self.mask_HW.any(0))[0]
        self.x0, self.x1 = int(columns[0]), int(columns[-1])
        self.y0, self.y1 = int(rows[0]), int(rows[-1])
        self.width, self.height = self.x1 - self.x0 + 1, self.y1 - self.y0 + 1
        self.ys, self.xs = np.where(self.mask_HW)

    def row(self, fraction: float) -> int:
        """The picture row at a fraction of the garment's height."""
        return self.y0 + round(fraction * (self.height - 1))

    def runs(self, y: int) -> list[tuple[int, int]]:
        """Starts and ends of the row's covered stretches, those under 2 % of the width left out."""
        edges = np.flatnonzero(np.diff(np.concatenate([[0], self.mask_HW[y].view(np.int8), [0]])))
        return [(int(a), int(b) - 1) for a, b in edges.reshape(-1, 2) if b - a > 0.02 * self.width]

    def middle_run(self, y: int) -> tuple[int, int]:
        """The row's stretch that holds, or is nearest to, the box's middle column."""
        middle = (self.x0 + self.x1) / 2
        runs = self.runs(y) or [(self.x0, self.x1)]
        return min(runs, key=lambda run: max(run[0] - middle, middle - run[1], 0))

    def extreme(self, x_weight: float, y_weight: float, keep: np.ndarray | None = None) -> tuple[float, float]:
        """The covered point furthest in a direction; keep: which of the covered points may be taken."""
        score = self.xs * x_weight + self.ys * y_weight
        i = int(np.argmax(score if keep is None else np.where(keep, score, -np.inf)))
        return float(self.xs[i]), float(self.ys[i])


def guess_category(mask_HW: np.ndarray) -> str:
    """upper, lower or dress by the outline's proportions."""
    o = _Outline(mask_HW)
    legs = [len(o.runs(o.row(f))) == 2 for f in (0.75, 0.85, 0.93)]
    top = o.middle_run(o.row(0.02))
    wide_top = (top[1] - top[0]) > 0.5 * o.width
    if sum(legs) >= 2 or (
        wide_top and o.height < 1.5 * o.width and len(o.runs(o.row(0.5))) == 1 and o.height > o.width
    ):
        return "lower"
    return "dress" if o.height > 1.55 * o.width else "upper"


def _upper_points(o: _Outline, points: dict[str, tuple[float, float]]) -> str:
    """Neck, shoulders, sleeves and (for tops) hem corners; returns the sleeve length."""
    left, right = o.middle_run(o.row(0.9))
    middle = (left + right) // 2
    column = np.flatnonzero(o.mask_HW[:, int(np.clip(middle, o.x0, o.x1))])
    points["neck"] = (float(middle), float(column[0] if len(column) else o.y0))
    lengths = []
    for side, sign, edge in (("r", -1, left), ("l", 1, right)):
        points[f"{side}_shoulder"] = o.extreme(sign, -1.6)
        outside = (o.xs - edge) * sign > 0.06 * o.width
        if outside.sum() < 0.01 * len(o.xs):
            lengths.append("none")
            continue
        tip = o.extreme(0.3 * sign, 1.0, outside)
        if tip[1] < o.row(0.6):
            points[f"{side}_elbow"] = tip
            lengths.append("short")
        else:
            points[f"{side}_wrist"] = tip
            shoulder = points[f"{side}_shoulder"]
            points[f"{side}_elbow"] = ((shoulder[0] + tip[0]) / 2, (shoulder[1] + tip[1]) / 2)
            lengths.append("long")
    points["r_hip"] = (float(o.middle_run(o.row(0.98))[0]), float(o.row(0.98)))
    points["l_hip"] = (float(o.middle_run(o.row(0.98))[1]), float(o.row(0.98)))
    return max(lengths, key=("none", "short", "long").index)


def _outline_pair(o: _Outline, name: str, fraction: float, points: dict[str, tuple[float, float]]) -> None:
    left, right = o.middle_run(o.row(fraction))
    points[f"r_{name}"] = (float(left), float(o.row(fraction)))
    points[f"l_{name}"] = (float(right), float(o.row(fraction)))


def _lower_points(o: _Outline, points: dict[str, tuple[float, float]]) -> None:
    """Waistband ends, and legs (trousers, shorts) or the skirt's outline."""
    _outline_pair(o, "hip", 0.02, points)
    split = [f for f in np.linspace(0.2, 0.97, 40) if len(o.runs(o.row(f))) >= 2]
    if not split or len(o.runs(o.row(0.9))) < 2:
        _outline_pair(o, "knee", 0.5, points)
        _outline_pair(o, "ankle", 0.98, points)
        return
    shorts = o.height < 1.3 * o.width
    places = {"knee": 0.97} if shorts else {"knee": (split[0] + 1) / 2, "ankle": 0.97}
    for name, fraction in places.items():
        runs = o.runs(o.row(fraction)) or [(o.x0, o.x1)]
        for side, run in (("r", runs[0]), ("l", runs[-1])):
            points[f"{side}_{name}"] = ((run[0] + run[1]) / 2, float(o.row(fraction)))


def silhouette_landmarks(
    image_HW3: np.ndarray, category: str = "auto", mask_HW: np.ndarray | None = None
) -> tuple[GarmentLandmarks, np.ndarray]:
    """Landmarks from the outline, and the mask they come from.

    image_HW3: uint8 RGB.  category: auto, upper, lower or dress.  mask_HW: the garment, when known (else found).
    Returns the landmarks (visibility 2 where placed) and (H, W) uint8 mask. Raises InputError when nothing stands out.
    """
    h, w = image_HW3.shape[:2]
    mask = foreground_mask(image_HW3) if mask_HW is None else as_mask8(mask_HW, (w, h))
    if (mask > 0).mean() < 0.004:
        raise InputError(NOTHING)
    category = guess_category(mask) if category == "auto" else category
    outline, points, sleeve = _Outline(mask), {}, "none"
    if category in ("upper", "dress"):
        sleeve = _upper_points(outline, points)
    if category == "dress":
        for name, fraction in (("hip", 0.52), ("knee", 0.76), ("ankle", 0.98)):
            _outline_pair(outline, name, fraction, points)
    if category == "lower":
        _lower_points(outline, points)
    points_K3, visibility_K = np.zeros((13, 3), np.float32), np.zeros(13, np.uint8)
    for name, (x, y) in points.items():
        points_K3[SLOT[name]] = (x, y, CONFIDENCE)
        visibility_K[SLOT[name]] = 2
    return GarmentLandmarks(points_K3, visibility_K, (w, h), category, sleeve), mask
