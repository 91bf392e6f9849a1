"""A garment's pieces in rest pose, each as a picture of its own, for others to drape."""

from collections.abc import Mapping

import cv2
import numpy as np

from .layers import LAYER_NAMES, GarmentLayer
from .outline import INNER, Cut, Piece
from .paint import Cloth, paint_piece, transform
from .scene import place

BEHIND = 2.0  # pieces at this depth or further back (inside of the back, hoods) lie behind the wearer's neck
ANCHORS = {
    "torso": ("neck", "r_shoulder", "l_shoulder", "r_hip", "l_hip"),
    "skirt": ("r_hip", "l_hip", "r_knee", "l_knee", "r_ankle", "l_ankle"),
    "upper_sleeve": ("shoulder", "elbow"),
    "lower_sleeve": ("elbow", "wrist"),
    "upper_leg": ("hip", "knee", "crotch"),
    "lower_leg": ("knee", "ankle"),
}


def rest_layers(
    cut: Cut, cloth: Cloth, size: tuple[int, int], rng: np.random.Generator, photo: Mapping[str, np.ndarray]
) -> tuple[GarmentLayer, ...]:
    """The pieces of a cut in rest pose, grouped by layer, back first; what lies behind the neck is left out.

    photo: name -> (x, y), the wearer's joints as the product picture has them.
    """
    to_pixels, unit = place(rng, cut, size, clean=True)
    shown = [p for p in sorted(cut.pieces, key=lambda p: p.depth) if p.material != INNER and p.depth > BEHIND]
    groups = {name: [p for p in shown if p.layer == name] for name in LAYER_NAMES}
    names = sorted((n for n in LAYER_NAMES if groups[n]), key=lambda n: groups[n][0].depth)
    return tuple(_layer(name, groups[name], cut, cloth, to_pixels, size, unit, photo) for name in names)


def _layer(
    name: str,
    pieces: list[Piece],
    cut: Cut,
    cloth: Cloth,
    to_pixels: np.ndarray,
    size: tuple[int, int],
    unit: float,
    photo: Mapping[str, np.ndarray],
) -> GarmentLayer:
    colour_HW3 = np.empty((size[1], size[0], 3), np.float32)
    colour_HW3[:] = cloth.fabric_HW3.reshape(-1, 3).mean(0)
    alpha_HW = np.zeros((size[1], size[0]), np.float32)
    for piece in pieces:
        painted = paint_piece(piece, cloth, to_pixels, size, unit)
        if painted is None:
            continue
        (x0, y0, x1, y1), picture, cover8 = painted
        cover = cover8.astype(np.float32) / 255
        window = colour_HW3[y0:y1, x0:x1]
        wide = np.minimum(1, cv2.dilate(cover, np.ones((3, 3))))  # colour reaches past the edge, coverage does not
        window += (picture - window) * wide[..., None]
        alpha_HW[y0:y1, x0:x1] = np.maximum(alpha_HW[y0:y1, x0:x1], cover)
    anchors = [a for a in _anchor_names(name) if a in cut.joints]
    places = transform(to_pixels, np.array([cut.joints[a] for a in anchors]))
    first, last = cut.halfwidths.get(name, (0.5, 0.5))
    return GarmentLayer(
        name=name,
        rgba_HW4=np.dstack([np.clip(colour_HW3, 0, 255), alpha_HW * 255]).astype(np.uint8),
        anchors={a: (float(x), float(y)) for a, (x, y) in zip(anchors, places)},
        halfwidth=(float(first * unit), float(last * unit)),
        to_photo_23=_similarity(places, np.array([photo[a] for a in anchors])),
    )


def _similarity(from_N2: np.ndarray, to_N2: np.ndarray) -> np.ndarray:
    """Scale, turn and shift (2, 3) that takes some points nearest to others, in least squares."""
    start, goal = (p[:, 0] + 1j * p[:, 1] for p in (from_N2.astype(np.float64), to_N2))
    spread = start - start.mean()
    turn = np.vdot(spread, goal - goal.mean()) / max(float(np.vdot(spread, spread).real), 1e-9)
    shift = goal.mean() - turn * start.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]], np.float32)


def _anchor_names(layer: str) -> tuple[str, ...]:
    if layer in ANCHORS:
        return ANCHORS[layer]
    side = layer[0]
    return tuple(name if name == "crotch" else f"{side}_{name}" for name in ANCHORS[layer[2:]])
