"""Where the garment's control points belong on the person, frame by frame.

F frames, K=130 joints (handovers.PoseTrack). Not in the paper: a geometric guess from human and garment landmarks.
"""

from dataclasses import dataclass

import numpy as np

from ..handovers import BODY_NAMES, MISSING, PoseTrack
from .warp_parts import CutGarment, Points

J = {name: i for i, name in enumerate(BODY_NAMES)}
ARM_FRONT = ("r_elbow", "r_wrist", "l_elbow", "l_wrist")
SEAM = 1.24  # shoulder seams of a top, in distances between the shoulder joints
CHEST = 1.42  # chest width of a top, in the same unit
HEM, DROPPED = 1.1, 1.15  # least hem width of a top, in the same unit; how far seams may hang down the arm for it
WAIST = 0.95  # waistband of trousers, in the same unit; as measured on worn ones
HIPS = 1.42  # widest part of trousers, in the same unit
WAIST_RISE = 0.25  # waistband above the hip joints, in torso lengths; as measured on worn ones
SEAM_RISE = 0.05  # seams above the shoulder joints, in torso lengths
FRONTAL_RATIO = 0.72  # distance of the shoulder joints by torso length of a frontal person, when the clip shows none
QUICK = (0.03, 0.09)  # torso lengths that smoothing moves a joint by: from here on less, from there on not at all
ANKLE_LONG = 0.75  # trousers at least as long as this share of the way from waist to ankle are taken for ankle-long
LEG = 1.6  # hip to ankle by torso length, when the clip does not show it
HEIGHT = 3.35  # body height in torso lengths (neck to hip joints)


@dataclass(frozen=True, kw_only=True)
class BodyClip:
    """A person over a clip, smoothed.

    joints_FJ2: body joints in pixels, gaps interpolated.  known_FJ: whether a joint is seen at or near that frame.
    facing_F: cosine-like, 1 = frontal, 0 = side, negative = from behind.  torso_F: shoulders to hips in pixels, steady;
    length_F: the same as it is in each frame.
    shoulder: frontal distance of the shoulder joints in torso lengths, one for the clip.  leg: hip over knee to ankle,
    the same.
    """

    joints_FJ2: np.ndarray
    known_FJ: np.ndarray
    facing_F: np.ndarray
    torso_F: np.ndarray
    length_F: np.ndarray
    shoulder: float
    leg: float


