"""Garments on bodies: the renderer's flat cloth pieces as surfaces around the moving body, with folds.

A piece of flat cloth is the front half of a tube; its back half repeats the front, mirrored at the side seams, with the
neckline closed. The tube is as wide as the cloth is, but never narrower than the body.

F frames, R rings, S columns. s is the position across the cloth: -1 at the picture's left edge of a piece, 1 at its right.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from ..garment.renderer import GarmentLayer, RenderedGarment
from . import body
from .atlas import Atlas
from .mesh import Mesh, MeshBuilder, ring_angles
from .motion import SIDES
from .person import Part, Person

SHOULDER_HEIGHT = 0.955  # of the shoulder joints, in trunk heights
NECK_HEIGHT = 1.30
SEAM = 1.15  # a shoulder seam lies this much further out than the shoulder joint
LINING = 0.007  # metres between the body and the tightest cloth


@dataclass(frozen=True)
class Folds:
    """A garment's own wrinkles. Each phase and count is drawn once per clip; how deep they are follows the pose."""

    depth: float  # metres
    count: int
    phases: np.ndarray
    stiff: float


def make_folds(rng: np.random.Generator) -> Folds:
    """Random wrinkles."""
    return Folds(rng.uniform(0.003, 0.008), int(rng.integers(4, 8)), rng.uniform(0, 2 * np.pi, 8), rng.uniform(0.4, 1.0))


def garment_mesh(
    rng: np.random.Generator, person: Person, garment: RenderedGarment, detail: float = 1.0
) -> tuple[Mesh, np.ndarray]:
    """The worn garment's mesh and its atlas picture (H, W, 4).

    garment: rendered with layers.  detail: mesh resolution, 1 = fine enough for 512x384.
    """
    builder, atlas, folds = MeshBuilder(), Atlas(), make_folds(rng)
    torso = garment.layer("torso")
    if torso is not None:
        sleeved = garment.landmarks.sleeve != "none"
        add_torso(builder, atlas, person, torso, folds, detail, sleeved)
    for side in SIDES:
        for half, name in enumerate(("upper_sleeve", "lower_sleeve")):
            layer = garment.layer(f"{side}_{name}")
            if layer is not None:
                add_sleeve(builder, atlas, person, layer, side, half, folds, detail)
    return builder.build(), atlas.picture()


# ------------------------------------------------------------------ flat cloth
@dataclass(frozen=True)
class Strip:
    """Where the cloth of a piece lies beside an axis: per ring, the axis point and the cloth's extent, canvas pixels."""

    points_R2: np.ndarray
    normal_2: np.ndarray
    low_R: np.ndarray
    high_R: np.ndarray
    found_R: np.ndarray

    def place(self, s_S: np.ndarray) -> np.ndarray:
        """Canvas positions (R, S, 2) of the positions s across the cloth."""
        middle, half = (self.high_R + self.low_R) / 2, (self.high_R - self.low_R) / 2
        across = middle[:, None] + s_S[None] * half[:, None]
        return self.points_R2[:, None] + across[..., None] * self.normal_2


def measure(alpha_HW: np.ndarray, points_R2: np.ndarray, normal_2: np.ndarray, reach: float) -> Strip:
    """Find the cloth's extent along the normal at each axis point, within `reach` pixels to both sides."""
    steps = np.linspace(-reach, reach, 129, dtype=np.float32)
    grid = (points_R2[:, None] + steps[None, :, None] * normal_2).astype(np.float32)
    covered = cv2.remap(alpha_HW, grid, None, cv2.INTER_LINEAR) > 127  # pyright: ignore[reportCallIssue, reportArgumentType]
    found = covered.any(1)
    low = steps[covered.argmax(1)]
    high = steps[128 - covered[:, ::-1].argmax(1)]
    rows = np.arange(len(found))
    if found.any():
        low, high = (np.interp(rows, rows[found], edge[found]) for edge in (low, high))
    else:
        low, high = np.full(len(found), -reach / 2), np.full(len(found), reach / 2)
    return Strip(points_R2, np.asarray(normal_2, np.float32), low.astype(np.float32), high.astype(np.float32), found)


def wrap(angle_S: np.ndarray) -> np.ndarray:
    """Position s across the cloth at ring angles: the front half from -1 to 1, the back half mirrored."""
    s = angle_S / (np.pi / 2)
    return np.where(np.abs(s) <= 1, s, np.sign(s) * (2 - np.abs(s)))


