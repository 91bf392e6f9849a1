"""Bodies: trunk, limbs, hands, feet, head and hair as tubes around a Skeleton.

F frames, R rings, S columns. The surface functions (`trunk_surface`, `arm_surface`, ...) are shared with cloth.py: a
garment is the body's surface moved outwards.
"""

from dataclasses import dataclass

import numpy as np

from .mesh import columns, cross, normalise, ring_angles, tube
from .motion import SIDES, Figure, Skeleton, hinge

# height along the trunk (0 hip joints, 1 shoulder line) -> half width, half depth, depth offset (metres)
TRUNK = np.array(
    [
        (1.14, 0.052, 0.054, -0.012),
        (1.08, 0.066, 0.060, -0.014),
        (1.03, 0.110, 0.074, -0.012),
        (0.98, 0.156, 0.086, -0.008),
        (0.90, 0.170, 0.102, 0.000),
        (0.76, 0.165, 0.110, 0.004),
        (0.62, 0.150, 0.103, 0.004),
        (0.45, 0.133, 0.094, 0.002),
        (0.36, 0.131, 0.093, 0.002),
        (0.24, 0.142, 0.099, 0.000),
        (0.10, 0.160, 0.101, -0.006),
        (0.00, 0.160, 0.092, -0.012),
        (-0.10, 0.130, 0.080, -0.012),
        (-0.18, 0.080, 0.060, -0.010),
    ]
)
# position along a limb (0 root, 1 middle joint, 2 end) -> radius to the front, radius to the side (metres)
ARM = np.array(
    [
        (-0.20, 0.026, 0.026),
        (-0.12, 0.038, 0.038),
        (-0.05, 0.046, 0.045),
        (0.00, 0.050, 0.048),
        (0.10, 0.053, 0.050),
        (0.30, 0.049, 0.046),
        (0.60, 0.045, 0.042),
        (0.90, 0.039, 0.038),
        (1.00, 0.038, 0.037),
        (1.25, 0.041, 0.039),
        (1.60, 0.034, 0.032),
        (1.90, 0.027, 0.023),
        (2.00, 0.026, 0.021),
    ]
)
LEG = np.array(
    [
        (-0.34, 0.070, 0.060),
        (-0.16, 0.096, 0.080),
        (0.00, 0.100, 0.088),
        (0.25, 0.090, 0.083),
        (0.60, 0.070, 0.067),
        (0.95, 0.055, 0.053),
        (1.05, 0.053, 0.051),
        (1.30, 0.057, 0.054),
        (1.55, 0.047, 0.045),
        (1.85, 0.037, 0.036),
        (2.00, 0.036, 0.036),
    ]
)
# depth below the crown (0..1 of the head's height) -> half width, extent to the front, extent to the back (same units)
HEAD = np.array(
    [
        (0.000, 0.020, 0.020, 0.060),
        (0.020, 0.105, 0.110, 0.170),
        (0.060, 0.180, 0.195, 0.255),
        (0.130, 0.255, 0.290, 0.350),
        (0.220, 0.305, 0.350, 0.410),
        (0.330, 0.328, 0.375, 0.432),
        (0.450, 0.332, 0.378, 0.425),
        (0.550, 0.326, 0.372, 0.390),
        (0.650, 0.312, 0.370, 0.330),
        (0.750, 0.285, 0.372, 0.250),
        (0.840, 0.248, 0.372, 0.160),
        (0.910, 0.205, 0.362, 0.080),
        (0.960, 0.160, 0.330, 0.010),
        (0.990, 0.105, 0.270, -0.040),
        (1.000, 0.040, 0.200, -0.090),
    ]
)
SHOULDER_SLOPE = 0.62  # how far towards the neck the arm's surface begins, in parts of the way from the shoulder
HEAD_COLUMNS, HEAD_DENSITY = 37, 0.55  # ring columns of a head, closer together on the face


def _table(table: np.ndarray, at: np.ndarray) -> list[np.ndarray]:
    order = np.argsort(table[:, 0])
    return [np.interp(at, table[order, 0], table[order, i]).astype(np.float32) for i in range(1, table.shape[1])]


@dataclass(frozen=True)
class Axis:
    """A centre line with its ring frames: each (F, R, 3)."""

    centre_FR3: np.ndarray
    front_FR3: np.ndarray
    side_FR3: np.ndarray


