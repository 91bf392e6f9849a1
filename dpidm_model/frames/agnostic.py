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
    """Widths and ends of the mask in body units (about the distance from neck to hips). Fitted to public masks.

    shoulder, side: how far torso corners reach beyond shoulders and hips.  hem: end of tops between shoulders (0) and
    hips (1) with a person mask.  low_hem: without one, so that a long old top does not show below.
    neck: reach above the shoulder line.  arm, cuff: half-width at elbow and wrist, away from the body.
    inner: the same towards the body.  beyond, over: reach of sleeves past the wrist, of legs past the ankle.
    waist: start of bottoms above the hips.  leg, ankle: half-width at hip and ankle.
    head, hand, forearm: half-width of a kept head, hand and (for bottoms) arm.
    snug, loose: with a person mask, how far torso and legs, and sleeves, may stand off the body.
    """

    shoulder: float = 0.24
    side: float = 0.24
    hem: float = 0.8
    low_hem: float = 1.0
    neck: float = 0.35
    arm: float = 0.25
    cuff: float = 0.25
    inner: float = 0.13
    beyond: float = 0.11
    over: float = 0.05
    waist: float = 0.17
    leg: float = 0.26
    ankle: float = 0.21
    head: float = 0.17
    hand: float = 0.1
    forearm: float = 0.07
    snug: float = 0.1
    loose: float = 0.14


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
    hands_known: bool = False,
) -> np.ndarray:
    """Where a garment may be in one frame.

    keypoints_K3: (130, 3) in pixels of the picture.  unit: its body unit.  person_HW: bool (H, W) where the person is
    (from a segmentation), or None.  hands_known: whether a hand without joints can be taken for hidden.
    Returns (H, W) uint8, 0 or 255. An empty pose gives an empty mask.
    """
    body, shape = keypoints_K3[BODY], options.shape
    mask, sleeves = np.zeros((size[1], size[0]), np.uint8), np.zeros((size[1], size[0]), np.uint8)
    if options.category in ("upper", "dress"):
        _add_torso(mask, body, unit, shape, shape.low_hem if person_HW is None else shape.hem)
        for shoulder, elbow, wrist, _ in ARMS:
            _add_sleeve(sleeves, body, body[[shoulder, elbow, wrist]], unit, shape)
    if options.category in ("lower", "dress"):
        _add_bottom(mask, body, unit, shape)
    if person_HW is not None:
        person = person_HW.astype(np.uint8) * 255
        mask &= grow(person, shape.snug * unit)
        sleeves &= grow(person, shape.loose * unit)
    hiding = mask.copy() if hands_known and options.category != "lower" else np.zeros_like(mask)
    mask |= sleeves
    if options.keep_hands:
        for shoulder, elbow, wrist, hand in ARMS:
            _cut_hand(mask, body[[elbow, wrist]], keypoints_K3[hand], unit, shape, hiding)
            if options.category == "lower":
                _cut_arm(mask, body[[shoulder, elbow, wrist]], shape.forearm * unit)
    if options.keep_head:
        _cut_head(mask, body, unit, shape)
    return mask


def unit_vector(vector_2: np.ndarray) -> np.ndarray:
    """The vector at length 1 (a vector of length 0 stays)."""
    return vector_2 / max(float(np.linalg.norm(vector_2)), 1e-6)


def _add_torso(mask: np.ndarray, body: np.ndarray, unit: float, shape: MaskShape, hem: float) -> None:
    """From above the shoulders to the hem, and the neck."""
    shoulders = [body[j, :2] for j in (R_SHOULDER, L_SHOULDER) if body[j, 2] > 0]
    if not shoulders:
        return
    hips = [body[j, :2] for j in (R_HIP, L_HIP) if body[j, 2] > 0]
    middle = np.mean(shoulders, axis=0)
    down = np.mean(hips, axis=0) - middle if hips else np.array([0.0, unit])
    direction, side = unit_vector(down), shape.side * unit
    ends = [base - down * (1 - hem) - direction * side for base in hips or [middle + down]]
    # the shoulder discs sit lower by what they are wider than a shoulder is high
    tops = [s + direction * (shape.shoulder - 0.17) * unit for s in shoulders]
    fill(mask, disc_hull([(t, shape.shoulder * unit) for t in tops] + [(e, side) for e in ends]))
    fill(mask, disc_hull([(middle, 0.16 * unit), (middle - direction * (shape.neck - 0.1) * unit, 0.1 * unit)]))


