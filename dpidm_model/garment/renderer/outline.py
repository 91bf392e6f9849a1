"""Cloth as vector shapes: curves, pieces and strokes in garment units, before any pixel is drawn.

Garment units: tops and dresses have half their shoulder width = 1 and y = 0 at the highest shoulder point; trousers and
skirts have half their waistband = 1 and y = 0 at the waistband. x to the picture's right, y down.
"""

from dataclasses import dataclass, field

import numpy as np

CLOTH, CONTRAST, INNER, TRIM, SKIN, HAIR = "cloth", "contrast", "inner", "trim", "skin", "hair"


@dataclass(kw_only=True)
class Stroke:
    """A line on the cloth: seam, stitching. Points (N, 2); width in units; tone multiplies the colour beneath."""

    points: np.ndarray
    width: float
    tone: float = 0.8
    closed: bool = False


@dataclass(kw_only=True)
class Dot:
    """A button or rivet: centre, radius in units, colour."""

    centre: tuple[float, float]
    radius: float
    colour: tuple[int, int, int]


@dataclass(kw_only=True)
class Piece:
    """One closed outline of cloth.

    layer: which of layers.LAYER_NAMES it belongs to ("" = not cloth).  material: one of the names above.
    grain: (origin x, origin y, angle): where and how the fabric's pattern lies, angle in radians clockwise.
    depth: drawing order, smaller is further back.  shade: brightness factor.
    """

    layer: str
    outline: np.ndarray
    depth: float
    material: str = CLOTH
    grain: tuple[float, float, float] = (0.0, 0.0, 0.0)
    shade: float = 1.0
    strokes: list[Stroke] = field(default_factory=list)
    dots: list[Dot] = field(default_factory=list)


@dataclass(kw_only=True)
class Cut:
    """A whole garment in one pose.

    points: slot name -> (x, y, visibility 1 or 2).  joints: slot name (and "crotch") -> the wearer's joint, for layers.
    halfwidths: layer -> half widths at its ends.  extra: things to draw that are not cloth (a wearer, a hanger).
    """

    pieces: list[Piece]
    points: dict[str, tuple[float, float, int]]
    joints: dict[str, tuple[float, float]]
    halfwidths: dict[str, tuple[float, float]]
    sleeve: str = "none"
    print_box: tuple[float, float, float, float] | None = None  # x0, y0, x1, y1 where a print may lie


def smooth(points, steps: int = 6) -> np.ndarray:
    """An open Catmull-Rom curve through points (N, 2), `steps` samples a span."""
    p = np.asarray(points, np.float32)
    before, after = np.concatenate([p[:1], p[:-1]]), np.concatenate([p[1:], p[-1:]])
    tangent = (after - before) / 2
    t = np.linspace(0, 1, steps, endpoint=False, dtype=np.float32)[None, :, None]
    a, b, ta, tb = p[:-1, None], p[1:, None], tangent[:-1, None], tangent[1:, None]
    spans = (2 * t**3 - 3 * t**2 + 1) * a + (t**3 - 2 * t**2 + t) * ta + (-2 * t**3 + 3 * t**2) * b + (t**3 - t**2) * tb
    return np.concatenate([spans.reshape(-1, 2), p[-1:]])


def ribbon(centre, widths, steps: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Both edges of a band along a centre line (N, 2) with full widths (N,): (left edge, right edge), smoothed.

    Left is to the left of the direction of travel with y down.
    """
    line, width = smooth(centre, steps), smooth(np.stack([widths, widths], 1), steps)[:, :1]
    direction = np.gradient(line, axis=0)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True) + 1e-6
    normal = np.stack([direction[:, 1], -direction[:, 0]], 1)
    return line + normal * width / 2, line - normal * width / 2


def point_at(outline: np.ndarray, y: float) -> tuple[float, float]:
    """Where a line of points that runs down the garment crosses height y."""
    order = np.argsort(outline[:, 1], kind="stable")
    return float(np.interp(y, outline[order, 1], outline[order, 0])), float(y)


def heading(angle: float) -> np.ndarray:
    """Unit vector of a limb hanging at `angle` from straight down, positive towards the picture's right."""
    return np.array([np.sin(angle), np.cos(angle)], np.float32)
