"""Tops on bodies: torso and sleeves of the renderer's flat cloth as surfaces around the moving body, with folds.

F frames, R rings, S columns. A surface is as wide as its flat cloth, but never narrower than the body.
"""

import numpy as np

from ..garment.renderer import GarmentLayer
from . import body
from .atlas import Atlas
from .body import SHOULDER_SLOPE
from .flat import LINING, Folds, Strip, add_front_and_back, anchor, crop, measure, wrap
from .mesh import ring_angles
from .motion import SIDES
from .person import HANG, Part, Person, hanging_surface

SHOULDER_HEIGHT = 0.955  # of the shoulder joints, in trunk heights
NECK_HEIGHT = 1.30
SEAM = 1.15  # a shoulder seam lies this much further out than the shoulder joint


def add_torso(
    builder,
    atlas: Atlas,
    person: Person,
    layer: GarmentLayer,
    folds: Folds,
    detail: float,
    sleeved: bool,
    lowest: float,
) -> None:
    """Neckline to hem (or to `lowest`) around the trunk; below the hips the cloth hangs."""
    shoulders = [anchor(layer, f"{s}_shoulder") for s in SIDES]
    hips = [anchor(layer, f"{s}_hip") for s in SIDES]
    top, low = np.mean(shoulders, 0), np.mean(hips, 0)
    per_height = (low - top) / SHOULDER_HEIGHT  # canvas pixels per trunk height, downwards
    rows = np.flatnonzero((layer.rgba_HW4[..., 3] > 127).any(1))
    hem = max(SHOULDER_HEIGHT - (rows[-1] + 1 - top[1]) / per_height[1], lowest)
    collar = min(SHOULDER_HEIGHT + (top[1] - rows[0]) / per_height[1], NECK_HEIGHT)
    height_R = np.linspace(collar, hem, max(10, round(30 * detail)))
    angle_S = ring_angles(2 * max(9, round(20 * detail)) + 1)
    points_R2 = top + (SHOULDER_HEIGHT - height_R)[:, None] * per_height
    half_shoulder = np.linalg.norm(shoulders[1] - shoulders[0]) / 2
    strip = measure(layer.rgba_HW4[..., 3], points_R2, np.array([1, 0], np.float32), 2.2 * half_shoulder)
    if not sleeved:
        strip = _armholes(strip, height_R, half_shoulder)
    placed_RS2 = strip.place(wrap(angle_S))
    metres = SEAM * person.figure.shoulder / half_shoulder
    surface = torso_surface(person, height_R, angle_S, (strip.high_R - strip.low_R) * metres, folds)
    picture, corner, to_photo = crop(layer, placed_RS2)
    neck_row = points_R2[np.argmin(np.abs(height_R - 1.09)), 1] - corner[1]
    uv_RS2 = placed_RS2 - corner
    add_front_and_back(builder, atlas, surface, uv_RS2, picture, to_photo, angle_S, neck_row, Part.TRUNK_GARMENT)


def _armholes(strip: Strip, height_R: np.ndarray, half_shoulder: float) -> Strip:
    """Keep the side seams straight above the armpits, so that armholes and straps leave the skin bare."""
    middle, half = (strip.high_R + strip.low_R) / 2, (strip.high_R - strip.low_R) / 2
    armpit = int(np.argmax(np.where((height_R > 0.5) & (height_R < 0.9), half, 0)))
    above = np.arange(len(half)) < armpit
    narrow = np.interp(height_R, [0.85, 1.0, 1.12, 1.3], [half[armpit], 1.45 * half_shoulder, 0.9 * half_shoulder, 0])
    half = np.where(above, np.maximum(half, narrow), half)
    return Strip(strip.points_R2, strip.normal_2, middle - half, middle + half, strip.found_R)


def torso_surface(person: Person, height_R, angle_S, width_R, folds: Folds) -> np.ndarray:
    """The cloth around the trunk: (F, R, S, 3). width_R: the flat cloth's width in metres."""
    figure, skeleton = person.figure, person.skeleton
    height_R = height_R.astype(np.float32)
    bare = body.trunk_surface(figure, skeleton, np.maximum(height_R, HANG), angle_S)
    span = np.linalg.norm(np.diff(bare[:1], axis=2), axis=-1).sum(-1)[0] / 2  # the body's half circumference
    ease_R = np.clip((width_R - span) / np.pi, LINING, 0.09)
    ease_R = np.where(height_R > 0.98, np.minimum(ease_R, LINING + 0.004), ease_R)
    follow = np.minimum.accumulate(np.where(height_R < 0.35, ease_R, 9))  # cloth hangs from where it is tight
    ease_R = np.where(height_R < 0.35, np.maximum(LINING + 0.004, np.minimum(ease_R, follow + 0.03)), ease_R)
    crease = torso_folds(person, height_R, angle_S, folds, ease_R)
    return hanging_surface(person, height_R, angle_S, ease_R[None, :, None] + crease)


