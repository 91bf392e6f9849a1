"""Trousers, shorts, skirts and the skirts of dresses on bodies.

F frames, R rings, S columns.
"""

import numpy as np

from ..garment.renderer import GarmentLayer
from . import body
from .atlas import Atlas
from .cloth_tops import SEAM, SHOULDER_HEIGHT
from .flat import LINING, Folds, Strip, add_front_and_back, anchor, crop, measure, wrap
from .mesh import MeshBuilder, columns, ring_angles
from .motion import SIDES
from .person import HANG, Part, Person, hanging_surface

WAIST = 0.30  # where waistbands sit, in trunk heights
CROTCH = -0.16


def add_pelvis(
    builder: MeshBuilder, atlas: Atlas, person: Person, legs: dict[str, GarmentLayer], detail: float
) -> None:
    """Waistband to crotch around the hips, each half from the leg piece of its side."""
    angle_S = ring_angles(2 * max(8, round(14 * detail)) + 1)
    height_R = np.linspace(WAIST, CROTCH - 0.02, max(6, round(10 * detail)))
    ease = np.full((1, len(height_R), 1), LINING + 0.004, np.float32)
    surface = body.trunk_surface(person.figure, person.skeleton, height_R, angle_S, ease)
    middle = len(angle_S) // 2
    for side, sign in SIDES.items():
        layer = legs[side]
        alpha = layer.rgba_HW4[..., 3]
        crotch = anchor(layer, "crotch")
        top = np.flatnonzero((alpha > 127).any(1))[0] + 1
        rows = np.interp(height_R, [CROTCH, WAIST], [crotch[1] - 1, top])
        points_R2 = np.stack([np.full(len(rows), anchor(layer, f"{side}_hip")[0]), rows], 1).astype(np.float32)
        strip = measure(alpha, points_R2, np.array([1, 0], np.float32), 2.5 * abs(points_R2[0, 0] - crotch[0]))
        inner = wrap(angle_S)  # 0 in the middle of front and back, -1 and 1 at the side seams
        placed = strip.place(np.clip(2 * np.abs(inner) - 1, -0.98, 0.98) * sign)
        picture, corner, to_photo = crop(layer, placed)
        opaque = picture.copy()
        opaque[..., 3] = 255
        left, upper = atlas.place(opaque, to_photo)
        near = slice(middle, None) if sign > 0 else slice(0, middle + 1)
        builder.add_sheet(surface, placed - corner + (left, upper), near, Part.LEG_GARMENT)


def add_leg(
    builder, atlas: Atlas, person: Person, layer: GarmentLayer, side: str, half: int, folds: Folds, detail: float
) -> None:
    """One half of a trouser leg (0 hip to knee, 1 knee to ankle) around the leg."""
    names = ("hip", "knee", "ankle")
    start, stop = (anchor(layer, f"{side}_{names[half + i]}") for i in (0, 1))
    along = stop - start
    length = float(np.linalg.norm(along))
    normal = np.array([along[1], -along[0]], np.float32) / length
    probe = np.linspace(-0.5, 1.1, 81)
    strip = measure(layer.rgba_HW4[..., 3], start + probe[:, None] * along, normal, 0.8 * length)
    if not strip.found_R.any():
        return
    end = min(probe[strip.found_R][-1] + 0.01, 1.06 if half == 0 else 0.99)
    begin = -0.34 if half == 0 else max(probe[strip.found_R][0], -0.4)
    at_R = np.linspace(begin, end, max(6, round(15 * detail * (end - begin))))
    inner = np.clip(at_R, max(begin, probe[strip.found_R][0] + 0.03), end - 0.02)
    low, high = (np.interp(inner, probe, edge) for edge in (strip.low_R, strip.high_R))
    strip = Strip((start + inner[:, None] * along).astype(np.float32), normal, low, high, np.ones(len(at_R), bool))
    angle_S = ring_angles(columns(19, detail))
    placed = strip.place(wrap(angle_S) * 0.97).astype(np.float32)
    thigh = person.figure.thigh if half == 0 else person.figure.shin
    surface = leg_surface(person, side, at_R + half, angle_S, (high - low) * thigh / length, folds)
    picture, corner, to_photo = crop(layer, placed)
    picture = picture.copy()
    picture[..., 3] = 255
    left, top = atlas.place(picture, to_photo)
    builder.add(surface, placed - corner + (left, top), Part.LEG_GARMENT)


