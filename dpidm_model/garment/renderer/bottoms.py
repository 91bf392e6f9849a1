"""Trousers, shorts and skirts: what they may look like, and their shapes in a pose. Units: half the waistband = 1."""

from dataclasses import dataclass

import numpy as np

from .outline import INNER, TRIM, Cut, Dot, Piece, Stroke, heading, point_at, smooth

# kind: (weight, length range, hip half-width range, hem half-width of a leg or of the whole skirt, details)
BOTTOMS = {
    "trousers": (12, (5.0, 9.2), (1.0, 1.4), (0.28, 0.75), "fly"),
    "wide_trousers": (5, (5.5, 9.2), (1.1, 1.4), (0.6, 1.1), "fly none"),
    "jeans": (10, (5.0, 7.5), (1.02, 1.3), (0.28, 0.6), "jeans"),
    "leggings": (5, (5.5, 8.5), (0.98, 1.2), (0.18, 0.34), "none"),
    "joggers": (5, (5.0, 7.5), (1.1, 1.4), (0.26, 0.42), "cord"),
    "shorts": (10, (1.7, 3.4), (1.05, 1.4), (0.55, 0.95), "fly cord jeans none"),
    "skirt": (16, (1.7, 7.0), (1.05, 1.5), (0.9, 2.6), "none buttons slit pleats"),
}


@dataclass(frozen=True, kw_only=True)
class BottomSpec:
    """The cut of trousers, shorts or a skirt (half the waistband = 1, waistband y = 0, hem at `length`)."""

    kind: str
    length: float
    hip: tuple[float, float]
    hem: float
    crotch: float
    waist_bow: float
    band: float
    detail: str
    tiers: int
    spread: float
    gap: float

    @property
    def is_skirt(self) -> bool:
        return self.kind == "skirt"

    @property
    def is_short(self) -> bool:
        return self.kind == "shorts"


def sample_bottom(rng: np.random.Generator, kind: str) -> BottomSpec:
    """A random cut of that kind (a key of BOTTOMS)."""
    _, length, hips, hems, details = BOTTOMS[kind]
    u = rng.uniform
    tall, hip = u(*length), u(*hips)
    crotch = u(1.35, 2.3) if kind != "shorts" else u(0.5, 0.72) * tall
    hem = u(*hems)
    if kind == "skirt":
        hem = hip * u(0.85, 1.15) if rng.random() < 0.4 else hip + u(0.05, 0.36) * tall
    return BottomSpec(
        kind=kind,
        length=float(tall),
        hip=(float(hip), float(crotch * u(0.6, 0.8) if kind != "skirt" else min(u(0.9, 1.5), 0.45 * tall))),
        hem=float(hem),
        crotch=float(crotch),
        waist_bow=float(u(-0.05, 0.16)),
        band=float(u(0.16, 0.42)) if rng.random() < 0.85 else 0.0,
        detail=str(rng.choice(details.split())),
        tiers=int(rng.choice([1, 1, 1, 2, 3])) if kind == "skirt" else 1,
        gap=float(u(-0.06, 0.12)),
        spread=float(u(0.0, 0.09) + (u(0, 0.12) if kind == "shorts" else 0)),
    )


def build_bottom(spec: BottomSpec, spreads: tuple[float, float]) -> Cut:
    """The garment's pieces and landmarks; spreads: how far each leg (wearer's right first) swings out, radians."""
    cut = Cut(pieces=[], points={}, joints={}, halfwidths={})
    cut.points["r_hip"], cut.points["l_hip"] = (-1.0, 0.0, 2), (1.0, 0.0, 2)
    if spec.is_skirt:
        _skirt(cut, spec)
    else:
        cut.joints["crotch"] = (0.0, spec.crotch)
        for side, sign, spread in (("r", -1.0, spreads[0]), ("l", 1.0, spreads[1])):
            cut.joints[f"{side}_hip"] = (sign * 0.62, 0.75 * spec.crotch)
            _leg(cut, spec, side, sign, spread)
        _fly(cut, spec)
    _waistband(cut, spec)
    return cut


