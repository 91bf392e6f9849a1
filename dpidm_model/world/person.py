"""A dressed person without the garment: the mesh of skin, hair, bottoms and shoes, and its texture.

F frames, R rings, S columns.
"""

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np

from . import body
from .atlas import Atlas, mottle, opaque
from .looks import Looks, cloth_patch, face_patch, hair_patch, hairline, make_looks, strands
from .mesh import Mesh, MeshBuilder, columns, normalise, ring_angles, thin, tube
from .motion import SIDES, Figure, MotionPlan, Skeleton, make_figure, pose_skeleton


class Part(IntEnum):
    """What a triangle belongs to."""

    SKIN = 0
    HAND = 1
    HEAD = 2
    HAIR = 3
    BOTTOM = 4
    SHOE = 5
    TRUNK_GARMENT = 6
    SLEEVE_GARMENT = 7
    LEG_GARMENT = 8
    OTHER_GARMENT = 9
    SHOULDER = 10
    TRUNK = 11
    LEG = 12


HANG = 0.08  # trunk height from which on cloth no longer follows the body


@dataclass(frozen=True)
class Person:
    """Who is in the clip and how they stand in every frame."""

    figure: Figure
    looks: Looks
    skeleton: Skeleton
    hands: dict[str, np.ndarray]  # side -> (F, 21, 3)


def make_person(
    rng: np.random.Generator, plan: MotionPlan, *, broadest: float = 1.0, looks: dict | None = None
) -> Person:
    """A random person following a motion plan. broadest: see make_figure.  looks: fields of Looks to set."""
    figure = make_figure(rng, broadest)
    chosen = make_looks(rng, womanly=figure.bust > 0.15)
    if looks:
        chosen = replace(chosen, **looks)
    skeleton = pose_skeleton(figure, plan)
    hands = {side: body.hand_points(skeleton, side, plan.fingers[side]) for side in SIDES}
    return Person(figure, chosen, skeleton, hands)


def person_mesh(
    rng: np.random.Generator, person: Person, texels_per_metre: float, detail: float = 1.0, *, bottoms: bool = True
) -> tuple[Mesh, np.ndarray]:
    """The body's mesh and its atlas picture (H, W, 4).

    texels_per_metre: texture resolution.  detail: mesh resolution, 1 = fine enough for 512x384.
    bottoms: False leaves out the plain trousers (a garment brings its own).
    """
    builder, atlas = MeshBuilder(), Atlas()
    size = _Sizes(rng, person, texels_per_metre, detail)
    _trunk(builder, atlas, size, bottoms)
    for side in SIDES:
        _arm(builder, atlas, size, side)
        _leg(builder, atlas, size, side, bottoms)
    if bottoms and person.looks.bottom == "skirt":
        _skirt(builder, atlas, size)
    _head(builder, atlas, size)
    HAIR_BUILDERS.get(person.looks.hair_style, lambda *_: None)(builder, atlas, size)
    return builder.build(), atlas.picture()


@dataclass(frozen=True)
class _Sizes:
    """What every part needs: random numbers, the person, texture resolution."""

    rng: np.random.Generator
    person: Person
    texels: float
    detail: float

    def ring(self, full: int) -> np.ndarray:
        return ring_angles(columns(full, self.detail))

    def px(self, metres: float) -> int:
        return max(4, round(metres * self.texels))

    def skin(self, height: float, width: float) -> np.ndarray:
        h, w = self.px(height), self.px(width)
        return opaque(np.clip(self.person.looks.skin * mottle(self.rng, h, w, 6, 0.012), 0, 255))


def _around(angle_S: np.ndarray) -> np.ndarray:
    return (angle_S / (2 * np.pi) + 0.5)[None]


def _trunk(builder: MeshBuilder, atlas: Atlas, size: _Sizes, bottoms: bool) -> None:
    figure, skeleton, looks = size.person.figure, size.person.skeleton, size.person.looks
    angle, height = size.ring(27), np.linspace(1.14, -0.18, max(11, round(20 * size.detail)))
    patch = size.skin(figure.torso * 1.32, 0.8)
    waist = 0.26
    ease = np.zeros((len(height), 1), np.float32)
    if bottoms:
        start = round((1.14 - waist) / 1.32 * len(patch))
        cloth = cloth_patch(size.rng, looks, len(patch) - start, patch.shape[1])
        band = max(1, round(0.035 * size.texels))
        cloth[:band] *= 0.78
        patch[start:, :, :3] = cloth
        ease = 0.010 * np.clip((waist - height[:, None]) / 0.06, 0, 1)
    surface = body.trunk_surface(figure, skeleton, height, angle, ease[None])
    uv = atlas.place_uv(patch, _around(angle), np.linspace(0, 1, len(height))[:, None])
    rows_skin = height > waist
    split = int(rows_skin.sum())
    builder.add(surface[:, : split + 1], uv[: split + 1], Part.TRUNK)
    builder.add(surface[:, split:], uv[split:], Part.BOTTOM if bottoms else Part.TRUNK)
    angle = size.ring(15)
    neck = body.neck_surface(figure, skeleton, angle)
    builder.add(neck, atlas.place_uv(size.skin(0.12, 0.3), _around(angle), np.linspace(0, 1, 6)[:, None]), Part.TRUNK)


