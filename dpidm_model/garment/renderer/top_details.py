"""What is on a top: the inside of its back, collars, plackets, pockets, and the hanger it may hang on."""

import numpy as np

from .outline import CLOTH, HAIR, INNER, TRIM, Cut, Dot, Piece, Stroke, ribbon, smooth
from .top_spec import TopSpec


def hem_line(spec: TopSpec) -> np.ndarray:
    """The hem from the wearer's right corner to the left one, bowed."""
    x, y = spec.hem
    t = np.linspace(-1, 1, 13)
    return np.stack([x * t, y + spec.hem_bow * (1 - t**2)], 1).astype(np.float32)


def back_panel(pieces: list[Piece], spec: TopSpec, front: np.ndarray) -> None:
    """The inside of the back, seen through the neckline, with a label."""
    n = front[-1, 0]
    back = smooth([(n, 0), (0, spec.back_depth), (-n, 0)], 8)
    if spec.strap:
        low = min(spec.armpit[1] * 0.8, spec.hem[1] - 0.5)
        back = smooth([(0.9, low), (0, low + 0.05), (-0.9, low)], 6)
        front = front[1:-1]
    pieces.append(Piece(layer="torso", outline=np.concatenate([front, back]), depth=1.0, material=INNER, shade=0.72))
    if spec.collar in ("rib", "none") and not spec.strap and spec.neck_depth > 0.3 and spec.neck_half > 0.2:
        y, half = spec.back_depth + 0.03, min(0.13, spec.neck_half * 0.35)
        label = np.array([(-half, y), (half, y), (half, y + half), (-half, y + half)], np.float32)
        pieces.append(Piece(layer="torso", outline=label, depth=1.1, material=TRIM, shade=1.05))


def collar(pieces: list[Piece], spec: TopSpec, front: np.ndarray) -> None:
    """The collar that the cut asks for; front: the front neckline, the wearer's right to left."""
    COLLARS[spec.collar](pieces, spec, front)


def _rib(pieces: list[Piece], spec: TopSpec, front: np.ndarray) -> None:
    if spec.strap:
        return
    band = 0.09
    outer = front * np.array([1 + band / max(spec.neck_half, 0.3), 1.0], np.float32) + np.array([0, band], np.float32)
    outer[[0, -1], 1] = 0.02
    stroke = Stroke(points=outer, width=0.018, tone=0.75)
    outline = np.concatenate([front, outer[::-1]])
    pieces.append(Piece(layer="torso", outline=outline, depth=5.5, material=TRIM, strokes=[stroke]))


def _turtle(pieces: list[Piece], spec: TopSpec, front: np.ndarray) -> None:
    n, d, h = spec.neck_half, spec.neck_depth, 0.45
    shape = [(-n, 0.02), (-n * 0.93, -h), (0, -h + 0.05), (n * 0.93, -h), (n, 0.02), (0, d + 0.02)]
    outline = np.concatenate([smooth(shape[1:4], 4), smooth([*shape[4:], shape[0]], 5)])
    stroke = Stroke(points=front, width=0.02, tone=0.8)
    pieces.append(Piece(layer="torso", outline=outline, depth=5.6, strokes=[stroke]))


def _shirt(pieces: list[Piece], spec: TopSpec, front: np.ndarray) -> None:
    n, d = spec.neck_half, spec.neck_depth
    for s in (-1, 1):
        tip = (s * (n * 0.75 + 0.1), d + 0.32)
        shape = np.array([(s * n * 0.96, -0.16), (0.02 * s, d * 0.95), tip, (s * (n + 0.18), 0.1)], np.float32)
        stroke = Stroke(points=shape, width=0.018, tone=0.65, closed=True)
        pieces.append(Piece(layer="torso", outline=shape, depth=5.6, strokes=[stroke], grain=(0, 0, s * 0.5)))
    band = np.array([(-n * 0.96, -0.16), (n * 0.96, -0.16), (n, 0.06), (0, d * 0.8), (-n, 0.06)], np.float32)
    pieces.append(Piece(layer="torso", outline=band, depth=1.2, material=CLOTH, shade=0.8))