def _waist_line(spec: BottomSpec, y: float = 0.0, half: float = 1.0) -> np.ndarray:
    t = np.linspace(-1, 1, 9)
    return np.stack([half * t, y + spec.waist_bow * (1 - t**2)], 1).astype(np.float32)


def _waistband(cut: Cut, spec: BottomSpec) -> None:
    """The band, and the inside of the back above it."""
    layer = "skirt" if spec.is_skirt else "r_upper_leg"
    if spec.waist_bow > 0.04:
        back = smooth([(1, 0), (0, -0.05), (-1, 0)], 6)
        inner = np.concatenate([_waist_line(spec), back])
        cut.pieces.append(Piece(layer=layer, outline=inner, depth=1.0, material=INNER, shade=0.7))
    if not spec.band:
        return
    half = 1 + (spec.hip[0] - 1) * spec.band / spec.hip[1]
    top, bottom = _waist_line(spec), _waist_line(spec, spec.band, half)
    for sign, keep in ((-1, slice(0, 5)), (1, slice(4, 9))):
        outline = np.concatenate([top[keep], bottom[keep][::-1]])
        piece = Piece(layer=layer if spec.is_skirt or sign < 0 else "l_upper_leg", outline=outline, depth=6.0)
        piece.material = TRIM if spec.detail == "cord" else "cloth"
        piece.shade = 0.96
        piece.strokes.append(Stroke(points=bottom[keep], width=0.03, tone=0.7))
        cut.pieces.append(piece)
    if spec.detail in ("fly", "jeans"):
        cut.pieces[-1].dots.append(
            Dot(centre=(0.0, spec.band / 2 + spec.waist_bow), radius=0.07, colour=(170, 150, 120))
        )
    if spec.detail == "jeans":
        for x in (-0.62, 0.62):
            loop = np.array([(x, 0), (x, spec.band + 0.05)], np.float32)
            cut.pieces[-1 if x > 0 else -2].strokes.append(Stroke(points=loop, width=0.07, tone=0.8))
    if spec.detail == "cord":
        for x in (-0.08, 0.1):
            cord = np.array([(x, spec.band / 2), (x * 2, spec.band + 0.6)], np.float32)
            cut.pieces[-1].strokes.append(Stroke(points=cord, width=0.05, tone=1.25 if x > 0 else 0.7))


@dataclass(frozen=True, kw_only=True)
class _Leg:
    """One leg's geometry: joints of its centre line, half widths, outer and inner seam, and its edge at the middle."""

    root: np.ndarray
    knee: np.ndarray
    end: np.ndarray
    down: np.ndarray
    across: np.ndarray
    thigh: float
    knee_half: float
    spread: float
    outer: np.ndarray
    inner: np.ndarray


def _leg_geometry(spec: BottomSpec, sign: float, spread: float) -> _Leg:
    leg_length = spec.length - spec.crotch
    thigh = (spec.hip[0] + 0.02) / 2
    apart = (spec.hem + spec.gap - thigh) / leg_length  # wide legs stand further apart, or they would look like a skirt
    spread = max(spread, float(np.arcsin(np.clip(apart, -0.5, 0.6))))
    down = heading(sign * spread)
    root = np.array([sign * thigh, spec.crotch], np.float32)
    end = root + down * leg_length
    shift = sign * (0.12 if spec.hem < 0.6 else 0.0)
    end[0] += -shift * 0.5
    knee = (root + end) / 2
    across = np.array([down[1], -down[0]], np.float32) * sign  # outwards
    knee_half = (thigh + spec.hem) / 2 * (0.95 if spec.hem < thigh else 1.0)
    if not spec.is_short and spec.hem > 0.45:
        knee_half = min(knee_half, spec.hem * 1.02)
    seam = [(sign, 0.0), (sign * spec.hip[0], spec.hip[1]), root + across * thigh, knee + across * knee_half]
    return _Leg(
        root=root, knee=knee, end=end, down=down, across=across, thigh=thigh, knee_half=knee_half, spread=spread,
        outer=smooth([*seam, end + across * spec.hem]),
        inner=smooth([(0.0, spec.crotch), knee - across * knee_half, end - across * spec.hem]),
    )  # fmt: skip


