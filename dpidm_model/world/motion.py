"""How people move: proportions, gestures, turning; and the skeleton these give, frame by frame.

F frames. World axes: x to the picture's right, y down (floor at 0), z towards the viewer; metres. A body frame's
columns are the person's left, down and front, so a person facing the viewer has the unit matrix.
"""

from dataclasses import dataclass

import numpy as np

from .mesh import cross, normalise

SIDES = {"r": -1.0, "l": 1.0}  # the person's right is at -x


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One person's proportions, in metres."""

    shoulder: float  # half the distance of the shoulder joints
    hip: float  # half the distance of the hip joints
    torso: float  # hip joints to shoulder line
    neck: float
    head: float  # chin to crown
    upper_arm: float
    forearm: float
    thigh: float
    shin: float
    girth: float  # thickness of trunk and limbs, 1 = average
    waist: float  # width of the waist, 1 = average
    bust: float  # 0..1
    hips: float  # width of the hips, 1 = average


@dataclass(frozen=True)
class Skeleton:
    """Joint positions and body frames over a clip.

    joints: name -> (F, 3); names are OpenPose's body names plus "pelvis", "chest_top", "head" (its centre).
    pelvis_F33, chest_F33, head_F33: rotation matrices.  bend: side -> (F, 3), unit direction the forearm bends to.
    raised: side -> (F,) 0 arm down .. 1 arm up.  flexed: side -> (F,) 0 straight elbow .. 1 fully bent.
    yaw_F, lean_F, pitch_F, twist_F: radians.
    """

    joints: dict[str, np.ndarray]
    pelvis_F33: np.ndarray
    chest_F33: np.ndarray
    head_F33: np.ndarray
    bend: dict[str, np.ndarray]
    raised: dict[str, np.ndarray]
    flexed: dict[str, np.ndarray]
    yaw_F: np.ndarray
    lean_F: np.ndarray
    pitch_F: np.ndarray
    twist_F: np.ndarray


# gesture -> (weight, outward, forward, flexion in degrees, bend direction as inward, up, forward)
GESTURES = {
    "relaxed": (5.0, (6, 18), (5, 22), (8, 30), (0.35, 0.05, 1.0)),
    "away": (2.0, (22, 50), (0, 20), (5, 35), (0.5, 0.2, 0.8)),
    "on_hip": (2.0, (38, 52), (-18, 5), (85, 105), (1.0, 0.15, 0.25)),
    "on_belly": (1.5, (12, 28), (5, 25), (75, 95), (0.9, 0.1, 0.6)),
    "on_chest": (1.0, (25, 40), (25, 45), (110, 125), (0.8, 0.5, 0.5)),
    "across": (1.5, (15, 30), (25, 45), (80, 100), (1.0, 0.12, 0.5)),
    "wave": (1.0, (60, 85), (5, 25), (90, 130), (0.1, 1.0, 0.2)),
    "sideways": (1.0, (70, 95), (-5, 15), (3, 25), (0.1, 0.6, 0.5)),
    "overhead": (0.6, (130, 160), (5, 25), (10, 50), (0.5, 0.5, 0.3)),
    "forward": (0.6, (45, 75), (60, 80), (10, 40), (0.2, 0.7, 0.2)),
    "behind": (0.6, (12, 25), (-60, -35), (40, 75), (0.7, 0.0, 0.5)),
    "at_head": (0.6, (85, 105), (10, 30), (125, 142), (0.6, 0.8, 0.1)),
    "phone": (0.8, (15, 30), (30, 50), (95, 120), (0.35, 0.6, 0.7)),
}


def make_figure(rng: np.random.Generator, broadest: float = 1.0) -> Figure:
    """A random grown-up's proportions. broadest: 0..1, the broadest shoulders allowed (women are below 0.5)."""
    size, build = rng.uniform(0.94, 1.06), rng.uniform(0, broadest)
    return Figure(
        shoulder=size * (0.158 + 0.03 * build + rng.uniform(-0.005, 0.005)),
        hip=size * (0.092 - 0.008 * build),
        torso=size * rng.uniform(0.49, 0.53),
        neck=size * rng.uniform(0.055, 0.078),
        head=0.228 * rng.uniform(0.97, 1.04),
        upper_arm=size * rng.uniform(0.275, 0.3),
        forearm=size * rng.uniform(0.24, 0.265),
        thigh=size * rng.uniform(0.41, 0.45),
        shin=size * rng.uniform(0.4, 0.43),
        girth=size * rng.uniform(0.9, 1.16),
        waist=rng.uniform(0.88, 1.0) + 0.06 * build,
        bust=max(0.0, rng.uniform(0.3, 1.0) * (1 - 1.8 * build)),
        hips=1.08 - 0.1 * build,
    )