def _crop(layer: GarmentLayer, placed_RS2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The part of a layer's picture that is used, and the corner it starts at."""
    height, width = layer.rgba_HW4.shape[:2]
    low = np.clip(np.floor(placed_RS2.min((0, 1))) - 1, 0, (width - 2, height - 2)).astype(int)
    high = np.clip(np.ceil(placed_RS2.max((0, 1))) + 2, low + 2, (width, height)).astype(int)
    return layer.rgba_HW4[low[1] : high[1], low[0] : high[0]], low


def _anchor(layer: GarmentLayer, name: str) -> np.ndarray:
    return np.asarray(layer.anchors[name], np.float32)


def closed_back(picture_HW4: np.ndarray, top: float) -> np.ndarray:
    """The piece as its back: rows below `top` are covered from edge to edge, so the neckline is shallow."""
    covered = picture_HW4[..., 3] > 127
    any_row = covered.any(1)
    left, right = covered.argmax(1), covered.shape[1] - 1 - covered[:, ::-1].argmax(1)
    columns = np.arange(covered.shape[1])
    rows = np.arange(covered.shape[0])
    fill = (columns >= left[:, None]) & (columns <= right[:, None]) & (any_row & (rows >= top))[:, None]
    back = picture_HW4.copy()
    back[..., 3] = np.where(fill, 255, back[..., 3])
    return back


# ------------------------------------------------------------------ torso
def add_torso(
    builder, atlas: Atlas, person: Person, layer: GarmentLayer, folds: Folds, detail: float, sleeved: bool
) -> None:
    """Neckline to hem around the trunk; below the hips the cloth hangs."""
    shoulders = [_anchor(layer, f"{s}_shoulder") for s in SIDES]
    hips = [_anchor(layer, f"{s}_hip") for s in SIDES]
    top, low = sum(shoulders) / 2, sum(hips) / 2
    per_height = (low - top) / SHOULDER_HEIGHT  # canvas pixels per trunk height, downwards
    rows = np.flatnonzero((layer.rgba_HW4[..., 3] > 127).any(1))
    hem = SHOULDER_HEIGHT - (rows[-1] + 1 - top[1]) / per_height[1]
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
    picture, corner = _crop(layer, placed_RS2)
    neck_row = points_R2[np.argmin(np.abs(height_R - 1.09)), 1] - corner[1]
    _add_front_and_back(builder, atlas, surface, placed_RS2 - corner, picture, angle_S, neck_row, Part.TRUNK_GARMENT)


def _add_front_and_back(builder, atlas, surface_FRS3, uv_RS2, picture, angle_S, neck_row: float, part) -> None:
    """Two meshes that share a surface: the front half shows the picture, the back half its closed version."""
    quarter = (len(angle_S) - 1) // 4
    front = slice(quarter, len(angle_S) - quarter)
    back_columns = np.r_[len(angle_S) - 1 - quarter : len(angle_S), 1 : quarter + 1]
    left, top = atlas.place(picture)
    builder.add_sheet(surface_FRS3, uv_RS2 + (left, top), front, part)
    left, top = atlas.place(closed_back(picture, neck_row))
    builder.add_sheet(surface_FRS3, uv_RS2 + (left, top), back_columns, part)


def _armholes(strip: Strip, height_R: np.ndarray, half_shoulder: float) -> Strip:
    """Keep the side seams straight above the armpits, so that armholes and straps leave the skin bare."""
    middle, half = (strip.high_R + strip.low_R) / 2, (strip.high_R - strip.low_R) / 2
    armpit = int(np.argmax(np.where((height_R > 0.5) & (height_R < 0.9), half, 0)))
    above = np.arange(len(half)) < armpit
    narrow = np.interp(height_R, [0.85, 1.0, 1.12, 1.3], [half[armpit], 1.06 * half_shoulder, 0.4 * half_shoulder, 0])
    half = np.where(above, np.maximum(half, narrow), half)
    return Strip(strip.points_R2, strip.normal_2, middle - half, middle + half, strip.found_R)


def torso_surface(person: Person, height_R, angle_S, width_R, folds: Folds) -> np.ndarray:
    """The cloth around the trunk: (F, R, S, 3). width_R: the flat cloth's width in metres."""
    figure, skeleton = person.figure, person.skeleton
    height_R = height_R.astype(np.float32)
    hang = 0.08  # from here on the cloth no longer follows the body
    bare = body.trunk_surface(figure, skeleton, np.maximum(height_R, hang), angle_S)
    span = np.linalg.norm(np.diff(bare[:1], axis=2), axis=-1).sum(-1)[0] / 2  # the body's half circumference
    ease_R = np.clip((width_R - span) / np.pi, LINING, 0.09)
    ease_R = np.where(height_R > 0.98, np.minimum(ease_R, LINING + 0.004), ease_R)
    follow = np.minimum.accumulate(np.where(height_R < 0.35, ease_R, 9))  # cloth hangs from where it is tight
    ease_R = np.where(height_R < 0.35, np.maximum(LINING + 0.004, np.minimum(ease_R, follow + 0.03)), ease_R)
    crease = torso_folds(person, height_R, angle_S, folds, ease_R)
    ease = ease_R[None, :, None] + crease
    upper = body.trunk_surface(figure, skeleton, np.maximum(height_R, hang), angle_S, ease)
    below = np.minimum(height_R - hang, 0) * figure.torso
    axis = skeleton.pelvis_F33[:, None, None, :, 1]
    fall = 0.6 * axis + np.array([0, 0.4, 0], np.float32)
    hanging = upper - fall * below[None, :, None, None]
    return hanging.astype(np.float32)


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


# ------------------------------------------------------------------ sleeves
def add_sleeve(builder, atlas, person: Person, layer: GarmentLayer, side: str, half: int, folds: Folds, detail) -> None:
    """One half of a sleeve (0 shoulder to elbow, 1 elbow to wrist) around the arm."""
    names = ("shoulder", "elbow", "wrist")
    start, stop = (_anchor(layer, f"{side}_{names[half + i]}") for i in (0, 1))
    along = stop - start
    length = float(np.linalg.norm(along))
    normal = np.array([along[1], -along[0]], np.float32) / length
    probe = np.linspace(-0.7, 1.05, 88)
    strip = measure(layer.rgba_HW4[..., 3], start + probe[:, None] * along, normal, 0.75 * length)
    if not strip.found_R.any():
        return
    end = min(probe[strip.found_R][-1] + 0.02, 1.04)
    begin = -0.14 if half == 0 else max(probe[strip.found_R][0], -0.65)
    at_R = np.linspace(begin, end, max(5, round((14 if half else 16) * detail * max(end - begin, 0.3))))
    steady = np.maximum(at_R, min(0.30, end * 0.6) if half == 0 else begin + 0.03)  # the sleeve's cap is cut on the slant: take the width below it
    low, high = (np.interp(np.minimum(steady, end - 0.03), probe, edge) for edge in (strip.low_R, strip.high_R))
    strip = Strip((start + at_R[:, None] * along).astype(np.float32), normal, low, high, np.ones(len(at_R), bool))
    angle_S = ring_angles(2 * max(5, round(9 * detail)) + 1)
    placed_RS2 = strip.place(wrap(angle_S)).astype(np.float32)
    metres = (person.figure.forearm if half else person.figure.upper_arm) / length
    surface = sleeve_surface(person, side, at_R + half, angle_S, (high - low) * metres, folds)
    picture, corner = _crop(layer, placed_RS2)
    picture = picture.copy()
    picture[..., 3] = np.where(_inside(picture, placed_RS2 - corner), 255, picture[..., 3])
    left, top = atlas.place(picture)
    builder.add(surface, placed_RS2 - corner + (left, top), Part.SLEEVE_GARMENT, cut=True)


def _inside(picture_HW4: np.ndarray, placed_RS2: np.ndarray) -> np.ndarray:
    """The area that a sleeve's rings reach without the last one: covered throughout, so no holes at cap and seams."""
    area = np.zeros(picture_HW4.shape[:2], np.uint8)
    quarter = (placed_RS2.shape[1] - 1) // 4
    rings = placed_RS2[:-2] if len(placed_RS2) > 3 else placed_RS2
    outline = np.concatenate([rings[:, quarter], rings[::-1, -1 - quarter]])
    cv2.fillPoly(area, [np.round(outline * 16).astype(np.int32)], 1, shift=4)
    return area > 0


def sleeve_surface(person: Person, side: str, at_R, angle_S, width_R, folds: Folds) -> np.ndarray:
    """The cloth around an arm: (F, R, S, 3). at_R: 0 shoulder .. 2 wrist; width_R: the flat cloth's width, metres."""
    skeleton, figure = person.skeleton, person.figure
    front_R, side_R = (r * figure.girth for r in body.arm_radii(at_R))
    cap = np.interp(at_R, [-0.14, 0.0, 0.1], [0.010, 0.006, 0.0])  # over the round of the shoulder
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