def smooth_in_time(values_F: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian smoothing over the first axis, ends repeated."""
    radius = max(1, round(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    padded = np.concatenate([values_F[:1].repeat(radius, 0), values_F, values_F[-1:].repeat(radius, 0)])
    flat = padded.reshape(len(padded), -1)
    out = np.stack([np.convolve(flat[:, i], kernel / kernel.sum(), mode="valid") for i in range(flat.shape[1])], 1)
    return out.reshape(values_F.shape)


def read_body(track: PoseTrack, smoothing: float = 1.2) -> BodyClip:
    """Joints of a clip, gaps filled and smoothed over time; sigma in frames."""
    body = _untwisted(track.keypoints_FK3[:, : len(BODY_NAMES)].astype(float))
    frames = np.arange(len(body))
    joints, known = np.zeros(body.shape[:2] + (2,)), np.zeros(body.shape[:2], bool)
    for j in range(body.shape[1]):
        seen = body[:, j, 2] > 0.2
        if seen.any():
            for axis in (0, 1):
                joints[:, j, axis] = np.interp(frames, frames[seen], body[seen, j, axis])
            gap = np.abs(frames[:, None] - frames[seen][None]).min(1)
            known[:, j] = (gap <= 3) & (track.provenance_F != MISSING)
    joints = _steady(joints, smoothing)
    across = joints[:, J["l_shoulder"]] - joints[:, J["r_shoulder"]]
    middle = (joints[:, J["l_shoulder"]] + joints[:, J["r_shoulder"]]) / 2
    hips = (joints[:, J["l_hip"]] + joints[:, J["r_hip"]]) / 2
    up = middle - hips
    length = np.maximum(np.linalg.norm(up, axis=1), 1.0)
    torso = smooth_in_time(length, 3 * smoothing)
    side = np.stack([-up[:, 1], up[:, 0]], 1) / np.maximum(np.linalg.norm(up, axis=1), 1e-6)[:, None]
    signed = (across * side).sum(1) / torso
    frontal = signed[signed > 0.4]
    shoulder = float(np.clip(np.percentile(frontal, 90), 0.55, 0.95)) if len(frontal) else FRONTAL_RATIO
    facing = np.clip(smooth_in_time(signed, smoothing) / shoulder, -1, 1)
    return BodyClip(
        joints_FJ2=joints, known_FJ=known, facing_F=facing, torso_F=torso, length_F=length, shoulder=shoulder,
        leg=_leg_length(joints, known, torso),
    )  # fmt: skip


def _leg_length(joints_FJ2: np.ndarray, known_FJ: np.ndarray, torso_F: np.ndarray) -> float:
    """Hip over knee to ankle in torso lengths: of the clip's longer ones, since bent and lifted legs look short."""
    lengths = []
    for side in "rl":
        hip, knee, ankle = (J[f"{side}_{n}"] for n in ("hip", "knee", "ankle"))
        seen = known_FJ[:, [hip, knee, ankle]].all(1)
        path = np.linalg.norm(joints_FJ2[:, knee] - joints_FJ2[:, hip], axis=1)
        path += np.linalg.norm(joints_FJ2[:, ankle] - joints_FJ2[:, knee], axis=1)
        lengths.append((path / torso_F)[seen])
    both = np.concatenate(lengths)
    return float(np.clip(np.percentile(both, 75), 1.2, 2.0)) if len(both) else LEG


def _steady(joints_FJ2: np.ndarray, sigma: float) -> np.ndarray:
    """Smoothed joints; one that smoothing would move far is not jittering but moving fast, and keeps its place."""
    smooth = smooth_in_time(joints_FJ2, sigma)
    size = np.ptp(joints_FJ2[:, [J["neck"], J["r_hip"], J["l_hip"]], 1], axis=1)
    moved = np.linalg.norm(joints_FJ2 - smooth, axis=2) / np.maximum(size, 1.0)[:, None]
    raw = np.clip((moved - QUICK[0]) / (QUICK[1] - QUICK[0]), 0, 1)[..., None]
    return smooth + raw * (joints_FJ2 - smooth)


def _untwisted(body_FJ3: np.ndarray) -> np.ndarray:
    """Legs named like the shoulders: detectors take them for each other where a person stands frontal."""
    body = body_FJ3.copy()
    shoulders = body[:, J["l_shoulder"], 0] - body[:, J["r_shoulder"], 0]
    hips = body[:, J["l_hip"], 0] - body[:, J["r_hip"], 0]
    known = (body[:, [J[f"{s}_{n}"] for s in "rl" for n in ("shoulder", "hip")], 2] > 0.2).all(1)
    twisted = (
        known & (shoulders * hips < 0) & (np.minimum(np.abs(shoulders), 2 * np.abs(hips)) > 0.3 * np.abs(shoulders))
    )
    right, left = ([J[f"{s}_{n}"] for n in ("hip", "knee", "ankle")] for s in "rl")
    body[np.ix_(twisted, right + left)] = body[np.ix_(twisted, left + right)]
    return body


def width_on_body(body: BodyClip, category: str) -> float:
    """Pixels from shoulder seam to shoulder seam (lower: along the waistband), where the person is largest."""
    return float(np.percentile(body.torso_F, 90)) * body.shoulder * (WAIST if category == "lower" else SEAM)


def fade(body: BodyClip, category: str) -> np.ndarray:
    """How much of the preview is shown in each frame (F,), 0..1: none from the side or behind, or without a torso."""
    weight = np.clip((body.facing_F - 0.45) / 0.25, 0, 1)
    need = ("r_hip", "l_hip") if category == "lower" else ("r_shoulder", "l_shoulder")
    there = body.known_FJ[:, [J[n] for n in need]].all(1)
    weight *= there
    size = body.length_F / np.median(body.length_F)
    weight *= (size > 0.65) & (size < 1.55)  # a cut to a close-up, or a wrong pose
    return smooth_in_time(weight * weight * (3 - 2 * weight), 1.5) * there


class Frame:
    """One frame's body axes. across(v): unit vector from the wearer's right to left, v = 0 at shoulders, 1 at hips."""

    def __init__(self, body: BodyClip, index: int):
        self.joints, self.known = body.joints_FJ2[index], body.known_FJ[index]
        self.torso, self.facing = float(body.torso_F[index]), float(max(body.facing_F[index], 0.35))
        self.shoulder_width = body.shoulder * self.torso  # as from the front
        self.leg = body.leg * self.torso  # as when standing
        self.shoulders = (self["r_shoulder"] + self["l_shoulder"]) / 2
        self.hips = (self["r_hip"] + self["l_hip"]) / 2
        self.down = (self.hips - self.shoulders) / max(float(np.linalg.norm(self.hips - self.shoulders)), 1e-6)
        level = np.array([self.down[1], -self.down[0]])
        self._axes = [self._axis("shoulder", level), self._axis("hip", level)]

    def __getitem__(self, joint: str) -> np.ndarray:
        return self.joints[J[joint]]

    def has(self, joint: str) -> bool:
        """Whether the joint is known here."""
        return bool(self.known[J[joint]])

    def _axis(self, joint: str, level: np.ndarray) -> np.ndarray:
        """The line between two joints, blended with the torso's own level so that short distances do not spin it."""
        line = self[f"l_{joint}"] - self[f"r_{joint}"]
        mixed = line / max(self.shoulder_width, 1e-6) + 0.6 * level
        return mixed / max(float(np.linalg.norm(mixed)), 1e-6)

    def across(self, v: float) -> np.ndarray:
        t = float(np.clip(v, 0, 1))
        axis = self._axes[0] * (1 - t) + self._axes[1] * t
        return axis / max(float(np.linalg.norm(axis)), 1e-6)


def targets(cut: CutGarment, frame: Frame) -> Points:
    """Targets of all control points that can be placed in this frame."""
    return _lower(cut, frame) if cut.category == "lower" else _upper(cut, frame)


def _upper(cut: CutGarment, frame: Frame) -> Points:
    p = cut.points
    middle = (p["r_shoulder"] + p["l_shoulder"]) / 2
    scale = _upper_scale(cut, frame)
    start = frame.shoulders - frame.down * SEAM_RISE * frame.torso
    tilt = p["l_shoulder"] - p["r_shoulder"]
    gx = tilt / max(float(np.linalg.norm(tilt)), 1e-6)
    gy = np.array([-gx[1], gx[0]])
    placed = {}
    for name in (
        "neck",
        "r_shoulder",
        "l_shoulder",
        "r_chest",
        "l_chest",
        "hem_middle",
        "r_hip",
        "l_hip",
        "r_knee",
        "l_knee",
        "r_ankle",
        "l_ankle",
        "r_armpit",
        "l_armpit",
    ):
        if name in p:
            offset = p[name] - middle
            dx, dy = float(offset @ gx) * scale, float(offset @ gy) * scale
            axis = frame.across(dy / frame.torso)
            placed[name] = start + _spine(frame, dy) + axis * dx * frame.facing
    for side in "rl":
        if f"{side}_sleeve" in cut.parts and frame.has(f"{side}_elbow"):
            _sleeve(cut, frame, side, scale, placed)
    return placed


def _spine(frame: Frame, dy: float) -> np.ndarray:
    """From the seam line down by dy pixels; below the hips a skirt hangs between torso axis and legs."""
    straight = frame.down * dy
    below = dy - 1.05 * frame.torso
    if below <= 0 or not (frame.has("r_knee") and frame.has("l_knee")):
        return straight
    knees = (frame["r_knee"] + frame["l_knee"]) / 2 - frame.hips
    legs = knees / max(float(np.linalg.norm(knees)), 1e-6)
    mixed = 0.4 * frame.down + 0.6 * legs
    return frame.down * (dy - below) + mixed / max(float(np.linalg.norm(mixed)), 1e-6) * below


def _upper_scale(cut: CutGarment, frame: Frame) -> float:
    """Body pixels by garment pixels: from shoulder seams, or from the chest's width where there are only straps.

    A hem much narrower than the seams' distance speaks of dropped shoulders, whose seams lie on the upper arms.
    """
    if cut.sleeve != "none":
        hem = float(np.linalg.norm(cut.points["l_hip"] - cut.points["r_hip"]))
        on_shoulders = SEAM / cut.width
        return frame.shoulder_width * max(on_shoulders, min(HEM / max(hem, 1.0), DROPPED * on_shoulders))
    rows = cut.mask.sum(1)
    top, hem = int(min(cut.points["r_shoulder"][1], cut.points["l_shoulder"][1])), int(cut.points["r_hip"][1])
    chest = float(np.percentile(rows[max(0, top) : max(top + 2, int(top + 0.6 * (hem - top)))], 85))
    return frame.shoulder_width * CHEST / max(chest, 1.0)


def _sleeve(cut: CutGarment, frame: Frame, side: str, scale: float, placed: Points) -> None:
    """Along the person's arm: long sleeves bend at the elbow, short ones follow the upper arm."""
    p = cut.points
    shoulder, elbow = placed[f"{side}_shoulder"], frame[f"{side}_elbow"]
    upper = elbow - shoulder
    upper /= max(float(np.linalg.norm(upper)), 1e-6)
    long = f"{side}_wrist" in p
    length = float(np.linalg.norm(p[f"{side}_elbow"] - p[f"{side}_shoulder"])) * scale
    root = shoulder + _sideways(upper, side) * _half(cut, f"{side}_elbow") * scale * 0.85
    end = elbow if long else root + upper * min(length, 1.1 * float(np.linalg.norm(elbow - root)))
    _tube(cut, f"{side}_elbow", end, upper, scale, placed)
    if long:
        length = float(np.linalg.norm(p[f"{side}_wrist"] - p[f"{side}_elbow"])) * scale
        seen = frame.has(f"{side}_wrist")
        fore = frame[f"{side}_wrist"] - elbow if seen else upper * length  # a forearm out of sight goes straight on
        reach = float(np.linalg.norm(fore))
        fore = fore / max(reach, 1e-6)
        _tube(cut, f"{side}_wrist", elbow + fore * min(length, reach), fore, scale, placed)


def _sideways(along: np.ndarray, side: str) -> np.ndarray:
    """Perpendicular to a limb, towards the body."""
    across = np.array([along[1], -along[0]])
    return across if side == "r" else -across


def _half(cut: CutGarment, joint: str) -> float:
    return float(np.linalg.norm(cut.points[f"{joint}_in"] - cut.points[f"{joint}_out"])) / 2


def _tube(cut: CutGarment, joint: str, centre: np.ndarray, along: np.ndarray, scale: float, placed: Points) -> None:
    """Both edges of a sleeve or leg at a joint, in the same sense as they were cut."""
    across = np.array([-along[1], along[0]]) * _half(cut, joint) * scale
    placed[f"{joint}_in"], placed[f"{joint}_out"] = centre + across, centre - across


def _lower(cut: CutGarment, frame: Frame) -> Points:
    p = cut.points
    scale = frame.shoulder_width * min(WAIST / cut.width, HIPS / _hip_width(cut))
    waist = frame.hips - frame.down * WAIST_RISE * frame.torso
    axis = frame.across(0.9)
    half = cut.width / 2 * scale * max(frame.facing, 0.6)
    placed = {"r_hip": waist - axis * half, "l_hip": waist + axis * half, "waist_middle": waist}
    origin = (p["r_hip"] + p["l_hip"]) / 2
    if "skirt" in cut.parts:
        for name in ("r_knee", "l_knee", "r_ankle", "l_ankle", "hem_middle"):
            if name in p:
                dx, dy = (p[name] - origin) * scale
                placed[name] = (
                    waist
                    + _spine(frame, dy + frame.torso)
                    - _spine(frame, frame.torso)
                    + axis * dx * max(frame.facing, 0.6)
                )
        return placed
    placed["crotch"] = waist + frame.down * float(p["crotch"][1] - origin[1]) * scale
    for side in "rl":
        if f"{side}_leg" in cut.parts and frame.has(f"{side}_knee"):
            _leg(cut, frame, side, scale, origin, waist, placed)
    return placed


def _hip_width(cut: CutGarment) -> float:
    """The garment's width where it is widest above the crotch (trousers) or in its upper third (skirts)."""
    top = int((cut.points["r_hip"][1] + cut.points["l_hip"][1]) / 2)
    low = cut.points["crotch"][1] if "crotch" in cut.points else top + 0.33 * float(cut.mask.any(1).sum())
    return max(float(np.percentile(cut.mask[top : max(top + 2, int(low))].sum(1), 90)), cut.width)


def _leg(
    cut: CutGarment, frame: Frame, side: str, scale: float, origin: np.ndarray, waist: np.ndarray, placed: Points
) -> None:
    """Trousers down to the ankle (or as long as they are); shorts along the thigh."""
    p = cut.points
    knee = frame[f"{side}_knee"]
    root = frame[f"{side}_hip"]
    thigh = (knee - root) / max(float(np.linalg.norm(knee - root)), 1e-6)
    if f"{side}_ankle" not in p:  # shorts: the knee landmark is the hem's middle
        drop = float(p[f"{side}_knee"][1] - origin[1]) * scale - float((root - waist) @ frame.down)
        end = root + thigh * min(max(drop, 0.1 * frame.torso), 1.05 * float(np.linalg.norm(knee - root)))
        _tube(cut, f"{side}_knee", end, thigh, scale, placed)
        return
    length = float(p[f"{side}_ankle"][1] - origin[1]) * scale
    shin = (
        frame[f"{side}_ankle"] - knee
        if frame.has(f"{side}_ankle")
        else thigh * 0.9 * float(np.linalg.norm(knee - root))
    )
    above, upper, lower = float((root - waist) @ frame.down), *(float(np.linalg.norm(v)) for v in (knee - root, shin))
    share = float(np.clip(length / max(above + frame.leg, 1e-6), 0.0, 1.03))  # one for the clip, or legs would jump
    share = 1.03 if share > ANKLE_LONG else share  # gathered or wide waists make trousers seem short
    ankle = knee + shin * max(0.1, (share * (above + upper + lower) - above - upper) / max(lower, 1e-6))
    shin_unit = shin / max(float(np.linalg.norm(shin)), 1e-6)
    crotch = placed["crotch"]
    level = float((crotch - root) @ thigh)
    middle = _along(root, knee, ankle, (level + _path(root, knee, ankle)) / 2)
    bent = thigh + shin_unit
    _tube(cut, f"{side}_knee", middle, bent / max(float(np.linalg.norm(bent)), 1e-6), scale, placed)
    _tube(cut, f"{side}_ankle", ankle, shin_unit, scale, placed)


def _path(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    return float(np.linalg.norm(b - a) + np.linalg.norm(c - b))


def _along(a: np.ndarray, b: np.ndarray, c: np.ndarray, distance: float) -> np.ndarray:
    """The point at a distance from a on the way over b to c."""
    first = float(np.linalg.norm(b - a))
    if distance <= first:
        return a + (b - a) * distance / max(first, 1e-6)
    second = max(float(np.linalg.norm(c - b)), 1e-6)
    return b + (c - b) * (distance - first) / second