def _arm(builder: MeshBuilder, atlas: Atlas, size: _Sizes, side: str) -> None:
    person = size.person
    angle = size.ring(13)
    at = np.array([0.3, 0.55, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 1.75, 2.0])
    at = np.concatenate([[-0.2, -0.1, 0.0, 0.1], thin(at, size.detail + 0.1, 6)])
    surface = body.arm_surface(person.figure, person.skeleton, side, at, angle)
    uv = atlas.place_uv(size.skin(0.6, 0.26), _around(angle), (at / 2.2 + 0.1)[:, None])
    builder.add(surface[:, :4], uv[:4], Part.SHOULDER)
    builder.add(surface[:, 3:], uv[3:], Part.SKIN)
    patch = size.skin(0.2, 0.1)
    scale = 0.88 + 0.12 * (person.figure.girth - 0.9) / 0.26
    palm, fingers = body.hand_surfaces(person.skeleton, side, person.hands[side], scale, size.detail)
    left, top = atlas.place(patch)
    for surfaces in (palm[None], fingers):
        rings, width = surfaces.shape[2:4]
        uv = np.stack(np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, rings)), -1)
        builder.add_many(surfaces, uv * (patch.shape[1] - 1, patch.shape[0] - 1) + (left, top), Part.HAND)


def _leg(builder: MeshBuilder, atlas: Atlas, size: _Sizes, side: str, bottoms: bool) -> None:
    person, looks = size.person, size.person.looks
    angle = size.ring(15)
    at = np.array([-0.34, -0.16, 0, 0.2, 0.4, 0.6, 0.8, 0.93, 1.07, 1.25, 1.45, 1.7, 1.9, 2.0])
    at = thin(at, size.detail + 0.15)
    patch = size.skin(1.0, 0.5)
    ends = {"trousers": 2.0, "jeans": 2.0, "shorts": size.rng.uniform(0.5, 0.95), "skirt": 0.3}
    end = ends[looks.bottom] if bottoms else -1.0
    loose = size.rng.uniform(0.006, 0.03)
    if bottoms:
        stop = round((end + 0.34) / 2.34 * len(patch))
        patch[:stop, :, :3] = cloth_patch(size.rng, looks, stop, patch.shape[1])
        patch[max(stop - 2, 0) : stop, :, :3] *= 0.8
    ease = np.where(at <= end + 1e-3, loose * np.clip(0.35 + at, 0, 1), 0)
    surface = body.leg_surface(person.figure, person.skeleton, side, at, angle, ease[None, :, None].astype(np.float32))
    uv = atlas.place_uv(patch, _around(angle), ((at + 0.34) / 2.34)[:, None])
    split = int((at <= end + 1e-3).sum()) if bottoms else 0
    if split > 1:
        builder.add(surface[:, :split], uv[:split], Part.BOTTOM)
    if split < len(at) - 1:
        builder.add(surface[:, max(split - 1, 0) :], uv[max(split - 1, 0) :], Part.LEG)
    shoe = body.shoe_surface(person.skeleton, side, size.ring(11))
    colour = opaque(np.clip(looks.shoes * mottle(size.rng, size.px(0.1), size.px(0.26), 4, 0.03), 0, 255))
    sole = np.array((235, 232, 226), np.float32) if size.rng.random() < 0.5 else looks.shoes * 0.5
    colour[:, : max(2, colour.shape[1] // 8), :3] = sole
    colour[:, -max(2, colour.shape[1] // 8) :, :3] = sole
    around = np.abs(size.ring(11) / np.pi)[None]  # angle 0 is the sole
    builder.add(shoe, atlas.place_uv(colour, around * 0.5, np.linspace(0, 1, 9)[:, None]), Part.SHOE)


def _skirt(builder: MeshBuilder, atlas: Atlas, size: _Sizes) -> None:
    angle, height = size.ring(25), np.linspace(0.2, -0.85, max(6, round(10 * size.detail)))
    low = np.clip(HANG - height, 0, 1)[:, None]
    ease = 0.012 + low * (0.10 + 0.012 * np.cos(7 * angle)[None])
    surface = hanging_surface(size.person, height, angle, ease[None])
    patch = opaque(cloth_patch(size.rng, size.person.looks, size.px(0.5), size.px(0.8)))
    uv = atlas.place_uv(patch, _around(angle), np.linspace(0, 1, len(height))[:, None])
    builder.add(surface, uv, Part.BOTTOM)


def hanging_surface(person: Person, height_R: np.ndarray, angle_S: np.ndarray, ease) -> np.ndarray:
    """Cloth around the trunk that hangs freely from the hips downwards: (F, R, S, 3).

    height_R: trunk heights from high to low; below HANG the cloth follows the legs only loosely.
    ease: metres off the body, broadcast against (F, R, S).
    """
    figure, skeleton = person.figure, person.skeleton
    height_R = np.asarray(height_R, np.float32)
    upper = body.trunk_surface(figure, skeleton, np.maximum(height_R, HANG), angle_S, ease)
    drop = (np.maximum(HANG - height_R, 0) * figure.torso)[None, :, None, None]
    legs = {s: normalise(skeleton.joints[f"{s}_knee"] - skeleton.joints[f"{s}_hip"]) for s in SIDES}
    fall = normalise(0.35 * skeleton.pelvis_F33[:, :, 1] + np.array([0, 0.65, 0], np.float32))
    weight = (0.5 + 0.5 * np.sin(angle_S))[None, None, :, None]  # angle pi/2 is the person's left
    follow = legs["r"][:, None, None] * (1 - weight) + legs["l"][:, None, None] * weight
    return (upper + (0.35 * fall[:, None, None] + 0.65 * follow) * drop).astype(np.float32)


def _head(builder: MeshBuilder, atlas: Atlas, size: _Sizes) -> None:
    person, looks = size.person, size.person.looks
    depth = np.array([0, 0.02, 0.07, 0.15, 0.25, 0.33, 0.39, 0.43, 0.47, 0.51, 0.56, 0.61, 0.645, 0.67])
    depth = np.concatenate([depth, [0.71, 0.75, 0.78, 0.82, 0.87, 0.91, 0.95, 0.985, 1.0]])
    depth = np.concatenate([depth[:3], thin(depth[3:], size.detail, 9)])
    rows, angle = size.px(person.figure.head), ring_angles(columns(body.HEAD_COLUMNS, size.detail), body.HEAD_DENSITY)
    surface = body.head_surface(person.figure, person.skeleton, depth, angle)
    uv = atlas.place_uv(face_patch(size.rng, looks, rows), _around(angle), depth[:, None])
    builder.add(surface, uv, Part.HEAD)
    _ears(builder, atlas, size)
    swell = {"shaved": 0.008, "full": 0.22, "short": 0.045}.get(looks.hair_style, 0.05)
    line = depth  # on the same rings as the head, so that hair lies outside of it everywhere
    above = hairline(looks, angle)[None] - line[:, None]  # hair lies flat at its edge
    puff = np.interp(line, [0, 0.3, 0.9, 1.0], [1.1, 1.0, 0.75, 0.5])[:, None] * np.interp(above, [0, 0.2], [0.12, 1])
    puff = puff * np.interp(np.abs(angle), [0.7, 1.35, 2.1], [0.6, 0.12, 1.0])[None]
    lumps = 1 + 0.12 * np.sin(3 * angle + 6 * looks.parting)[None] * np.sin(5 * line)[:, None]
    surface = body.head_surface(person.figure, person.skeleton, line, angle, (swell * puff * lumps)[None], features=0.0)
    uv = atlas.place_uv(hair_patch(size.rng, looks, rows), _around(angle), line[:, None])
    builder.add(surface, uv, Part.HAIR, cut=True)


def _ears(builder: MeshBuilder, atlas: Atlas, size: _Sizes) -> None:
    person = size.person
    if person.looks.hair_style in ("long", "bob", "full"):
        return
    skeleton, head = person.skeleton, person.figure.head
    down, front, left = (skeleton.head_F33[:, None, :, i] for i in (1, 2, 0))
    at = np.linspace(-1, 1, 7, dtype=np.float32)
    for sign in SIDES.values():
        middle = body.head_point(person.figure, skeleton, sign * 1.72, 0.53, -0.005)
        centre = middle[:, None] + down * (at * 0.13 * head)[None, :, None]
        centre = centre + left * sign * (0.02 * head * (1 - at))[None, :, None]
        round_ = np.sqrt(np.clip(1.02 - at * at, 0.02, 1))[None, :, None] * head
        axis = (np.broadcast_to(front - 0.3 * left * sign, centre.shape), np.broadcast_to(left, centre.shape))
        ear = tube(centre, *axis, 0.065 * round_, 0.035 * round_, ring_angles(9))
        uv = atlas.place_uv(
            size.skin(0.06, 0.05) * [0.95, 0.88, 0.86, 1], *np.meshgrid(np.linspace(0, 1, 9), (at + 1) / 2)
        )
        builder.add(ear, uv, Part.HEAD)


def _strand(builder: MeshBuilder, atlas: Atlas, size: _Sizes, centre_FR3, wide, thin, radii_R: np.ndarray) -> None:
    """One bundle of hair along a centre line."""
    along = normalise(np.gradient(centre_FR3, axis=1))
    side = normalise(wide - along * (wide * along).sum(-1, keepdims=True))
    front = np.cross(side, along)
    angle = size.ring(11)
    surface = tube(centre_FR3, front, side, (radii_R * thin)[None, :, None], radii_R[None, :, None], angle)
    patch = opaque(strands(size.rng, size.person.looks.hair, size.px(0.3), size.px(0.2)))
    rings = centre_FR3.shape[1]
    builder.add(surface, atlas.place_uv(patch, _around(angle), np.linspace(0, 1, rings)[:, None]), Part.HAIR)


def _long_hair(builder: MeshBuilder, atlas: Atlas, size: _Sizes, length: float = 1.0) -> None:
    """A curtain behind the neck and two bundles falling before or behind the shoulders."""
    person, skeleton = size.person, size.person.skeleton
    chest, head = skeleton.chest_F33, skeleton.head_F33
    s = np.linspace(0, 1, 8, dtype=np.float32)[None, :, None]
    start = body.head_point(person.figure, skeleton, np.pi, 0.45, 0.02)[:, None]
    stop = skeleton.joints["chest_top"] - chest[:, :, 2] * 0.115 + chest[:, :, 1] * (0.16 * length - 0.06)
    curtain = start * (1 - s) + stop[:, None] * s - head[:, None, :, 2] * 0.03 * np.sin(np.pi * s)
    wide = np.broadcast_to(chest[:, None, :, 0], curtain.shape)
    _strand(builder, atlas, size, curtain, wide, 0.4, np.linspace(0.085, 0.10 * length + 0.02, 8))
    for sign in SIDES.values():
        before = size.rng.random() < 0.6
        out = 1 if before else -1
        start = body.head_point(person.figure, skeleton, sign * 1.75, 0.28, 0.01)
        middle = body.head_point(person.figure, skeleton, sign * 1.8, 0.95, 0.24)
        stop = skeleton.joints["chest_top"] + chest[:, :, 0] * sign * 0.115 + chest[:, :, 2] * (0.135 * out)
        stop = stop + chest[:, :, 1] * (0.20 * length - 0.03)
        points = [(1 - s) ** 2 * start[:, None], 2 * s * (1 - s) * middle[:, None], s**2 * stop[:, None]]
        line = sum(points) + chest[:, None, :, 2] * (0.06 * out) * np.sin(np.pi * s) ** 2
        wide = np.broadcast_to(chest[:, None, :, 0], line.shape)
        radii = np.array([0.02, 0.036, 0.042, 0.044, 0.044, 0.042, 0.036, 0.016])
        _strand(builder, atlas, size, line, wide, 0.6, radii)


def _bob(builder: MeshBuilder, atlas: Atlas, size: _Sizes) -> None:
    _long_hair(builder, atlas, size, length=0.2)


def _bun(builder: MeshBuilder, atlas: Atlas, size: _Sizes) -> None:
    person, skeleton = size.person, size.person.skeleton
    middle = body.head_point(person.figure, skeleton, np.pi, size.rng.uniform(0.05, 0.35), 0.15)
    at = np.linspace(-1, 1, 7, dtype=np.float32)
    centre = middle[:, None] + skeleton.head_F33[:, None, :, 1] * (0.055 * at)[None, :, None]
    wide = np.broadcast_to(skeleton.head_F33[:, None, :, 0], centre.shape)
    _strand(builder, atlas, size, centre, wide, 1.0, 0.055 * np.sqrt(np.clip(1.05 - at**2, 0.02, 1)))


def _tail(builder: MeshBuilder, atlas: Atlas, size: _Sizes) -> None:
    person, skeleton = size.person, size.person.skeleton
    s = np.linspace(0, 1, 8, dtype=np.float32)[None, :, None]
    start = body.head_point(person.figure, skeleton, np.pi, 0.25, 0.03)[:, None]
    swing = size.rng.choice([-1, 1]) * 0.05
    fall = skeleton.head_F33[:, None, :, 1] * 0.36 * s**1.3 - skeleton.head_F33[:, None, :, 2] * 0.10 * np.sqrt(
        s + 0.02
    )
    line = start + fall + skeleton.chest_F33[:, None, :, 0] * swing * s
    wide = np.broadcast_to(skeleton.head_F33[:, None, :, 0], line.shape)
    _strand(builder, atlas, size, line, wide, 0.8, np.array([0.018, 0.03, 0.036, 0.036, 0.034, 0.03, 0.024, 0.008]))


HAIR_BUILDERS = {"long": _long_hair, "bob": _bob, "bun": _bun, "tail": _tail}