def _hood(pieces: list[Piece], spec: TopSpec, front: np.ndarray) -> None:
    n, d = spec.neck_half, spec.neck_depth
    rim = [(-n * 1.25, 0.1), (-0.72, -0.45), (-0.4, -0.95), (0.4, -0.95), (0.72, -0.45), (n * 1.25, 0.1)]
    pieces.append(Piece(layer="torso", outline=smooth(rim, 5), depth=0.5, shade=0.92))
    opening = smooth([(-n, 0.05), (-0.42, -0.4), (0, -0.62), (0.42, -0.4), (n, 0.05), (0, d), (-n, 0.05)], 4)
    edge = Stroke(points=opening, width=0.03, tone=0.8)
    pieces.append(Piece(layer="torso", outline=opening, depth=1.2, material=INNER, shade=0.6, strokes=[edge]))
    cords = [np.array([(s * 0.16, d), (s * 0.2, d + 0.8)], np.float32) for s in (-1, 1)]
    band = np.concatenate([front, front[::-1] + np.array([0, 0.1], np.float32)])
    strokes = [Stroke(points=cord, width=0.04, tone=1.25) for cord in cords]
    pieces.append(Piece(layer="torso", outline=band, depth=5.6, strokes=strokes))


def _lapel(pieces: list[Piece], spec: TopSpec, front: np.ndarray) -> None:
    n, d = spec.neck_half, spec.neck_depth
    for s in (-1, 1):
        corners = [(s * n, -0.08), (0, d), (s * (n + 0.38), 0.62), (s * (n + 0.2), 0.5), (s * (n + 0.3), 0.25)]
        shape = np.array(corners, np.float32)
        stroke = Stroke(points=shape, width=0.02, tone=0.6, closed=True)
        pieces.append(Piece(layer="torso", outline=shape, depth=5.6, strokes=[stroke], grain=(0, 0, s * 0.35)))


def _no_collar(pieces: list[Piece], spec: TopSpec, front: np.ndarray) -> None:
    """A plain edge."""


COLLARS = {"none": _no_collar, "rib": _rib, "turtle": _turtle, "shirt": _shirt, "hood": _hood, "lapel": _lapel}


def front_details(torso: Piece, spec: TopSpec) -> None:
    """Seams, hem, placket with buttons, zip, pockets."""
    x, y = spec.hem
    hem = hem_line(spec) - np.array([0, 0.2 if spec.rib else 0.07], np.float32)
    torso.strokes.append(Stroke(points=hem, width=0.02, tone=0.75))
    low = y + spec.hem_bow - 0.02
    if spec.front in ("buttons", "zip", "open", "polo"):
        end = spec.neck_depth + 0.75 if spec.front == "polo" else low
        width = {"zip": 0.05, "open": 0.09}.get(spec.front, 0.02)
        line = np.array([(0, spec.neck_depth), (0, end)], np.float32)
        torso.strokes.append(Stroke(points=line, width=width, tone=0.55))
        if spec.front in ("buttons", "polo"):
            colour = (235, 230, 220) if (x * 1000) % 2 < 1 else (45, 38, 34)
            for by in np.arange(spec.neck_depth + 0.15, end - 0.1, 0.42):
                torso.dots.append(Dot(centre=(0.05, float(by)), radius=0.045, colour=colour))
    pockets = {
        "chest": [(0.25, 0.85, 0.7, 1.3)],
        "patch": [(-0.75, 0.68 * y, -0.3, 0.68 * y + 0.5), (0.3, 0.68 * y, 0.75, 0.68 * y + 0.5)],
        "kangaroo": [(-0.55, 0.66 * y, 0.55, 0.9 * y)],
    }.get(spec.pocket, [])
    for x0, y0, x1, y1 in pockets:
        corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float32)
        torso.strokes.append(Stroke(points=corners, width=0.022, tone=0.68, closed=True))


def add_hanger(cut: Cut, spec: TopSpec) -> None:
    """A hanger in the garment (in place): hook and bar behind the front neckline."""
    slope = (spec.drop + 0.05) / 1.0
    t = np.linspace(-0.95, 0.95, 9)
    top = np.stack([t, slope * np.abs(t) + 0.02], 1)
    bar = np.concatenate([top, top[::-1] + [0, 0.07]]).astype(np.float32)
    angle = np.linspace(-0.6, 3.9, 16)
    hook = np.stack([0.14 * np.sin(angle), -0.42 - 0.14 * np.cos(angle)], 1)
    left, right = ribbon(np.concatenate([[(0.0, 0.03), (0.0, -0.1)], hook[::-1]]), np.full(18, 0.045), 2)
    for outline in (bar, np.concatenate([left, right[::-1]])):
        cut.pieces.append(Piece(layer="", outline=outline.astype(np.float32), depth=1.5, material=HAIR))