def trunk_axis(figure: Figure, skeleton: Skeleton, height_R: np.ndarray) -> Axis:
    """The spine at the given heights (0 hip joints, 1 shoulder line; order from high to low)."""
    pelvis, top = skeleton.joints["pelvis"][:, None], skeleton.joints["chest_top"][:, None]
    bend = pelvis - skeleton.pelvis_F33[:, None, :, 1] * figure.torso * 0.45
    s = height_R[None, :, None].astype(np.float32)
    inner = s.clip(0, 1)
    centre = (1 - inner) ** 2 * pelvis + 2 * inner * (1 - inner) * bend + inner**2 * top
    centre = centre - skeleton.chest_F33[:, None, :, 1] * figure.torso * (s - 1).clip(0)
    centre = centre + skeleton.pelvis_F33[:, None, :, 1] * figure.torso * (-s).clip(0)
    mix = inner * inner * (3 - 2 * inner)
    front = normalise(skeleton.pelvis_F33[:, None, :, 2] * (1 - mix) + skeleton.chest_F33[:, None, :, 2] * mix)
    side = skeleton.pelvis_F33[:, None, :, 0] * (1 - mix) + skeleton.chest_F33[:, None, :, 0] * mix
    side = normalise(side - front * (side * front).sum(-1, keepdims=True))
    return Axis(centre, front, side)


def trunk_surface(
    figure: Figure, skeleton: Skeleton, height_R: np.ndarray, angle_S: np.ndarray, ease: float | np.ndarray = 0.0
):
    """The trunk's surface moved outwards by `ease` metres (broadcast against (F, R, S)): (F, R, S, 3)."""
    width_R, depth_R, offset_R = _table(TRUNK, height_R)
    broad = figure.girth * (1 + (figure.shoulder / 0.175 - 1) * np.clip((height_R - 0.5) * 2, 0, 1))
    broad = broad * (1 + (figure.waist - 1) * np.exp(-(((height_R - 0.4) / 0.2) ** 2)))
    broad = broad * (1 + (figure.hips - 1) * np.exp(-(((height_R - 0.02) / 0.2) ** 2)))
    thick = 0.5 * figure.girth + 0.5 * broad
    axis = trunk_axis(figure, skeleton, height_R)
    centre = axis.centre_FR3 + axis.front_FR3 * offset_R[None, :, None]
    h, a = height_R[:, None], angle_S[None]
    chest = figure.bust * 0.042 * np.exp(-(((h - 0.70) / 0.10) ** 2)) * np.exp(-(((np.abs(a) - 0.6) / 0.45) ** 2))
    seat = 0.03 * figure.hips * np.exp(-(((h + 0.04) / 0.14) ** 2)) * np.exp(-(((np.pi - np.abs(a) - 0.5) / 0.6) ** 2))
    out = ease + (chest + seat)[None]
    front = (depth_R * thick)[None, :, None] + out
    return tube(centre, axis.front_FR3, axis.side_FR3, front, (width_R * broad)[None, :, None] + out, angle_S, 2.3)


def limb_axis(joints: tuple, side_F3: np.ndarray, at_R: np.ndarray, rounding: float = 0.28) -> Axis:
    """A two-bone limb's centre line at positions 0..2, its middle joint rounded; side_F3 is the joint's axis."""
    root, middle, end = (j[:, None] for j in joints)
    u = at_R[None, :, None].astype(np.float32)
    straight = np.where(u < 1, root + (middle - root) * u, middle + (end - middle) * (u - 1))
    x = np.clip((u - 1 + rounding) / (2 * rounding), 0, 1)
    start, stop = middle + (root - middle) * rounding, middle + (end - middle) * rounding
    curve = (1 - x) ** 2 * start + 2 * x * (1 - x) * middle + x**2 * stop
    centre = np.where(np.abs(u - 1) < rounding, curve, straight)
    along = normalise((middle - root) * (1 - x) + (end - middle) * x)
    side = np.broadcast_to(side_F3[:, None], along.shape)
    side = normalise(side - along * (side * along).sum(-1, keepdims=True))
    return Axis(centre.astype(np.float32), cross(side, along), side)