def rotation(yaw_F: np.ndarray, lean_F: np.ndarray, pitch_F: np.ndarray) -> np.ndarray:
    """Body frames (F, 3, 3): turn about the vertical, then lean sideways (to the person's left), then bow forward."""
    cy, sy, cl, sl, cp, sp = (f(a) for a in (yaw_F, lean_F, pitch_F) for f in (np.cos, np.sin))
    zero, one = np.zeros_like(cy), np.ones_like(cy)
    turn = np.stack([cy, zero, sy, zero, one, zero, -sy, zero, cy], -1).reshape(-1, 3, 3)
    side = np.stack([cl, -sl, zero, sl, cl, zero, zero, zero, one], -1).reshape(-1, 3, 3)
    bow = np.stack([one, zero, zero, zero, cp, -sp, zero, sp, cp], -1).reshape(-1, 3, 3)
    return (turn @ side @ bow).astype(np.float32)


def wander(rng: np.random.Generator, t_F: np.ndarray, low: float, high: float, rate=(0.12, 0.45)) -> np.ndarray:
    """A smooth random signal in [low, high]: two sines of random rate (Hz) and phase."""
    reach = rng.uniform(0.35, 1) * (high - low) / 2
    middle = rng.uniform(low + reach, high - reach)
    f = rng.uniform(*rate)
    wave = 0.8 * np.sin(2 * np.pi * (f * t_F + rng.random())) + 0.2 * np.sin(2 * np.pi * (2.1 * f * t_F + rng.random()))
    return middle + reach * wave


def _gesture(rng: np.random.Generator, name: str) -> np.ndarray:
    _, outward, forward, flexion, bend = GESTURES[name]
    angles = [np.deg2rad(rng.uniform(*span)) for span in (outward, forward, flexion)]
    return np.array([*angles, *bend])


def gesture_track(rng: np.random.Generator, t_F: np.ndarray, names: list[str] | None = None) -> np.ndarray:
    """One arm's angles over time, easing from gesture to gesture: (F, 6) outward, forward, flexion, bend vector.

    names: the gestures in order; None = random ones.
    """
    weights = np.array([g[0] for g in GESTURES.values()])
    keys, times = [], [-rng.uniform(0, 0.8)]
    while times[-1] < t_F[-1] + 2 or len(keys) < 2:
        name = names[min(len(keys), len(names) - 1)] if names else rng.choice(list(GESTURES), p=weights / weights.sum())
        keys.append(_gesture(rng, str(name)))
        times.append(times[-1] + rng.uniform(0.9, 1.8))
    index = np.clip(np.searchsorted(times, t_F, "right") - 1, 0, len(keys) - 2)
    start, stop = np.array(times)[index], np.array(times)[index + 1]
    x = np.clip((t_F - start) / (stop - start) * 1.25 - 0.1, 0, 1)
    ease = (x * x * (3 - 2 * x))[:, None]
    keys = np.array(keys)
    track = keys[index] * (1 - ease) + keys[index + 1] * ease
    track[:, :3] += np.stack([wander(rng, t_F, -0.05, 0.05, (0.3, 0.8)) for _ in range(3)], 1)
    track[:, 2] = np.clip(track[:, 2], 0.03, 2.5)
    return track


@dataclass(frozen=True, kw_only=True)
class MotionPlan:
    """What a person does in a clip: each field is a track over the F frames (radians, metres)."""

    yaw_F: np.ndarray
    lean_F: np.ndarray
    pitch_F: np.ndarray
    twist_F: np.ndarray
    sway_F2: np.ndarray  # pelvis to the left and down
    head_F3: np.ndarray  # head yaw, tilt, nod relative to the chest
    arms: dict[str, np.ndarray]  # side -> (F, 6)
    stance: float  # half the distance of the feet
    step_F: np.ndarray  # phase of stepping in place, 0 = standing
    fingers: dict[str, float]  # side -> 0 straight .. 1 curled


