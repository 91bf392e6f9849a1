"""Clothing-agnostic masks from poses: where a garment of a category may be, whatever was worn there before.

Boxy on purpose: a mask that follows the old garment's sleeves and hem tells the network what was worn. Hands, face,
hair over the shoulders (with a person mask), shoes and what is carried below the wrists stay. Not in the paper, which
takes masks as given. F frames, K=130 joints, H W pixels; sizes are (width, height); lengths are in units of the body
(see body_units).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from ..errors import InputError
from ..handovers import BODY, CATEGORIES, LEFT_HAND, RIGHT_HAND, PoseTrack

R_SHOULDER, R_ELBOW, R_WRIST, L_SHOULDER, L_ELBOW, L_WRIST = 2, 3, 4, 5, 6, 7
R_HIP, R_KNEE, R_ANKLE, L_HIP, L_KNEE, L_ANKLE = 8, 9, 10, 11, 12, 13
ARMS = ((R_SHOULDER, R_ELBOW, R_WRIST, RIGHT_HAND), (L_SHOULDER, L_ELBOW, L_WRIST, LEFT_HAND))
LEGS = ((R_HIP, R_KNEE, R_ANKLE), (L_HIP, L_KNEE, L_ANKLE))
GREY = 0.5


@dataclass(frozen=True, kw_only=True)
class MaskShape:
    """Widths and ends of the mask in body units (about the distance from neck to hips). Measured on public masks.

    shoulder, side: how far torso corners reach beyond shoulders and hips.  hem: end of tops between shoulders (0) and
    hips (1).  neck: reach above the shoulder line.  arm, cuff: half-width at shoulder and wrist.  waist: start of
    bottoms above the hips.  leg, ankle: half-width at hip and ankle.  head: half-width of the head that is kept.
    hand: half-width of a hand.  snug: with a person mask, how far the garment may stand off the body.
    """

    shoulder: float = 0.17
    side: float = 0.24
    hem: float = 0.9
    neck: float = 0.22
    arm: float = 0.21
    cuff: float = 0.17
    waist: float = 0.3
    leg: float = 0.3
    ankle: float = 0.2
    head: float = 0.2
    hand: float = 0.12
    snug: float = 0.12


@dataclass(frozen=True, kw_only=True)
class MaskOptions:
    """category: one of CATEGORIES.  grow: pixels at 512 high to widen (narrow if negative) the result.
    feather: pixels at 512 high of soft edge.  keep_hands, keep_head: leave those parts of the person visible.
    shape: proportions.
    """

    category: str = "upper"
    grow: float = 0.0
    feather: float = 0.0
    keep_hands: bool = True
    keep_head: bool = True
    shape: MaskShape = MaskShape()

    def __post_init__(self):
        if self.category not in CATEGORIES:
            raise InputError(f"garment category {self.category!r} is not known; choose one of {', '.join(CATEGORIES)}")
        if self.feather < 0:
            raise InputError(f"feather {self.feather} is negative; use 0 for a hard edge")


def body_units(track: PoseTrack, reach: int = 12) -> np.ndarray:
    """(F,) length unit of the body in pixels of the canvas: how long the torso would be upright and facing us.

    The larger of torso length and 1.35 shoulder widths, as a running upper quartile over `reach` frames each side, so
    that turning or bending does not shrink the garment. Falls back on limbs, then on the body's extent.
    """
    own_F = np.array([_own_unit(k) for k in track.keypoints_FK3])
    seen = np.flatnonzero(own_F > 0)
    if len(seen) == 0:
        return np.full(len(track), 0.25 * track.canvas[1])
    filled_F = np.interp(np.arange(len(own_F)), seen, own_F[seen])
    padded = np.pad(filled_F, reach, mode="edge")
    quartile_F = np.percentile(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1), 75, axis=1)
    padded = np.pad(quartile_F, reach, mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).mean(axis=1)


def _own_unit(keypoints_K3: np.ndarray) -> float:
    """One frame's estimate of the body unit; 0 if the pose says nothing."""
    body = keypoints_K3[BODY]

    def length(a: int, b: int) -> float:
        return float(np.linalg.norm(body[a, :2] - body[b, :2])) if min(body[a, 2], body[b, 2]) > 0 else 0.0

    torso = max(length(R_SHOULDER, R_HIP), length(L_SHOULDER, L_HIP))
    limbs = max(length(a, b) for arm in ARMS for a, b in ((arm[0], arm[1]), (arm[1], arm[2])))
    legs = max(length(a, b) for leg in LEGS for a, b in ((leg[0], leg[1]), (leg[1], leg[2])))
    return max(torso, 1.35 * length(R_SHOULDER, L_SHOULDER)) or max(1.6 * limbs, 1.1 * legs)


# ---------------------------------------------------------------------------------------------- one frame's mask