def _leg(cut: Cut, spec: BottomSpec, side: str, sign: float, spread: float) -> None:
    """Half of the pelvis and one leg; the outer seam through hip and knee, the inner one from the crotch."""
    leg = _leg_geometry(spec, sign, spread)
    waist = _waist_line(spec)
    waist = waist[:5] if sign < 0 else waist[4:][::-1]
    top = [waist[1:], np.array([(0.0, waist[-1, 1]), (0.0, spec.crotch)], np.float32)]
    depth, grain = 4.0 if sign < 0 else 4.1, (float(leg.root[0]), 0.0, -sign * leg.spread)
    piece = (_short_leg if spec.is_short else _long_leg)(cut, spec, side, leg, top, depth, grain)
    corners = [leg.end + leg.across * spec.hem, leg.end - leg.across * spec.hem]
    hem = np.array([corner - leg.down * 0.1 for corner in corners], np.float32)
    piece.strokes.append(Stroke(points=hem, width=0.035, tone=0.72))
    if spec.detail == "cord" and not spec.is_short:
        corners += [corners[1] - leg.down * 0.35, corners[0] - leg.down * 0.35]
        outline = np.array(corners, np.float32)
        cut.pieces.append(Piece(layer=piece.layer, outline=outline, depth=depth + 0.05, material=TRIM))


def _short_leg(cut: Cut, spec: BottomSpec, side: str, leg: _Leg, top: list, depth: float, grain) -> Piece:
    """One piece from waist to hem; the knee landmark is the hem's middle."""
    outline = np.concatenate([leg.outer[::-1], *top, leg.inner[1:]])
    piece = Piece(layer=f"{side}_upper_leg", outline=outline, depth=depth, grain=grain)
    cut.pieces.append(piece)
    cut.points[f"{side}_knee"] = (float(leg.end[0]), float(leg.end[1]), 2)
    knee = leg.root + leg.down * 2.3
    cut.joints[f"{side}_knee"] = (float(knee[0]), float(knee[1]))
    cut.halfwidths[f"{side}_upper_leg"] = (leg.thigh, spec.hem)
    return piece


def _long_leg(cut: Cut, spec: BottomSpec, side: str, leg: _Leg, top: list, depth: float, grain) -> Piece:
    """Two pieces that overlap at the knee; returns the lower one."""
    outer, inner, split = leg.outer, leg.inner, float(leg.knee[1])
    upper_outer, lower_outer = outer[outer[:, 1] < split], outer[outer[:, 1] >= split - 0.12]
    upper_inner, lower_inner = inner[inner[:, 1] < split], inner[inner[:, 1] >= split - 0.12]
    thigh = [[point_at(outer, split)], upper_outer[::-1], *top, upper_inner[1:], [point_at(inner, split)]]
    outline = np.concatenate(thigh).astype(np.float32)
    cut.pieces.append(Piece(layer=f"{side}_upper_leg", outline=outline, depth=depth, grain=grain))
    shin = [[point_at(outer, split - 0.06)], lower_outer, lower_inner[::-1], [point_at(inner, split - 0.06)]]
    outline = np.concatenate(shin).astype(np.float32)
    piece = Piece(layer=f"{side}_lower_leg", outline=outline, depth=depth - 0.05, grain=grain)
    cut.pieces.append(piece)
    for name, point in (("knee", leg.knee), ("ankle", leg.end)):
        cut.points[f"{side}_{name}"] = (float(point[0]), float(point[1]), 2)
        cut.joints[f"{side}_{name}"] = (float(point[0]), float(point[1]))
    cut.halfwidths[f"{side}_upper_leg"] = (leg.thigh, leg.knee_half)
    cut.halfwidths[f"{side}_lower_leg"] = (leg.knee_half, spec.hem)
    return piece