def make_motion(
    rng: np.random.Generator, t_F: np.ndarray, *, turning: float = 1.0, gestures: dict[str, list[str]] | None = None
) -> MotionPlan:
    """A random plan. turning scales how far people turn away (0 = always frontal).

    gestures: side -> gesture names, instead of random ones.
    """
    kind = rng.choice(["sway", "quarter", "side", "back", "round"], p=[0.68, 0.18, 0.07, 0.04, 0.03])
    yaw = wander(rng, t_F, -0.45, 0.45)
    turn = {"sway": 0.0, "quarter": rng.uniform(0.5, 1.1), "side": rng.uniform(1.1, 1.7), "back": rng.uniform(2.4, 3.8)}
    heading = rng.choice([-1, 1])
    if kind == "round":
        yaw = yaw * 0.3 + heading * 2 * np.pi * np.clip((t_F - 0.2) / max(t_F[-1] - 0.4, 0.5), 0, 1)
    elif kind == "quarter":
        yaw = yaw * 0.4 + heading * turn[kind] * np.sin(np.pi * np.clip(t_F / max(t_F[-1], 0.5), 0, 1))
    else:
        yaw = yaw * (1 if kind == "sway" else 0.5) + heading * turn[str(kind)]
    stepping = rng.random() < 0.25
    return MotionPlan(
        yaw_F=yaw * turning,
        lean_F=wander(rng, t_F, -0.12, 0.12),
        pitch_F=wander(rng, t_F, -0.04, 0.14),
        twist_F=wander(rng, t_F, -0.22, 0.22),
        sway_F2=np.stack([wander(rng, t_F, -0.05, 0.05), wander(rng, t_F, 0.0, 0.015)], 1),
        head_F3=np.stack([wander(rng, t_F, -a, a) for a in (0.4, 0.12, 0.15)], 1),
        arms={side: gesture_track(rng, t_F, gestures[side] if gestures else None) for side in SIDES},
        stance=rng.uniform(0.08, 0.17),
        step_F=(2 * np.pi * rng.uniform(0.6, 1.0) * t_F + rng.uniform(0.5, 3)) if stepping else np.zeros_like(t_F),
        fingers={side: float(rng.uniform(0.1, 0.8)) for side in SIDES},
    )


def _matvec(matrix_F33: np.ndarray, vector) -> np.ndarray:
    vector = np.broadcast_to(np.asarray(vector, np.float32), (len(matrix_F33), 3))
    return np.einsum("fij,fj->fi", matrix_F33, vector)


def _leg(hip_F3, ankle_F3, front_F3, thigh: float, shin: float) -> tuple[np.ndarray, np.ndarray]:
    """Knee (bending to the front) and the reachable ankle, by two-bone inverse kinematics."""
    reach = ankle_F3 - hip_F3
    length = np.linalg.norm(reach, axis=-1, keepdims=True)
    along = reach / length
    length = np.minimum(length, 0.999 * (thigh + shin))
    forward = normalise(front_F3 - along * (front_F3 * along).sum(-1, keepdims=True))
    part = (thigh**2 + length**2 - shin**2) / (2 * length)
    knee = hip_F3 + along * part + forward * np.sqrt(np.maximum(thigh**2 - part**2, 0))
    return knee, hip_F3 + along * length


def pose_skeleton(figure: Figure, plan: MotionPlan) -> Skeleton:
    """Forward kinematics of the trunk, arms and head; inverse kinematics of the planted legs."""
    pelvis = rotation(plan.yaw_F, plan.lean_F * 0.35, plan.pitch_F * 0.3)
    chest = rotation(plan.yaw_F + plan.twist_F, plan.lean_F, plan.pitch_F)
    head = rotation(
        plan.yaw_F + plan.twist_F + plan.head_F3[:, 0],
        plan.lean_F * 0.6 + plan.head_F3[:, 1],
        plan.pitch_F + plan.head_F3[:, 2],
    )
    joints: dict[str, np.ndarray] = {}
    heading = rotation(plan.yaw_F, plan.lean_F * 0, plan.pitch_F * 0)
    ankle_height, legs = 0.085, figure.thigh + figure.shin
    height = ankle_height + 0.985 * np.sqrt(legs**2 - plan.stance**2) - plan.sway_F2[:, 1]
    joints["pelvis"] = np.stack([plan.sway_F2[:, 0], -height, np.zeros_like(height)], 1).astype(np.float32)
    for side, sign in SIDES.items():
        joints[f"{side}_hip"] = joints["pelvis"] + _matvec(pelvis, (sign * figure.hip, 0, 0))
        lift = np.maximum(np.sin(plan.step_F + (sign > 0) * np.pi), 0) * 0.07
        foot = np.zeros((len(lift), 3), np.float32)
        foot[:, 0], foot[:, 1], foot[:, 2] = sign * plan.stance, -ankle_height - lift, 0.01 * sign
        foot = np.einsum("fij,fj->fi", heading, foot)
        knee, ankle = _leg(joints[f"{side}_hip"], foot, heading[:, :, 2], figure.thigh, figure.shin)
        joints[f"{side}_knee"], joints[f"{side}_ankle"] = knee, ankle
    spine = 0.45 * pelvis[:, :, 1] + 0.55 * chest[:, :, 1]
    joints["chest_top"] = joints["pelvis"] - spine * figure.torso
    bend, raised, flexed = {}, {}, {}
    for side, sign in SIDES.items():
        shoulder, elbow, wrist, bend[side] = _arm(figure, chest, joints["chest_top"], plan.arms[side], sign)
        joints[f"{side}_shoulder"], joints[f"{side}_elbow"], joints[f"{side}_wrist"] = shoulder, elbow, wrist
        raised[side] = np.clip(plan.arms[side][:, 0] / np.pi * 1.2, 0, 1).astype(np.float32)
        flexed[side] = np.clip(plan.arms[side][:, 2] / 2.4, 0, 1).astype(np.float32)
    joints["neck"] = (joints["r_shoulder"] + joints["l_shoulder"]) / 2
    up = -(0.5 * chest[:, :, 1] + 0.5 * head[:, :, 1])
    joints["head"] = joints["chest_top"] + up * (figure.neck + 0.03) - head[:, :, 1] * figure.head * 0.47
    joints["head"] = joints["head"] + head[:, :, 2] * 0.022
    tracks = (plan.yaw_F, plan.lean_F, plan.pitch_F, plan.twist_F)
    joints = {name: value.astype(np.float32) for name, value in joints.items()}
    return Skeleton(joints, pelvis, chest, head, bend, raised, flexed, *tracks)