def garment_mask(
    keypoints_K3: np.ndarray,
    unit: float,
    size: tuple[int, int],
    options: MaskOptions,
    person_HW: np.ndarray | None = None,
) -> np.ndarray:
    """Where a garment may be in one frame.

    keypoints_K3: (130, 3) in pixels of the picture.  unit: its body unit.  person_HW: bool (H, W) where the person is
    (from a segmentation), or None.  Returns (H, W) uint8, 0 or 255. An empty pose gives an empty mask.
    """
    mask = np.zeros((size[1], size[0]), np.uint8)
    body = keypoints_K3[BODY]
    shape = options.shape
    if options.category in ("upper", "dress"):
        _add_top(mask, body, unit, shape)
    if options.category in ("lower", "dress"):
        _add_bottom(mask, body, unit, shape)
    if person_HW is not None:
        mask[grow(person_HW.astype(np.uint8) * 255, shape.snug * unit) == 0] = 0
    if options.keep_hands:
        for _, elbow, wrist, hand in ARMS:
            _cut_hand(mask, body[elbow], body[wrist], keypoints_K3[hand], unit, shape, options.category)
    if options.keep_head:
        _cut_head(mask, body, unit, shape)
    return mask


def _add_top(mask: np.ndarray, body: np.ndarray, unit: float, shape: MaskShape) -> None:
    """Torso from above the shoulders to the hem, and both arms to the wrists."""
    shoulders = [body[j, :2] for j in (R_SHOULDER, L_SHOULDER) if body[j, 2] > 0]
    if shoulders:
        discs = [(s, shape.shoulder * unit) for s in shoulders]
        hips = [body[j, :2] for j in (R_HIP, L_HIP) if body[j, 2] > 0]
        middle = np.mean(shoulders, axis=0)
        down = np.mean(hips, axis=0) - middle if hips else np.array([0.0, unit])
        side = shape.side * unit
        for base in hips or [middle + down]:
            end = base - down * (1 - shape.hem)
            discs.append((end - down / max(np.linalg.norm(down), 1e-6) * side, side))
        _fill(mask, _hull(discs))
        up = -down / max(np.linalg.norm(down), 1e-6)
        _fill(mask, _hull([(middle, 0.16 * unit), (middle + up * (shape.neck - 0.1) * unit, 0.1 * unit)]))
    for shoulder, elbow, wrist, _ in ARMS:
        _add_limb(mask, body[[shoulder, elbow, wrist]], (shape.arm * unit, shape.arm * unit, shape.cuff * unit))


def _add_bottom(mask: np.ndarray, body: np.ndarray, unit: float, shape: MaskShape) -> None:
    """From the waist to the ankles, the space between the legs included: a skirt may be there."""
    hips = [body[j, :2] for j in (R_HIP, L_HIP) if body[j, 2] > 0]
    if hips:
        neck = body[1, :2] if body[1, 2] > 0 else np.mean(hips, axis=0) - (0, unit)
        up = neck - np.mean(hips, axis=0)
        up = up / max(np.linalg.norm(up), 1e-6)
        top = max(shape.waist - shape.side, 0.0) * unit
        _fill(mask, _hull([(h, shape.side * unit) for h in hips] + [(h + up * top, shape.side * unit) for h in hips]))
    widths = (shape.leg * unit, (shape.leg + shape.ankle) / 2 * unit, shape.ankle * unit)
    for leg in LEGS:
        _add_limb(mask, body[list(leg)], widths)
    for upper, lower, width in ((0, 1, 0.5 * shape.leg), (1, 2, 0.5 * shape.ankle)):
        corners = [body[leg[j], :2] for leg in LEGS for j in (upper, lower) if body[leg[j], 2] > 0]
        if len(corners) == 4:
            _fill(mask, _hull([(c, width * unit) for c in corners]))


def _add_limb(mask: np.ndarray, joints_33: np.ndarray, widths: tuple[float, float, float]) -> None:
    """Two tapering pieces through three joints, cut off flat at the last one (hand and shoe stay)."""
    first, middle, last = joints_33
    if min(first[2], middle[2]) > 0:
        _fill(mask, _hull([(first[:2], widths[0]), (middle[:2], widths[1])]))
    if min(middle[2], last[2]) > 0:
        along = last[:2] - middle[:2]
        length = float(np.linalg.norm(along))
        if length > 1e-3:
            across = np.array([-along[1], along[0]]) / length
            corners = [middle[:2] + across * widths[1], middle[:2] - across * widths[1]]
            corners += [last[:2] - across * widths[2], last[:2] + across * widths[2]]
            _fill(mask, np.array(corners))


def _cut_hand(mask, elbow, wrist, hand_21x3, unit: float, shape: MaskShape, category: str) -> None:
    """Keep a hand: the hull of its joints, or a disc beyond the wrist. For bottoms also what hangs from it."""
    del category
    seen = hand_21x3[hand_21x3[:, 2] > 0, :2]
    if len(seen) >= 5:
        _fill(mask, _hull([(p, 0.35 * shape.hand * unit) for p in seen]), value=0)
    elif min(elbow[2], wrist[2]) > 0:
        along = wrist[:2] - elbow[:2]
        along = along / max(np.linalg.norm(along), 1e-6)
        palm = wrist[:2] + along * 1.1 * shape.hand * unit
        _fill(mask, _hull([(palm, shape.hand * unit), (palm + along * 0.12 * unit, 0.8 * shape.hand * unit)]), value=0)