def leg_surface(person: Person, side: str, at_R, angle_S, width_R, folds: Folds) -> np.ndarray:
    """The cloth around a leg: (F, R, S, 3). at_R: 0 hip .. 2 ankle; width_R: the flat cloth's width, metres."""
    radius_R = sum(body.leg_radii(at_R)) / 2 * person.figure.girth
    ease_R = np.clip(width_R / np.pi - radius_R, LINING, 0.12) * np.clip((at_R + 0.4) / 0.5, 0.3, 1)
    p, u, a = folds.phases, at_R[None, :, None], angle_S[None, None]
    knee = np.exp(-(((u - 1) / 0.2) ** 2)) * np.sin(24 * u + p[1])
    bottom = np.exp(-(((u - 1.95) / 0.25) ** 2)) * np.sin(30 * u + np.cos(a) + p[2])
    drape = 0.5 * np.sin(3 * a + 2 * u + p[3]) * np.clip(u, 0, 1)
    crease = folds.depth * 0.6 * (knee + bottom + drape) * np.clip(ease_R / 0.02, 0.4, 1.5)[None, :, None]
    ease = np.maximum(ease_R[None, :, None] + crease, 0.004).astype(np.float32)
    return body.leg_surface(person.figure, person.skeleton, side, at_R, angle_S, ease)


def add_skirt(builder, atlas: Atlas, person: Person, layer: GarmentLayer, folds: Folds, detail: float) -> None:
    """A skirt of its own, hung at the waist."""
    rows = np.flatnonzero((layer.rgba_HW4[..., 3] > 127).any(1))
    hips = [anchor(layer, f"{s}_hip") for s in SIDES]
    metres = 0.19 * person.figure.girth / (np.linalg.norm(hips[1] - hips[0]) / 1.8)  # a waistband is about 0.38 m wide
    waist_row = rows[0] + 1
    _skirt(builder, atlas, person, layer, folds, detail, (waist_row, WAIST), metres, rows[-1] + 1)


def add_dress_skirt(builder, atlas, person: Person, layer, torso: GarmentLayer, folds: Folds, detail: float) -> None:
    """The skirt of a dress, below its torso piece and on the same scale."""
    shoulders = [anchor(torso, f"{s}_shoulder") for s in SIDES]
    rows = np.flatnonzero((layer.rgba_HW4[..., 3] > 127).any(1))
    metres = SEAM * person.figure.shoulder / (np.linalg.norm(shoulders[1] - shoulders[0]) / 2)
    hips = [anchor(torso, f"{s}_hip") for s in SIDES]
    shoulder_row, hip_row = np.mean(shoulders, 0)[1], np.mean(hips, 0)[1]
    per_height = (hip_row - shoulder_row) / SHOULDER_HEIGHT
    seam = SHOULDER_HEIGHT - (rows[0] + 1 - shoulder_row) / per_height
    _skirt(builder, atlas, person, layer, folds, detail, (rows[0] + 1, seam), metres, rows[-1] + 1)


def _skirt(builder, atlas, person: Person, layer, folds: Folds, detail, start: tuple, metres: float, end_row) -> None:
    """A bell from the trunk height `start[1]` (canvas row `start[0]`) down to `end_row`."""
    figure = person.figure
    hem = start[1] - (end_row - start[0]) * metres / figure.torso
    lowest = -(0.90 * (figure.thigh + figure.shin)) / figure.torso  # not through the floor
    height_R = np.linspace(start[1], max(hem, lowest), max(8, round(22 * detail)))
    rows = start[0] + (start[1] - height_R) / max(start[1] - height_R[-1], 1e-3) * (end_row - start[0] - 1)
    middle = np.mean([anchor(layer, f"{s}_hip") for s in SIDES], 0)[0]
    points_R2 = np.stack([np.full(len(rows), middle), rows], 1).astype(np.float32)
    width = layer.rgba_HW4.shape[1]
    strip = measure(layer.rgba_HW4[..., 3], points_R2, np.array([1, 0], np.float32), width / 2)
    angle_S = ring_angles(2 * max(9, round(18 * detail)) + 1)
    placed = strip.place(wrap(angle_S))
    bare = body.trunk_surface(figure, person.skeleton, np.maximum(height_R, HANG), angle_S)
    span = np.linalg.norm(np.diff(bare[:1], axis=2), axis=-1).sum(-1)[0] / 2
    ease_R = np.clip(((strip.high_R - strip.low_R) * metres - span) / np.pi, LINING + 0.004, 0.5)
    ease_R = np.where(height_R < 0.1, np.maximum(ease_R, 0.02), ease_R)
    p, h, a = folds.phases, height_R[None, :, None], angle_S[None, None]
    sway = np.asarray(person.skeleton.lean_F, np.float32)[:, None, None] * 4
    deep = np.clip(HANG - h, 0, 1) * np.clip(ease_R / 0.04, 0.3, 3)[None, :, None]
    crease = folds.depth * 2.2 * deep * np.sin((folds.count + 3) * a + p[0] + sway + 1.5 * np.sin(2 * h + p[1]))
    surface = hanging_surface(person, height_R, angle_S, ease_R[None, :, None] + crease)
    picture, corner, to_photo = crop(layer, placed)
    add_front_and_back(builder, atlas, surface, placed - corner, picture, to_photo, angle_S, -1.0, Part.LEG_GARMENT)