def _arm(figure: Figure, chest_F33, chest_top_F3, angles_F6, sign: float):
    """Shoulder, elbow, wrist and the forearm's bend direction, each (F, 3)."""
    outward, forward, flexion = angles_F6[:, 0], angles_F6[:, 1], angles_F6[:, 2]
    lift = np.maximum(outward - 0.6, 0)
    offset = np.stack([sign * figure.shoulder * (1 - 0.06 * lift), 0.02 - 0.045 * lift, 0 * lift], 1)
    shoulder = chest_top_F3 + np.einsum("fij,fj->fi", chest_F33, offset)
    local = np.stack([sign * np.sin(outward) * np.cos(forward), np.cos(outward), np.sin(outward) * np.sin(forward)], 1)
    local[:, 2] += np.sin(forward) * np.cos(outward).clip(0) * 0.6
    upper = normalise(np.einsum("fij,fj->fi", chest_F33, local))
    wish = angles_F6[:, 3:] * np.array([-sign, -1, 1])
    wish = np.einsum("fij,fj->fi", chest_F33, wish)
    bend = normalise(wish - upper * (wish * upper).sum(-1, keepdims=True))
    elbow = shoulder + upper * figure.upper_arm
    lower = np.cos(flexion)[:, None] * upper + np.sin(flexion)[:, None] * bend
    wrist = elbow + lower * figure.forearm
    for _ in range(2):
        wrist = elbow + normalise(_outside(figure, chest_F33, chest_top_F3, wrist) - elbow) * figure.forearm
    lower = wrist - elbow
    aside = lower - upper * (lower * upper).sum(-1, keepdims=True)
    strength = np.clip(np.linalg.norm(aside, axis=-1, keepdims=True) / 0.04, 0, 1)  # keeps a straight arm's axis steady
    bend = normalise(normalise(aside) * strength + bend * (1 - strength))
    return shoulder, elbow, wrist, normalise(bend - upper * (bend * upper).sum(-1, keepdims=True)).astype(np.float32)


def _outside(figure: Figure, chest_F33, chest_top_F3, point_F3) -> np.ndarray:
    """The point moved out of the trunk (an elliptic column with room for a hand and a loose garment)."""
    local = np.einsum("fji,fj->fi", chest_F33, point_F3 - chest_top_F3)
    x, z = 0.19 * figure.girth, (0.165 + 0.035 * figure.bust) * figure.girth
    inside = np.sqrt((local[:, 0] / x) ** 2 + (local[:, 2] / z) ** 2)
    beside = (local[:, 1] > -0.02) & (local[:, 1] < figure.torso + 0.25)
    grow = np.where(beside & (inside < 1), 1 / np.maximum(inside, 0.2), 1)
    local[:, 0] *= 1 + (grow - 1) * 0.5
    local[:, 2] = np.where(
        local[:, 2] > -0.05, np.where(grow > 1, np.maximum(local[:, 2] * grow, 0), local[:, 2]), local[:, 2] * grow
    )
    lack = np.sqrt(np.clip(1 - (local[:, 0] / x) ** 2, 0, 1)) * z
    front = (grow > 1) & (local[:, 2] >= 0)
    local[:, 2] = np.where(front, np.maximum(local[:, 2], lack), local[:, 2])
    return chest_top_F3 + np.einsum("fij,fj->fi", chest_F33, local)


def hinge(skeleton: Skeleton, side: str) -> np.ndarray:
    """The elbow's axis (F, 3): across the arm and its bend direction."""
    upper = normalise(skeleton.joints[f"{side}_elbow"] - skeleton.joints[f"{side}_shoulder"])
    return cross(upper, skeleton.bend[side])