def torso_folds(person: Person, height_R, angle_S, folds: Folds, ease_R) -> np.ndarray:
    """How far the cloth stands out at each point: (F, R, S) metres."""
    skeleton, p = person.skeleton, folds.phases
    h, a = height_R[None, :, None], angle_S[None, None]
    lean, twist = (np.asarray(t, np.float32)[:, None, None] for t in (skeleton.lean_F, skeleton.twist_F))
    drape = np.clip(0.75 - h, 0, 1) * np.sin(folds.count * a + p[0] + 3 * lean + 2.0 * np.sin(3 * h + p[1]))
    loose = np.clip(ease_R[None, :, None] / 0.03, 0.25, 1.4)
    bend = (0.25 + np.abs(lean) * 5 + np.abs(twist) * 2) * np.exp(-(((h - 0.42) / 0.22) ** 2))
    side = np.sign(lean + 1e-6)
    crush = bend * np.sin(26 * h + 2.2 * side * np.sin(a) + p[2] + 0.6 * np.sin(2 * a + p[3]))
    out = drape * loose + 0.8 * crush
    for sign, name in ((-1, "r"), (1, "l")):
        lift = skeleton.raised[name][:, None, None]
        beside = np.sin(a) * sign
        pull = np.exp(-(((h - 0.8) / 0.28) ** 2)) * np.clip(beside, 0, 1)
        out = out + (0.25 + 1.8 * lift) * pull * np.sin(9 * (h - 0.8) - 5 * np.cos(a) + p[4] + 2 * lift)
    fade = np.clip((1.0 - h) / 0.12, 0, 1)
    return (folds.depth * out * fade).astype(np.float32)


def neck_opening(layer: GarmentLayer) -> float:
    """Half the neckline's width at the shoulders, in parts of the way from the neck's middle to the shoulder joint."""
    right, left = anchor(layer, "r_shoulder"), anchor(layer, "l_shoulder")
    covered = layer.rgba_HW4[..., 3] > 127
    row = min(int(np.flatnonzero(covered.any(1))[0] + 0.15 * (left[0] - right[0])), len(covered) - 1)
    columns = np.flatnonzero(covered[row])
    if not len(columns):
        return 1.0
    return float(np.abs(columns - (right[0] + left[0]) / 2).min() / ((left[0] - right[0]) / 2))


def add_sleeve(
    builder,
    atlas: Atlas,
    person: Person,
    layer: GarmentLayer,
    side: str,
    half: int,
    folds: Folds,
    detail: float,
    neck: float,
) -> None:
    """One half of a sleeve (0 shoulder to elbow, 1 elbow to wrist) around the arm. neck: see neck_opening."""
    names = ("shoulder", "elbow", "wrist")
    start, stop = (anchor(layer, f"{side}_{names[half + i]}") for i in (0, 1))
    along = stop - start
    length = float(np.linalg.norm(along))
    normal = np.array([along[1], -along[0]], np.float32) / length
    probe = np.linspace(-0.7, 1.05, 88)
    flat = measure(layer.rgba_HW4[..., 3], start + probe[:, None] * along, normal, 0.75 * length)
    if not flat.found_R.any():
        return
    first, end = probe[flat.found_R][0], min(probe[flat.found_R][-1], 1.04)
    cap = -0.2 * np.clip((1 - neck - 0.30) / SHOULDER_SLOPE, 0.2, 0.9)  # as far in as the neckline leaves room
    begin, steady = (cap, min(0.30, end * 0.6)) if half == 0 else (max(first, -0.65), max(first, -0.65) + 0.03)
    at_R = np.linspace(begin, end, max(5, round((14 if half else 16) * detail * max(end - begin, 0.3))))
    width_at_R = np.minimum(np.maximum(at_R, steady), end - 0.03)  # the cap is cut on the slant: the width below it
    low, high = (np.interp(width_at_R, probe, edge) for edge in (flat.low_R, flat.high_R))
    inside_R1 = np.clip(at_R, first + 0.03, end - 0.01)[:, None]
    strip = Strip((start + inside_R1 * along).astype(np.float32), normal, low, high, np.ones(len(at_R), bool))
    angle_S = ring_angles(2 * max(5, round(9 * detail)) + 1)
    placed_RS2 = strip.place(wrap(angle_S) * 0.97).astype(np.float32)
    metres = (person.figure.forearm if half else person.figure.upper_arm) / length
    surface = sleeve_surface(person, side, at_R + half, angle_S, (high - low) * metres, folds)
    picture, corner, to_photo = crop(layer, placed_RS2)
    opaque = picture.copy()  # the rings end where the cloth ends: no holes at the cap's slanted edges
    opaque[..., 3] = 255
    left, top = atlas.place(opaque, to_photo)
    builder.add(surface, placed_RS2 - corner + (left, top), Part.SLEEVE_GARMENT)


def sleeve_surface(person: Person, side: str, at_R, angle_S, width_R, folds: Folds) -> np.ndarray:
    """The cloth around an arm: (F, R, S, 3). at_R: 0 shoulder .. 2 wrist; width_R: the flat cloth's width, metres."""
    skeleton, figure = person.skeleton, person.figure
    front_R, side_R = (r * figure.girth for r in body.arm_radii(at_R))
    cap = np.interp(at_R, [-0.2, 0.0, 0.1], [0.004, 0.004, 0.0])  # over the round of the shoulder
    ease_R = cap + np.clip(width_R / np.pi - (front_R + side_R) / 2, LINING, 0.07)
    p, u, a = folds.phases, at_R[None, :, None], angle_S[None, None]
    flex = skeleton.flexed[side][:, None, None]
    lift = skeleton.raised[side][:, None, None]
    elbow = np.exp(-(((u - 1) / 0.30) ** 2))
    crush = (0.3 + 2.2 * flex) * elbow * np.sin(17 * u + p[5]) * (0.6 + 0.4 * np.cos(a))
    shoulder = (0.4 + lift) * np.exp(-((u / 0.35) ** 2)) * np.sin(10 * u + 2 * a + p[6])
    twist = 0.5 * np.sin(7 * u + a + p[7]) + 0.3 * np.sin(11 * u - 2 * a + p[0])
    crease = folds.depth * 0.75 * (crush + shoulder + twist) * np.clip(ease_R / 0.012, 0.5, 1.5)[None, :, None]
    ease = np.maximum(ease_R[None, :, None] + crease, 0.004)
    return body.arm_surface(figure, skeleton, side, at_R, angle_S, ease.astype(np.float32))