def _add_sleeve(mask: np.ndarray, body: np.ndarray, arm_33: np.ndarray, unit: float, shape: MaskShape) -> None:
    """Upper arm and forearm, wider away from the body, cut off flat beyond the wrist."""
    shoulder, elbow, wrist = arm_33
    if min(shoulder[2], elbow[2]) > 0:
        fill(mask, disc_hull([(shoulder[:2], 0.9 * shape.arm * unit), (elbow[:2], shape.arm * unit)]))
    if min(elbow[2], wrist[2]) <= 0:
        return
    along = unit_vector(wrist[:2] - elbow[:2])
    out = np.array([-along[1], along[0]])
    torso = body[[R_SHOULDER, L_SHOULDER, R_HIP, L_HIP]]
    torso = torso[torso[:, 2] > 0, :2]
    if len(torso) and np.dot(torso.mean(axis=0) - (elbow[:2] + wrist[:2]) / 2, out) > 0:
        out = -out
    end = wrist[:2] + along * shape.beyond * unit
    corners = [elbow[:2] + out * shape.arm * unit, elbow[:2] - out * shape.inner * unit]
    fill(mask, np.array([*corners, end - out * shape.inner * unit, end + out * shape.cuff * unit]))


def _add_bottom(mask: np.ndarray, body: np.ndarray, unit: float, shape: MaskShape) -> None:
    """From the waist to the ankles, the space between the legs included: a skirt may be there."""
    hips = [body[j, :2] for j in (R_HIP, L_HIP) if body[j, 2] > 0]
    if hips:
        neck = body[1, :2] if body[1, 2] > 0 else np.mean(hips, axis=0) - (0, unit)
        up = neck - np.mean(hips, axis=0)
        up = up / max(np.linalg.norm(up), 1e-6)
        top = max(shape.waist - shape.side, 0.0) * unit
        fill(
            mask, disc_hull([(h, shape.side * unit) for h in hips] + [(h + up * top, shape.side * unit) for h in hips])
        )
    widths = (shape.leg * unit, (shape.leg + shape.ankle) / 2 * unit, shape.ankle * unit)
    for leg in LEGS:
        _add_leg(mask, body[list(leg)], widths, shape.over * unit)
    for upper, lower, width in ((0, 1, 0.5 * shape.leg), (1, 2, 0.5 * shape.ankle)):
        ends = [body[[leg[upper], leg[lower]]] for leg in LEGS]
        if min(end[:, 2].min() for end in ends) > 0:
            lift = [unit_vector(end[0, :2] - end[1, :2]) * width * unit for end in ends]  # so that no disc hangs over
            discs = [(end[0, :2], width * unit) for end in ends]
            discs += [(end[1, :2] + up, width * unit) for end, up in zip(ends, lift)]
            fill(mask, disc_hull(discs))


def _add_leg(mask: np.ndarray, joints_33: np.ndarray, widths: tuple[float, float, float], over: float) -> None:
    """Thigh and calf, tapering, cut off flat `over` pixels below the ankle: the shoe stays."""
    first, middle, last = joints_33
    if min(first[2], middle[2]) > 0:
        fill(mask, disc_hull([(first[:2], widths[0]), (middle[:2], widths[1])]))
    if min(middle[2], last[2]) > 0:
        along = last[:2] - middle[:2]
        length = float(np.linalg.norm(along))
        if length > 1e-3:
            across = np.array([-along[1], along[0]]) / length
            corners = [middle[:2] + across * widths[1], middle[:2] - across * widths[1]]
            end = last[:2] + along / length * over
            corners += [end - across * widths[2], end + across * widths[2]]
            fill(mask, np.array(corners))


def _cut_hand(
    mask: np.ndarray, forearm_23: np.ndarray, hand_21x3: np.ndarray, unit: float, shape: MaskShape, hiding: np.ndarray
) -> None:
    """Keep a hand: the hull of its joints, or a palm beyond the wrist.

    hiding: uint8 (H, W), where a hand that no hand detector saw is taken to be behind the body: nothing to keep.
    """
    elbow, wrist = forearm_23
    seen = hand_21x3[hand_21x3[:, 2] > 0, :2]
    if len(seen) >= 5:
        fill(mask, disc_hull([(p, 0.35 * shape.hand * unit) for p in seen]), value=0)
    elif min(elbow[2], wrist[2]) > 0:
        along = unit_vector(wrist[:2] - elbow[:2])
        palm = wrist[:2] + along * 1.3 * shape.hand * unit
        x, y = int(palm[0]), int(palm[1])
        if 0 <= y < hiding.shape[0] and 0 <= x < hiding.shape[1] and hiding[y, x]:
            return
        fill(
            mask, disc_hull([(palm, shape.hand * unit), (palm + along * 0.12 * unit, 0.8 * shape.hand * unit)]), value=0
        )


def _cut_arm(mask: np.ndarray, arm_33: np.ndarray, width: float) -> None:
    """Keep an arm that hangs in front of or beside bottoms."""
    for first, second in ((arm_33[0], arm_33[1]), (arm_33[1], arm_33[2])):
        if min(first[2], second[2]) > 0:
            fill(mask, disc_hull([(first[:2], width), (second[:2], width)]), value=0)