def arm_axis(skeleton: Skeleton, side: str, at_R: np.ndarray) -> Axis:
    """An arm's centre line; ring angle 0 faces the inside of the elbow."""
    joints = tuple(skeleton.joints[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist"))
    axis = limb_axis(joints, hinge(skeleton, side), np.maximum(at_R, 0))
    # above the joint the rings move in towards the neck, whatever the arm does: that makes the shoulder's slope
    inward = (skeleton.joints["chest_top"] - joints[0]) * SHOULDER_SLOPE - skeleton.chest_F33[:, :, 1] * 0.022
    shift = np.clip(-np.asarray(at_R, np.float32) / 0.2, 0, 1)[None, :, None] * inward[:, None]
    return Axis(axis.centre_FR3 + shift, axis.front_FR3, axis.side_FR3)


def arm_radii(at_R: np.ndarray) -> list[np.ndarray]:
    """Radii of an average arm to the front and to the side at positions 0..2, metres: two of (R,)."""
    return _table(ARM, at_R)


def arm_surface(
    figure: Figure, skeleton: Skeleton, side: str, at_R: np.ndarray, angle_S: np.ndarray, ease: float | np.ndarray = 0.0
):
    """An arm's surface moved outwards by `ease` (broadcast against (F, R, S)): (F, R, S, 3)."""
    front_R, side_R = (r * figure.girth for r in arm_radii(at_R))
    axis = arm_axis(skeleton, side, at_R)
    front, across = front_R[None, :, None] + ease, side_R[None, :, None] + ease
    return tube(axis.centre_FR3, axis.front_FR3, axis.side_FR3, front, across, angle_S)


def leg_axis(skeleton: Skeleton, side: str, at_R: np.ndarray) -> Axis:
    """A leg's centre line; ring angle 0 faces the body's front."""
    joints = tuple(skeleton.joints[f"{side}_{name}"] for name in ("hip", "knee", "ankle"))
    along = normalise(joints[2] - joints[0])
    front = skeleton.pelvis_F33[:, :, 2]
    front = front - along * (front * along).sum(-1, keepdims=True)
    return limb_axis(joints, cross(along, normalise(front)), at_R, rounding=0.2)


def leg_radii(at_R: np.ndarray) -> list[np.ndarray]:
    """Radii of an average leg to the front and to the side at positions 0..2, metres: two of (R,)."""
    return _table(LEG, at_R)


def leg_surface(
    figure: Figure, skeleton: Skeleton, side: str, at_R: np.ndarray, angle_S: np.ndarray, ease: float | np.ndarray = 0.0
):
    """A leg's surface moved outwards by `ease` (broadcast against (F, R, S)): (F, R, S, 3)."""
    front_R, side_R = (r * figure.girth for r in leg_radii(at_R))
    axis = leg_axis(skeleton, side, at_R)
    front, across = front_R[None, :, None] + ease, side_R[None, :, None] + ease
    return tube(axis.centre_FR3, axis.front_FR3, axis.side_FR3, front, across, angle_S)


def neck_surface(figure: Figure, skeleton: Skeleton, angle_S: np.ndarray) -> np.ndarray:
    """The neck, from inside the head down into the trunk: (F, 6, S, 3)."""
    s = np.linspace(1, 0, 6, dtype=np.float32)[None, :, None] ** 0.8
    base = skeleton.joints["chest_top"] + skeleton.chest_F33[:, :, 1] * 0.045 - skeleton.chest_F33[:, :, 2] * 0.010
    top = skeleton.joints["head"] + skeleton.head_F33[:, :, 1] * figure.head * 0.25
    top = top - skeleton.head_F33[:, :, 2] * figure.head * 0.10
    centre = base[:, None] * (1 - s) + top[:, None] * s
    front = normalise(skeleton.chest_F33[:, None, :, 2] * (1 - s) + skeleton.head_F33[:, None, :, 2] * s)
    side = normalise(skeleton.chest_F33[:, None, :, 0] * (1 - s) + skeleton.head_F33[:, None, :, 0] * s)
    radius = (0.050 + 0.045 * (1 - s[..., 0]) ** 3) * (0.5 + 0.5 * figure.girth)
    return tube(centre, front, side, radius[..., None], radius[..., None] * 1.02, angle_S)


def head_surface(
    figure: Figure, skeleton: Skeleton, depth_R, angle_S, swell: float | np.ndarray = 0.0, features: float = 1.0
):
    """The head at depths 0 (crown) .. 1 (chin), swollen by `swell` head heights (R, S): (F, R, S, 3).

    features: 0 leaves out nose, eye sockets and lips (for hair).
    """
    width_R, front_R, back_R = (v * figure.head for v in _table(HEAD, depth_R))
    down, front, side = (skeleton.head_F33[:, None, :, i] for i in (1, 2, 0))
    radius, offset = (front_R + back_R) / 2, (front_R - back_R) / 2
    offset = offset * np.ones((len(down), 1), np.float32)
    d, a = depth_R[:, None], angle_S[None]
    relief = 0.105 * np.exp(-((a / 0.17) ** 2)) * np.clip((d - 0.40) / 0.24, 0, 1) * (d < 0.665)
    relief = relief - 0.030 * np.exp(-(((np.abs(a) - 0.42) / 0.2) ** 2 + ((d - 0.47) / 0.045) ** 2))
    relief = relief + 0.018 * np.exp(-((a / 0.25) ** 2 + ((d - 0.765) / 0.04) ** 2))
    relief = relief + 0.020 * np.exp(-((a / 0.35) ** 2 + ((d - 0.91) / 0.05) ** 2))
    out = (relief * features * figure.head)[None] + swell * figure.head
    centre = skeleton.joints["head"][:, None] + down * ((depth_R - 0.5) * figure.head)[None, :, None]
    centre = centre + front * offset[..., None]
    axis = (np.broadcast_to(front, centre.shape), np.broadcast_to(side, centre.shape))
    return tube(centre, *axis, radius[None, :, None] + out, width_R[None, :, None] + out, angle_S, 2.2)


def head_points(figure: Figure, skeleton: Skeleton, table_K3: np.ndarray) -> np.ndarray:
    """Points on the head: (F, K, 3).

    table_K3: angle from the front (radians, positive to the person's left), depth below the crown (0..1), and how far
    out of the surface (head heights).
    """
    angle_K, depth_K, out_K = (np.asarray(c, np.float32) for c in np.asarray(table_K3).T)
    width_K, front_K, back_K = _table(HEAD, depth_K)
    down, ahead, side = (skeleton.head_F33[:, None, :, i] for i in (1, 2, 0))
    cos, sin = np.cos(angle_K), np.sin(angle_K)
    norm = (np.abs(cos) ** 2.2 + np.abs(sin) ** 2.2) ** (1 / 2.2)
    forward_K = (front_K - back_K) / 2 + ((front_K + back_K) / 2 + out_K) * cos / norm
    sideways_K = (width_K + out_K) * sin / norm
    local = down * (depth_K - 0.5)[None, :, None] + ahead * forward_K[None, :, None] + side * sideways_K[None, :, None]
    return (skeleton.joints["head"][:, None] + local * figure.head).astype(np.float32)


def head_point(figure: Figure, skeleton: Skeleton, angle: float, depth: float, out: float = 0.0) -> np.ndarray:
    """One point on (or `out` head heights above) the head's surface: (F, 3)."""
    return head_points(figure, skeleton, np.array([[angle, depth, out]]))[:, 0]


# finger -> where it starts (along the palm, across it towards the thumb), spread, length, radius; in hand lengths
FINGERS = {
    "thumb": (0.16, 0.20, 0.75, 0.40, 0.062),
    "index": (0.50, 0.165, 0.14, 0.42, 0.048),
    "middle": (0.53, 0.055, 0.03, 0.47, 0.050),
    "ring": (0.51, -0.055, -0.06, 0.43, 0.047),
    "little": (0.46, -0.155, -0.17, 0.34, 0.042),
}
HAND_LENGTH = 0.19


def hand_points(skeleton: Skeleton, side: str, curl: float) -> np.ndarray:
    """The 21 hand joints (wrist, then thumb to little finger, root to tip): (F, 21, 3)."""
    wrist, elbow = skeleton.joints[f"{side}_wrist"], skeleton.joints[f"{side}_elbow"]
    along = normalise(wrist - elbow)
    thin = hinge(skeleton, side)
    palm = thin * -SIDES[side]
    thumbwards = cross(thin, along)
    points = [wrist]
    for name, (start, across, spread, length, _) in FINGERS.items():
        root = wrist + HAND_LENGTH * (along * start + thumbwards * across)
        direction = normalise(along + thumbwards * spread)
        bend = curl * (0.35 if name == "thumb" else 1.0)
        points.append(root)
        for joint, part in enumerate((0.45, 0.30, 0.25)):
            angle = bend * (0.45 + 0.55 * joint)
            step = direction * np.cos(angle) + palm * np.sin(angle)
            root = root + step * (length * part * HAND_LENGTH)
            points.append(root)
    return np.stack(points, 1).astype(np.float32)


def hand_surfaces(skeleton: Skeleton, side: str, points_FK3: np.ndarray, size: float, detail: float):
    """The palm, (F, R, S, 3), and the five fingers, (5, F, R, S, 3), as tubes."""
    wrist, elbow = skeleton.joints[f"{side}_wrist"], skeleton.joints[f"{side}_elbow"]
    along, thin = normalise(wrist - elbow), hinge(skeleton, side)
    wide = cross(thin, along)
    at = np.array([-0.05, 0.06, 0.25, 0.42, 0.54, 0.60], np.float32)
    half_wide = np.array([0.14, 0.15, 0.21, 0.225, 0.21, 0.12], np.float32) * HAND_LENGTH * size
    half_thin = np.array([0.115, 0.11, 0.10, 0.085, 0.07, 0.04], np.float32) * HAND_LENGTH * size
    centre = wrist[:, None] + along[:, None] * (at * HAND_LENGTH)[None, :, None]
    across, through = (np.broadcast_to(axis[:, None], centre.shape) for axis in (wide, thin))
    angle = ring_angles(columns(11, detail))
    surfaces = tube(centre, across, through, half_wide[None, :, None], half_thin[None, :, None], angle, 2.5)
    count, radius_N = len(FINGERS), np.array([finger[-1] for finger in FINGERS.values()], np.float32)
    joints = np.concatenate([points_FK3[:, 1 + 4 * i : 5 + 4 * i] for i in range(count)])  # finger by finger
    thick = np.repeat(radius_N * HAND_LENGTH, len(wrist))[:, None, None]
    tip = joints[:, 3:] + normalise(joints[:, 3:] - joints[:, 2:3]) * thick * 0.6
    centre = np.concatenate([joints, tip], 1)
    along = normalise(np.gradient(centre, axis=1))
    through = np.broadcast_to(np.tile(thin, (count, 1))[:, None], centre.shape)
    through = normalise(through - along * (through * along).sum(-1, keepdims=True))
    taper = thick * np.array([1.05, 1.0, 0.92, 0.80, 0.25], np.float32)[:, None] * size
    angle = ring_angles(7 if detail > 0.7 else 5)
    fingers = tube(centre, cross(through, along), through, taper, taper, angle)
    return surfaces, fingers.reshape(count, len(wrist), *fingers.shape[1:])


def shoe_surface(skeleton: Skeleton, side: str, angle_S: np.ndarray) -> np.ndarray:
    """A shoe from heel to toe: (F, 9, S, 3)."""
    ankle, front = skeleton.joints[f"{side}_ankle"], skeleton.pelvis_F33[:, :, 2].copy()
    front[:, 1] = 0
    front = normalise(front)
    outward = skeleton.pelvis_F33[:, :, 0] * SIDES[side]
    along = normalise(front + 0.18 * outward)
    down = np.broadcast_to(np.array([0, 1, 0], np.float32), along.shape)
    at = np.array([-0.075, -0.06, -0.02, 0.03, 0.08, 0.12, 0.155, 0.175, 0.185], np.float32)
    wide = np.array([0.01, 0.036, 0.042, 0.040, 0.043, 0.045, 0.040, 0.026, 0.005], np.float32)
    high = np.array([0.01, 0.046, 0.056, 0.050, 0.038, 0.030, 0.026, 0.018, 0.005], np.float32)
    centre = ankle[:, None] + along[:, None] * at[None, :, None] + down[:, None] * (0.085 - high)[None, :, None]
    side_axis = cross(along, down)
    below, beside = (np.broadcast_to(axis[:, None], centre.shape) for axis in (down, side_axis))
    return tube(centre, below, beside, high[None, :, None], wide[None, :, None], angle_S, 2.6)