def _fly(cut: Cut, spec: BottomSpec) -> None:
    """Fly, pockets, crease and side stitching on both halves."""
    uppers = [piece for piece in cut.pieces if piece.layer.endswith("upper_leg")]
    centre = np.array([(0.0, 0.0), (0.0, spec.crotch)], np.float32)
    uppers[1].strokes.append(Stroke(points=centre, width=0.025, tone=0.65))
    if spec.detail in ("fly", "jeans"):
        fly = smooth([(0.16, spec.band), (0.16, spec.crotch * 0.5), (0.0, spec.crotch * 0.72)], 4)
        uppers[1].strokes.append(Stroke(points=fly, width=0.02, tone=0.75))
        for piece, sign in zip(uppers, (-1, 1)):
            pocket = smooth([(sign * 0.42, spec.band), (sign * 0.62, 0.55), (sign * 1.05, 0.72)], 4)
            piece.strokes.append(Stroke(points=pocket, width=0.03, tone=0.65))


def _skirt(cut: Cut, spec: BottomSpec) -> None:
    """One bell; hips are the waistband, knees halfway down its outline, ankles the hem's corners."""
    bow = 0.07 * spec.hem
    edges = {}
    for sign in (-1.0, 1.0):
        (hx, hy), h = spec.hip, spec.length
        edge = smooth([(1, 0), (hx, hy), ((hx + spec.hem) / 2, (hy + h) / 2), (spec.hem, h)])
        edges[sign] = edge * np.array([sign, 1], np.float32)
    t = np.linspace(-1, 1, 15)
    hem = np.stack([spec.hem * t, spec.length + bow * (1 - t**2)], 1).astype(np.float32)
    outline = np.concatenate([edges[-1.0], hem, edges[1.0][::-1], _waist_line(spec)[::-1]])
    piece = Piece(layer="skirt", outline=outline, depth=4.0)
    piece.strokes.append(Stroke(points=hem - np.array([0, 0.09], np.float32), width=0.025, tone=0.75))
    for tier in range(1, spec.tiers):
        level = spec.length * tier / spec.tiers
        line = np.array([point_at(edges[-1.0], level), point_at(edges[1.0], level)], np.float32)
        piece.strokes.append(Stroke(points=line, width=0.04, tone=0.7))
    if spec.detail == "pleats":
        for x in np.linspace(-0.85, 0.85, 11):
            line = np.array([(x, spec.band), (x * spec.hem, spec.length + bow * (1 - x * x))], np.float32)
            piece.strokes.append(Stroke(points=line, width=0.05, tone=0.8))
    if spec.detail in ("buttons", "slit"):
        x = 0.0 if spec.detail == "buttons" else 0.45 * spec.hem
        start = spec.band if spec.detail == "buttons" else 0.45 * spec.length
        line = np.array([(x, start), (x, spec.length + bow)], np.float32)
        piece.strokes.append(Stroke(points=line, width=0.03, tone=0.6))
        if spec.detail == "buttons":
            for y in np.arange(spec.band + 0.2, spec.length - 0.1, 0.5):
                piece.dots.append(Dot(centre=(0.06, float(y)), radius=0.06, colour=(90, 70, 50)))
    cut.pieces.append(piece)
    for side, sign in (("r", -1.0), ("l", 1.0)):
        x, y = point_at(edges[sign], spec.length / 2)
        cut.points[f"{side}_knee"] = (x, y, 2)
        cut.points[f"{side}_ankle"] = (sign * spec.hem, spec.length, 2)
        cut.joints[f"{side}_hip"] = (sign * 0.9, 0.5)
        cut.joints |= {f"{side}_knee": (x, y), f"{side}_ankle": (sign * spec.hem, spec.length)}
    cut.halfwidths["skirt"] = (1.0, spec.hem)