def _cut_head(mask: np.ndarray, body: np.ndarray, unit: float, shape: MaskShape) -> None:
    """Keep the face and the head around it, down to the chin."""
    seen = body[[0, 14, 15, 16, 17]]
    seen = seen[seen[:, 2] > 0, :2]
    if len(seen) == 0 or body[1, 2] <= 0:
        return
    centre = seen.mean(axis=0)
    height = float(np.linalg.norm(centre - body[1, :2]))
    up = (centre - body[1, :2]) / max(height, 1e-6)
    # chin: about as far below the face's middle as 0.45 of the way down to the shoulders
    radius = min(shape.head * unit, 0.45 * height)
    fill(mask, disc_hull([(centre, radius), (centre + up * 0.15 * unit, radius)]), value=0)


CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 24, False)), np.sin(np.linspace(0, 2 * np.pi, 24, False))], axis=1)


def disc_hull(discs: list[tuple[np.ndarray, float]]) -> np.ndarray:
    """Corner points of the convex hull of discs (centre, radius)."""
    points = np.concatenate([np.asarray(centre) + CIRCLE * radius for centre, radius in discs])
    return cv2.convexHull(points.astype(np.float32))[:, 0]


def fill(mask: np.ndarray, corners: np.ndarray, value: int = 255) -> None:
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
    track: PoseTrack,
    size: tuple[int, int],
    options: MaskOptions,
    person: Iterable[np.ndarray] | None = None,
    kept: Iterable[np.ndarray] | None = None,
) -> Iterator[np.ndarray]:
    """The mask of each frame in turn, (H, W) float32 0..1, `size` = (width, height).

    person: per frame a bool (H, W) of where the person is, or None for masks from the pose alone.
    kept: per frame a bool (H, W) of things in front of the garment (see belongings), left out also where `grow` widens.
    A frame without a pose gets an empty mask: nothing may be changed where nobody is known to be.
    """
    track = track.scaled(size)
    unit_F = body_units(track)
    scale = max(size) / 512
    hands_known = bool((track.keypoints_FK3[:, [LEFT_HAND.start, RIGHT_HAND.start], 2] > 0).any())
    people = [None] * len(track) if person is None else steady_person(person)
    things = [None] * len(track) if kept is None else kept
    for keypoints_K3, unit, person_HW, kept_HW in zip(track.keypoints_FK3, unit_F, people, things):
        mask = garment_mask(keypoints_K3, float(unit), size, options, person_HW, hands_known)
        mask = grow(mask, options.grow * scale)
        if kept_HW is not None:
            mask[kept_HW] = 0
        yield soften(mask, options.feather * scale)


def soften(mask_HW: np.ndarray, pixels: float) -> np.ndarray:
    """A uint8 mask as float32 0..1, its edge blurred over about `pixels`."""
    mask = mask_HW.astype(np.float32) / 255
    return cv2.GaussianBlur(mask, (0, 0), pixels / 2) if pixels > 0.1 else mask


def steady_person(person: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """A person mask per frame with holes closed and flicker of single frames removed (majority of three frames)."""
    return majority(close_holes(mask) for mask in person)


def majority(masks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Each bool mask as most of it and its two neighbours in time have it; the first and last as they are."""
    before, now = None, next(masks, None)
    while now is not None:
        after = next(masks, None)
        votes = [mask for mask in (before, now, after) if mask is not None]
        yield (votes[0] & now) | (now & votes[-1]) | (votes[0] & votes[-1]) if len(votes) == 3 else now
        before, now = now, after


def close_holes(mask_HW: np.ndarray) -> np.ndarray:
    """A bool mask without gaps of a hundredth of the picture, nor holes smaller than a twentieth of its area."""
    reach = max(1, max(mask_HW.shape) // 100)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    closed = cv2.morphologyEx(mask_HW.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    lines, tree = cv2.findContours(closed, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    for line, relation in zip(lines, tree[0] if tree is not None else ()):
        if relation[3] >= 0 and cv2.contourArea(line) < 0.05 * closed.sum():
            cv2.drawContours(closed, [line], -1, 1, thickness=cv2.FILLED)
    return closed > 0


def agnostic_frame(frame_HW3: np.ndarray, mask_HW: np.ndarray) -> np.ndarray:
    """The frame with grey where the mask is. Both float32 0..1; returns a new float32 array."""
    return frame_HW3 + mask_HW[..., None] * (GREY - frame_HW3)


def overlay_frame(frame_HW3: np.ndarray, mask_HW: np.ndarray) -> np.ndarray:
    """The frame with the mask tinted red, to look at."""
    red = np.array([1.0, 0.1, 0.1], np.float32)
    return frame_HW3 + 0.5 * mask_HW[..., None] * (red - frame_HW3)
