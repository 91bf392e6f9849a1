"""Pictures that do not show exactly one garment: nothing, several garments, or a person wearing it."""

import cv2
import numpy as np

from ...handovers import GarmentLandmarks
from .fabric import colour, make_fabric
from .layers import RenderedGarment
from .outline import HAIR, SKIN, Cut, Piece, ribbon, smooth
from .paint import paint
from .render import CATEGORY_SHARES, build_garment, compose, make_cloth
from .scene import background, camera, place


def render_negative(seed: int, size: tuple[int, int] = (192, 256)) -> RenderedGarment:
    """One picture without exactly one free-lying garment: kind "none", all landmarks absent, the mask empty."""
    rng = np.random.default_rng((seed, 1))
    image = (_nothing, _several, _worn, _worn)[rng.integers(4)](rng, size)
    absent = GarmentLandmarks(np.zeros((13, 3), np.float32), np.zeros(13, np.uint8), size, "upper")
    return RenderedGarment(image_HW3=image, mask_HW=np.zeros(size[::-1], np.uint8), landmarks=absent, kind="none")


def _nothing(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """A background, cloth from edge to edge, or noise, perhaps with discs and shards."""
    w, h = size
    picture = background(rng, size).astype(np.float32)
    if rng.random() < 0.3:
        picture = make_fabric(rng, h, w, w / rng.uniform(1, 4))[0].astype(np.float32)
    if rng.random() < 0.15:
        cells = int(rng.integers(1, 24))
        coarse = rng.integers(0, 256, (h // cells + 2, w // cells + 2, 3)).astype(np.float32)
        picture = cv2.resize(coarse, (w, h), interpolation=int(rng.choice([cv2.INTER_NEAREST, cv2.INTER_CUBIC])))
    for _ in range(int(rng.integers(0, 5))):
        x, y, r = rng.uniform(0, w), rng.uniform(0, h), rng.uniform(0.05, 0.35) * w
        if rng.random() < 0.5:
            axes = (max(1, int(r)), max(1, int(r * rng.uniform(0.4, 1.6))))
            cv2.ellipse(picture, (int(x), int(y)), axes, rng.uniform(0, 180), 0, 360, colour(rng).tolist(), -1)
        else:
            corners = rng.normal(0, r, (int(rng.integers(3, 7)), 2)) + [x, y]
            cv2.fillPoly(picture, [corners.astype(np.int32)], colour(rng).tolist(), cv2.LINE_AA)
    return camera(rng, picture)


def _several(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Two or three garments side by side or one above the other."""
    w, h = size
    ground = background(rng, size).astype(np.float32)
    count = int(rng.integers(2, 4))
    wide = rng.random() < 0.7
    for i in range(count):
        part = (w // count, h) if wide else (w, h // count)
        cut, _, garment = build_garment(rng, str(rng.choice(list(CATEGORY_SHARES))), None)
        to_pixels, unit = place(rng, cut, part, clean=True)
        cloth = make_cloth(rng, garment, cut, part, unit)
        colour_HW3, alpha_HW, _ = paint(cut, cloth, to_pixels, part, unit)
        x, y = (i * part[0], 0) if wide else (0, i * part[1])
        window = ground[y : y + part[1], x : x + part[0]]
        window += (colour_HW3 - window) * alpha_HW[..., None]
    return camera(rng, ground)


def _worn(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """A person in the garment: head, hands, legs."""
    cut, _, garment = build_garment(rng, str(rng.choice(list(CATEGORY_SHARES))), None)
    add_wearer(rng, cut, garment.category)
    to_pixels, unit = place(rng, cut, size, clean=False)
    cloth = make_cloth(rng, garment, cut, size, unit)
    colour_HW3, alpha_HW, _ = paint(cut, cloth, to_pixels, size, unit)
    return compose(rng, colour_HW3, alpha_HW, unit, clean=False)


def add_wearer(rng: np.random.Generator, cut: Cut, category: str) -> None:
    """Put a simple body into and around a cut (in place): skin at the back, hands and hair in front."""
    joints = cut.joints

    def limb(a, b, width, depth=0.2, material=SKIN):
        left, right = ribbon([a, ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2), b], [width, width * 0.9, width * 0.7], 4)
        cut.pieces.append(Piece(layer="", outline=np.concatenate([left, right[::-1]]), depth=depth, material=material))

    def oval(x, y, rx, ry, depth, material=SKIN):
        t = np.linspace(0, 2 * np.pi, 24)
        outline = np.stack([x + rx * np.cos(t), y + ry * np.sin(t)], 1).astype(np.float32)
        cut.pieces.append(Piece(layer="", outline=outline, depth=depth, material=material))

    if category != "lower":
        shoulders = smooth([(-0.95, 0.4), (-0.5, 0.05), (0, -0.02), (0.5, 0.05), (0.95, 0.4)], 4)
        body = np.concatenate([shoulders, np.array([(0.8, 2.0), (-0.8, 2.0)], np.float32)])
        cut.pieces.append(Piece(layer="", outline=body, depth=1.5, material=SKIN))
        limb((0, 0.3), (0, -0.5), 0.5, 1.6)
        if rng.random() < 0.8:
            oval(0, -0.95, 0.52, 0.7, 0.1 if rng.random() < 0.5 else 7.9, HAIR)
            oval(0, -0.82, 0.4, 0.55, 8.0)
        for side in "rl":
            wrist = joints[f"{side}_wrist"]
            limb(joints[f"{side}_shoulder"], joints[f"{side}_elbow"], 0.42)
            limb(joints[f"{side}_elbow"], wrist, 0.34)
            oval(wrist[0], wrist[1] + 0.12, 0.16, 0.24, 8.5)
    bottom = max(float(piece.outline[:, 1].max()) for piece in cut.pieces if piece.layer)
    for sign in (-1, 1):
        if category == "lower":
            x = sign * 0.6
            limb((x, min(0.9, bottom)), (x * 1.2, max(bottom + 0.9, 4.5)), 0.75)
        elif rng.random() < 0.9:
            limb((sign * 0.4, bottom - 0.8), (sign * 0.45, max(bottom + 1.2, 6.0)), 0.6)
    if category == "lower":
        torso = np.array([(-1, -1.5), (1, -1.5), (0.95, 0.4), (-0.95, 0.4)], np.float32)
        cut.pieces.append(Piece(layer="", outline=torso, depth=0.3, material=SKIN if rng.random() < 0.4 else HAIR))