def _cut_head(mask: np.ndarray, body: np.ndarray, unit: float, shape: MaskShape) -> None:
    """Keep the face and the head around it, down to the chin."""
    seen = body[[0, 14, 15, 16, 17]]
    seen = seen[seen[:, 2] > 0, :2]
    if len(seen) == 0 or body[1, 2] <= 0:
        return
    centre = seen.mean(axis=0)
    up = centre - body[1, :2]
    up = up / max(np.linalg.norm(up), 1e-6)
    chin_gap = max(float(np.linalg.norm(centre - body[1, :2])) - 0.12 * unit, 0.0)
    radius = min(shape.head * unit, max(chin_gap, 0.1 * unit))
    _fill(mask, _hull([(centre, radius), (centre + up * 0.15 * unit, radius)]), value=0)


CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 24, False)), np.sin(np.linspace(0, 2 * np.pi, 24, False))], axis=1)


def _hull(discs: list[tuple[np.ndarray, float]]) -> np.ndarray:
    """Corner points of the convex hull of discs (centre, radius)."""
    points = np.concatenate([np.asarray(centre) + CIRCLE * radius for centre, radius in discs])
    return cv2.convexHull(points.astype(np.float32))[:, 0]


def _fill(mask: np.ndarray, corners: np.ndarray, value: int = 255) -> None:
    """Fill a convex polygon; coordinates in 1/16 pixel so that slow motion moves the edge smoothly."""
    fixed = np.clip(corners, -8000, 40000) * 16
    cv2.fillConvexPoly(mask, np.round(fixed).astype(np.int32), value, lineType=cv2.LINE_8, shift=4)


def grow(mask_HW: np.ndarray, pixels: float) -> np.ndarray:
    """Widen (or, negative, narrow) a uint8 mask by that many pixels, round."""
    reach = round(abs(pixels))
    if reach == 0:
        return mask_HW
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return cv2.dilate(mask_HW, kernel) if pixels > 0 else cv2.erode(mask_HW, kernel)


# ---------------------------------------------------------------------------------------------- the clip


def clip_masks(
    track: PoseTrack, size: tuple[int, int], options: MaskOptions, person: Iterable[np.ndarray] | None = None
) -> Iterator[np.ndarray]:
    """The mask of each frame in turn, (H, W) float32 0..1, `size` = (width, height).

    person: per frame a bool (H, W) of where the person is, or None for masks from the pose alone. A frame without a
    pose gets an empty mask: nothing may be changed where nobody is known to be.
    """
    track = track.scaled(size)
    unit_F = body_units(track)
    scale = max(size) / 512
    people = [None] * len(track) if person is None else steady_person(person)
    for keypoints_K3, unit, person_HW in zip(track.keypoints_FK3, unit_F, people):
        mask = garment_mask(keypoints_K3, float(unit), size, options, person_HW)
        mask = grow(mask, options.grow * scale)
        yield soften(mask, options.feather * scale)


def soften(mask_HW: np.ndarray, pixels: float) -> np.ndarray:
    """A uint8 mask as float32 0..1, its edge blurred over about `pixels`."""
    mask = mask_HW.astype(np.float32) / 255
    return cv2.GaussianBlur(mask, (0, 0), pixels / 2) if pixels > 0.1 else mask


def steady_person(person: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """A person mask per frame with holes closed and flicker of single frames removed (majority of three frames)."""
    masks = (close_holes(mask) for mask in person)
    before, now = None, next(masks, None)
    while now is not None:
        after = next(masks, None)
        votes = [mask for mask in (before, now, after) if mask is not None]
        yield (votes[0] & now) | (now & votes[-1]) | (votes[0] & votes[-1]) if len(votes) == 3 else now
        before, now = now, after


def close_holes(mask_HW: np.ndarray) -> np.ndarray:
    """A bool mask without holes smaller than a fiftieth of the picture."""
    reach = max(1, max(mask_HW.shape) // 100)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return cv2.morphologyEx(mask_HW.astype(np.uint8), cv2.MORPH_CLOSE, kernel) > 0


def agnostic_frame(frame_HW3: np.ndarray, mask_HW: np.ndarray) -> np.ndarray:
    """The frame with grey where the mask is. Both float32 0..1; returns a new float32 array."""
    return frame_HW3 + mask_HW[..., None] * (GREY - frame_HW3)


def overlay_frame(frame_HW3: np.ndarray, mask_HW: np.ndarray) -> np.ndarray:
    """The frame with the mask tinted red, to look at."""
    red = np.array([1.0, 0.1, 0.1], np.float32)
    return frame_HW3 + 0.5 * mask_HW[..., None] * (red - frame_HW3)
