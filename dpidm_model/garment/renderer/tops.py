"""Tops and dresses: what they may look like, and their shapes in a pose."""

from dataclasses import dataclass

import numpy as np

from .outline import CLOTH, CONTRAST, HAIR, INNER, TRIM, Cut, Dot, Piece, Stroke, heading, point_at, ribbon, smooth

SHORTEST_DRESS = 3.7  # hem height; no top is longer, so that the two can be told apart
LONG_SLEEVE = 1.75  # from this length on a sleeve covers the elbow and has a wrist


@dataclass(frozen=True, kw_only=True)
class TopSpec:
    """The cut of a top or a dress in garment units (half shoulder width 1, highest shoulder point y = 0).

    strap: width of camisole straps, 0 = shoulders.  sleeve: length, 0 = none.  puff: how far the sleeve billows.
    inset: where the sleeve's middle starts, in sleeve widths inside of the shoulder point (0.5: no bulge).
    skirt: hem height of a dress, 0 = a top; then `hem` is the waist, with a seam to be seen or not.
    belt: height of a belt or corset around the waist, 0 = none.
    """

    kind: str
    neck_shape: str
    neck_half: float
    neck_depth: float
    back_depth: float
    drop: float
    strap: float
    armpit: tuple[float, float]
    waist: tuple[float, float]
    hem: tuple[float, float]
    hem_bow: float
    sleeve: float
    sleeve_width: float
    cuff_width: float
    inset: float
    puff: float
    collar: str
    front: str
    pocket: str
    rib: bool
    contrast_sleeve: bool
    peplum: float
    skirt: float
    skirt_half: float
    tiers: int
    seam: bool
    belt: float


@dataclass(frozen=True, kw_only=True)
class ArmPose:
    """One arm: angles of upper and lower half from straight down, outwards positive; fold: none, front or behind."""

    upper: float
    lower: float
    fold: str
    before: bool


REST_ARM = ArmPose(upper=0.45, lower=0.35, fold="none", before=False)

# kind: (weight, neck shapes, collars, fronts, sleeve ranges, hem range, chest range, pockets)
TOPS = {
    "tee": (
        20,
        "round round v boat",
        "rib rib none",
        "closed",
        ((0.35, 1.7),),
        (2.3, 3.5),
        (0.9, 1.12),
        "none none chest",
    ),
    "longsleeve": (10, "round boat v", "rib none", "closed", ((1.8, 3.0),), (2.4, 3.4), (0.85, 1.05), "none"),
    "sweater": (8, "round v", "rib turtle rib", "closed", ((2.2, 3.0),), (2.0, 3.3), (0.95, 1.2), "none"),
    "hoodie": (5, "round", "hood", "closed zip", ((2.4, 3.0),), (2.4, 3.2), (0.95, 1.2), "kangaroo"),
    "shirt": (7, "v", "shirt", "buttons", ((0.7, 1.65), (2.3, 2.95)), (2.5, 3.6), (0.9, 1.15), "none chest"),
    "polo": (4, "v", "shirt", "polo", ((0.6, 1.2),), (2.5, 3.3), (0.9, 1.1), "none"),
    "cardigan": (5, "v", "none", "buttons open", ((2.0, 3.0),), (2.2, 3.6), (0.9, 1.15), "none patch"),
    "blazer": (4, "v", "lapel", "buttons", ((2.3, 3.0),), (2.6, 3.6), (0.9, 1.05), "patch"),
    "jacket": (4, "round v", "shirt rib", "zip", ((2.4, 3.0),), (2.0, 3.0), (0.95, 1.15), "patch chest"),
    "vest": (7, "round v square", "rib none", "closed", ((0, 0),), (2.2, 3.6), (1.02, 1.45), "none"),
    "camisole": (6, "sweetheart straight v", "none", "closed buttons", ((0, 0),), (1.5, 3.4), (0.95, 1.35), "none"),
    "blouse": (
        14,
        "round v square boat",
        "none",
        "closed closed buttons",
        ((0.5, 1.6), (2.0, 2.9)),
        (2.0, 3.1),
        (0.8, 1.0),
        "none",
    ),
}
DRESS_TOPS = ("tee", "vest", "camisole", "blouse", "blouse", "longsleeve", "shirt", "vest")


def sample_top(rng: np.random.Generator, kind: str, dress: bool = False) -> TopSpec:
    """A random cut of that kind (a key of TOPS), as a dress if asked."""
    _, necks, collars, fronts, sleeves, hem_range, chest_range, pockets = TOPS[kind]
    pick = lambda words: str(rng.choice(words.split()))  # noqa: E731
    u = rng.uniform
    neck, strap = pick(necks), u(0.05, 0.14) if kind == "camisole" else 0.0
    low, high = sleeves[rng.integers(len(sleeves))]
    sleeve = 0.0 if high == 0 else float(u(low, high))
    chest, armpit_y = u(*chest_range), u(0.85, 1.3)
    depth = {"boat": (0.08, 0.22), "round": (0.2, 0.7), "v": (0.5, 1.4), "square": (0.4, 0.9)}.get(neck, (0.75, 1.25))
    neck_half = u(0.55, 0.85) if neck in ("boat", "square") else u(0.28, 0.62)
    if kind in ("shirt", "polo", "hoodie") or neck == "turtle":
        neck_half, depth = u(0.28, 0.42), (0.15, 0.4)
    collar = pick(collars)
    if collar == "turtle":
        neck_half, depth = u(0.3, 0.45), (0.08, 0.2)
    hem_y = u(*hem_range)
    waist_y = u(0.55, 0.7) * max(hem_y, 2.4) if not dress else u(1.55, 2.4)
    waist = chest * u(0.78, 1.05)
    hem = waist * u(0.95, 1.3)
    puffy = kind == "blouse" and rng.random() < 0.7
    skirt, skirt_half = 0.0, 0.0
    if dress:
        hem_y, hem, skirt = waist_y, waist, max(waist_y + u(1.4, 6.0), SHORTEST_DRESS + u(0, 0.5))
        skirt_half = waist * u(1.0, 1.35) + (skirt - waist_y) * u(-0.03, 0.34)
    return TopSpec(
        kind=kind,
        neck_shape=neck,
        neck_half=float(min(neck_half, 0.88)),
        neck_depth=float(u(*depth)),
        back_depth=float(u(0.02, 0.18)),
        drop=float(u(0.1, 0.42) if kind not in ("vest",) else u(0.02, 0.18)),
        strap=float(strap),
        armpit=(float(chest), float(armpit_y)),
        waist=(float(waist), float(min(waist_y, hem_y - 0.05))),
        hem=(float(hem), float(hem_y)),
        hem_bow=float(u(-0.06, 0.22) if rng.random() < 0.75 else u(0.2, 0.5)) * (0.0 if dress else 1.0),
        sleeve=sleeve,
        sleeve_width=float(u(0.62, 0.9) * (1.15 if puffy else 1.0)),
        cuff_width=float(u(0.55, 0.95) if 0 < sleeve < LONG_SLEEVE else u(0.3, 0.62)),
        inset=float(u(0.2, 0.5)),
        puff=float(u(0.2, 0.75) if puffy else u(-0.05, 0.08)),
        collar=collar,
        front=pick(fronts),
        pocket=pick(pockets),
        rib=bool(rng.random() < (0.85 if kind in ("sweater", "hoodie") else 0.3)),
        contrast_sleeve=bool(rng.random() < 0.12),
        peplum=float(u(0.15, 0.5) if not dress and kind in ("blouse", "vest") and rng.random() < 0.25 else 0.0),
        skirt=float(skirt),
        skirt_half=float(skirt_half),
        tiers=int(rng.choice([1, 1, 1, 2, 3])) if dress else 1,
        seam=bool(rng.random() < 0.55),
        belt=float(u(0.12, 0.6)) if rng.random() < 0.14 else 0.0,
    )


def sample_arms(rng: np.random.Generator, spec: TopSpec) -> tuple[ArmPose, ArmPose]:
    """A pose of both sleeves (the wearer's right first): mostly alike, sometimes folded."""
    spread = rng.uniform(0.05, 0.5) if rng.random() < 0.75 else rng.uniform(0.55, 1.35)
    bend = rng.normal(-0.08, 0.12) if rng.random() < 0.8 else rng.uniform(-0.6, 0.2)
    before = bool(rng.random() < 0.5)
    arms = []
    for _ in range(2):
        fold = "none"
        if spec.sleeve > LONG_SLEEVE and rng.random() < 0.06:
            fold = str(rng.choice(["front", "front", "behind"]))
        upper = spread + rng.normal(0, 0.05)
        lower = upper + bend + rng.normal(0, 0.07)
        if fold != "none":
            upper, lower = rng.uniform(0.1, 0.4), -rng.uniform(0.8, 2.2)
        arms.append(ArmPose(upper=float(upper), lower=float(lower), fold=fold, before=before))
    return arms[0], arms[1]


def build_top(spec: TopSpec, arms: tuple[ArmPose, ArmPose]) -> Cut:
    """The garment's pieces and landmarks; arms: the wearer's right (picture left) and left."""
    pieces: list[Piece] = []
    cut = Cut(pieces=pieces, points={}, joints={}, halfwidths={})
    sides = {}
    for side, sign, arm in (("r", -1.0, arms[0]), ("l", 1.0, arms[1])):
        sides[side] = _side_edge(spec, sign)
        _sleeve(cut, spec, side, sign, arm)
    front = _front_neckline(spec)
    hem = _hem_line(spec)
    right, left = sides["r"], sides["l"]
    outline = np.concatenate([right, hem, left[::-1], front[::-1]])
    torso = Piece(layer="torso", outline=outline, depth=5.0, grain=(0, 0, 0))
    pieces.append(torso)
    _back_panel(pieces, spec, front)
    _collar(pieces, spec, front)
    _front_details(torso, spec)
    if spec.belt:
        level = min(spec.waist[1], spec.hem[1] - 0.05)
        rows = [level - spec.belt / 2, min(level + spec.belt / 2, spec.hem[1])]
        corners = [point_at(right, rows[0]), point_at(left, rows[0]), point_at(left, rows[1]), point_at(right, rows[1])]
        pieces.append(Piece(layer="torso", outline=np.array(corners, np.float32), depth=5.4, material=CONTRAST))
    neck_y = spec.neck_depth if spec.front != "polo" else spec.neck_depth * 0.9
    cut.points["neck"] = (0.0, neck_y, 2)
    cut.joints |= {"neck": (0.0, 0.1), "r_shoulder": (-0.9, spec.drop + 0.15), "l_shoulder": (0.9, spec.drop + 0.15)}
    cut.points["r_shoulder"], cut.points["l_shoulder"] = (-1.0, spec.drop, 2), (1.0, spec.drop, 2)
    cut.halfwidths["torso"] = (1.0, spec.hem[0])
    cut.print_box = (-0.7, max(spec.neck_depth + 0.15, 0.5), 0.7, min(spec.hem[1] - 0.2, spec.neck_depth + 1.5))
    if spec.skirt:
        _skirt_of_dress(cut, spec, torso)
    else:
        for side, sign in (("r", -1.0), ("l", 1.0)):
            cut.points[f"{side}_hip"] = (sign * spec.hem[0], spec.hem[1], 2)
            cut.joints[f"{side}_hip"] = (sign * 0.72, 2.75)
        if spec.peplum:
            _peplum(cut, spec)
    return cut


def _side_edge(spec: TopSpec, sign: float) -> np.ndarray:
    """From the high shoulder point over shoulder, armhole and waist to the hem corner."""
    (ax, ay), (wx, wy), (hx, hy) = spec.armpit, spec.waist, spec.hem
    if spec.strap:
        top = min(ay * 0.8, hy - 0.5)
        inner = [(1.0 - spec.strap, 0.0), (1.0, 0.02), (1.0 - 0.05, top)]
        edge = np.concatenate([np.array(inner, np.float32), smooth([(1.0, top), (ax, ay), (wx, wy), (hx, hy)])])
    else:
        hollow = 0.8 if spec.sleeve == 0 else 0.93
        armhole = smooth([(1.0, spec.drop), (min(hollow, ax), ay * 0.62), (ax, ay)])
        body = smooth([(ax, ay), ((ax + wx) / 2 * 0.995, (ay + wy) / 2), (wx, wy), (hx, hy)])
        shoulder = smooth([(spec.neck_half, 0.0), ((spec.neck_half + 1) / 2, spec.drop * 0.4), (1.0, spec.drop)])
        edge = np.concatenate([shoulder, armhole[1:], body[1:]])
    return edge * np.array([sign, 1.0], np.float32)


def _front_neckline(spec: TopSpec) -> np.ndarray:
    """The front neckline from the wearer's right to left."""
    n, d = (1.0 - spec.strap if spec.strap else spec.neck_half), spec.neck_depth
    if spec.strap:
        top = min(spec.armpit[1] * 0.8, spec.hem[1] - 0.5)
        x = 0.92
        middle = {"v": [(0.0, d)], "straight": [(0.0, d)]}.get(
            spec.neck_shape, [(-0.45, (top + d) / 2 - 0.12), (0.0, d), (0.45, (top + d) / 2 - 0.12)]
        )
        inner = (
            smooth([(-x, top), *middle, (x, top)])
            if spec.neck_shape != "v"
            else np.array([(-x, top), (0, d), (x, top)], np.float32)
        )
        return np.concatenate([np.array([(-n, 0.0)], np.float32), inner, np.array([(n, 0.0)], np.float32)])
    if spec.neck_shape == "v":
        return smooth([(-n, 0), (-n * 0.55, d * 0.5), (0, d), (n * 0.55, d * 0.5), (n, 0)], 4)
    if spec.neck_shape == "square":
        return np.array([(-n, 0), (-n * 0.92, d), (0, d), (n * 0.92, d), (n, 0)], np.float32)
    angle = np.linspace(np.pi, 0, 17)
    return np.stack([n * np.cos(angle), d * np.sin(angle) ** 0.8], 1).astype(np.float32)


def _hem_line(spec: TopSpec) -> np.ndarray:
    """The hem from the wearer's right corner to the left one, bowed."""
    x, y = spec.hem
    t = np.linspace(-1, 1, 13)
    return np.stack([x * t, y + spec.hem_bow * (1 - t**2)], 1).astype(np.float32)


def _sleeve(cut: Cut, spec: TopSpec, side: str, sign: float, arm: ArmPose) -> None:
    """Upper and lower half of one sleeve with cuff, landmarks and joints (also where there is no sleeve)."""
    upper, lower = heading(sign * arm.upper), heading(sign * arm.lower)
    shoulder, armpit = np.array([sign, spec.drop]), np.array([sign * spec.armpit[0], spec.armpit[1]])
    inward = np.array([-sign * upper[1], sign * upper[0]])
    start = shoulder + inward * spec.sleeve_width * spec.inset + upper * 0.02
    elbow_joint = start + upper * 1.42
    cut.joints[f"{side}_elbow"] = (float(elbow_joint[0]), float(elbow_joint[1]))
    wrist_joint = elbow_joint + lower * 1.3
    cut.joints[f"{side}_wrist"] = (float(wrist_joint[0]), float(wrist_joint[1]))
    if spec.sleeve == 0:
        return
    long = spec.sleeve >= LONG_SLEEVE
    half = spec.sleeve / 2
    elbow, end = start + upper * half, start + upper * half + (lower if long else upper) * half
    w0, w2 = spec.sleeve_width, spec.cuff_width
    w1 = (w0 + w2) / 2 + (spec.puff * 0.7 if long else spec.puff)
    material = CONTRAST if spec.contrast_sleeve else CLOTH
    depth = 6.0 if arm.before else 3.0
    inside = np.array([(sign * min(0.7, spec.armpit[0]), spec.armpit[1] * 0.8), (sign * 0.72, spec.drop + 0.12)])
    if arm.before:  # lies on the torso: ends at the armhole's seam
        inside = np.array([(sign * min(0.93, spec.armpit[0]), spec.armpit[1] * 0.62)])

    def add(name, centre, widths, depth, cap):
        a, b = ribbon(centre, widths)
        outer, inner = (a, b) if sign > 0 else (b, a)
        if cap:  # from the shoulder point outside, back from the armpit
            inner = inner[(inner - armpit) @ upper > 0.08]
            outer = outer[(outer - shoulder) @ upper > 0.12]
        parts = [shoulder[None], outer, inner[::-1], armpit[None], inside] if cap else [outer, inner[::-1]]
        grain = (float(centre[0][0]), float(centre[0][1]), -float(np.arctan2(*(np.array(centre[-1]) - centre[0]))))
        outline = np.concatenate(parts).astype(np.float32)
        piece = Piece(layer=f"{side}_{name}_sleeve", outline=outline, depth=depth, material=material, grain=grain)
        cut.pieces.append(piece)
        return piece

    cut.sleeve = "long" if long else "short"
    if long:
        billow = (w1 + w2) / 2 + spec.puff * 0.8
        add("upper", [start, (start + elbow) / 2, elbow], [w0, (w0 + w1) / 2 + spec.puff * 0.2, w1], depth, True)
        fold_depth = {"none": depth + 0.1, "front": 7.5, "behind": 2.0}[arm.fold]
        middle, overlap = (elbow + end) / 2, elbow - upper * 0.06
        last = add("lower", [overlap, middle, end], [w1, billow, w2], fold_depth, False)
    else:
        last = add("upper", [start, (start + end) / 2, end], [w0, (w0 + w2) / 2 + spec.puff, w2], depth, True)
    direction = lower if long else upper
    across = np.array([direction[1], -direction[0]]) * w2 / 2
    _cuff(cut, spec, last, end, across, direction)
    hidden = 1 if arm.fold == "behind" else 2
    names = [("elbow", elbow, 2), ("wrist", end, hidden)] if long else [("elbow", end, 2)]
    for name, point, visible in names:
        cut.points[f"{side}_{name}"] = (float(point[0]), float(point[1]), visible)
    cut.halfwidths[f"{side}_upper_sleeve"] = (w0 / 2, (w1 if long else w2) / 2)
    if long:
        cut.halfwidths[f"{side}_lower_sleeve"] = (w1 / 2, w2 / 2)


def _cuff(cut: Cut, spec: TopSpec, piece: Piece, end, across, direction) -> None:
    """A ribbed band or a stitched hem at the sleeve's end."""
    band = 0.16 if spec.rib else 0.07
    if spec.rib:
        wide = across * (1.03 if spec.puff > 0.15 else 1.0)
        corners = [end + wide, end - wide, end - wide - direction * band, end + wide - direction * band]
        cut.pieces.append(
            Piece(layer=piece.layer, outline=np.array(corners, np.float32), depth=piece.depth + 0.05, material=TRIM)
        )
    line = np.array([end + across - direction * band, end - across - direction * band], np.float32)
    piece.strokes.append(Stroke(points=line, width=0.02, tone=0.72))


def _back_panel(pieces: list[Piece], spec: TopSpec, front: np.ndarray) -> None:
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


def _collar(pieces: list[Piece], spec: TopSpec, front: np.ndarray) -> None:
    """Rib, shirt collar, turtle neck, hood or lapels."""
    n, d = spec.neck_half, spec.neck_depth
    if spec.collar == "rib" and not spec.strap:
        band = 0.09
        inner = front * np.array([1 - band / max(n, 0.3), 1.0], np.float32) - np.array([0, 0.0], np.float32)
        outer = front * np.array([1 + band / max(n, 0.3), 1.0], np.float32) + np.array([0, band], np.float32)
        outer[[0, -1], 1] = 0.02
        pieces.append(Piece(layer="torso", outline=np.concatenate([front, outer[::-1]]), depth=5.5, material=TRIM))
        pieces[-1].strokes.append(Stroke(points=outer, width=0.018, tone=0.75))
        del inner
    if spec.collar == "turtle":
        h = 0.45
        shape = [(-n, 0.02), (-n * 0.93, -h), (0, -h + 0.05), (n * 0.93, -h), (n, 0.02), (0, d + 0.02)]
        outline = np.concatenate([smooth(shape[1:4], 4), smooth([*shape[4:], shape[0]], 5)])
        pieces.append(
            Piece(layer="torso", outline=outline, depth=5.6, strokes=[Stroke(points=front, width=0.02, tone=0.8)])
        )
    if spec.collar == "shirt":
        for s in (-1, 1):
            tip = (s * (n * 0.75 + 0.1), d + 0.32)
            shape = np.array([(s * n * 0.96, -0.16), (0.02 * s, d * 0.95), tip, (s * (n + 0.18), 0.1)], np.float32)
            stroke = Stroke(points=shape, width=0.018, tone=0.65, closed=True)
            pieces.append(Piece(layer="torso", outline=shape, depth=5.6, strokes=[stroke], grain=(0, 0, s * 0.5)))
        band = np.array([(-n * 0.96, -0.16), (n * 0.96, -0.16), (n, 0.06), (0, d * 0.8), (-n, 0.06)], np.float32)
        pieces.append(Piece(layer="torso", outline=band, depth=1.2, material=CLOTH, shade=0.8))
    if spec.collar == "hood":
        outline = smooth(
            [(-n * 1.25, 0.1), (-0.72, -0.45), (-0.4, -0.95), (0.4, -0.95), (0.72, -0.45), (n * 1.25, 0.1)], 5
        )
        pieces.append(Piece(layer="torso", outline=outline, depth=0.5, shade=0.92))
        opening = smooth([(-n, 0.05), (-0.42, -0.4), (0, -0.62), (0.42, -0.4), (n, 0.05), (0, d), (-n, 0.05)], 4)
        pieces.append(Piece(layer="torso", outline=opening, depth=1.2, material=INNER, shade=0.6))
        cords = [
            Stroke(points=np.array([(s * 0.16, d), (s * 0.2, d + 0.8)], np.float32), width=0.04, tone=1.25)
            for s in (-1, 1)
        ]
        pieces[-1].strokes.append(Stroke(points=opening, width=0.03, tone=0.8))
        band = np.concatenate([front, front[::-1] + np.array([0, 0.1], np.float32)])
        pieces.append(Piece(layer="torso", outline=band, depth=5.6, strokes=cords))
    if spec.collar == "lapel":
        for s in (-1, 1):
            shape = np.array(
                [(s * n, -0.08), (0, d), (s * (n + 0.38), 0.62), (s * (n + 0.2), 0.5), (s * (n + 0.3), 0.25)],
                np.float32,
            )
            stroke = Stroke(points=shape, width=0.02, tone=0.6, closed=True)
            pieces.append(Piece(layer="torso", outline=shape, depth=5.6, strokes=[stroke], grain=(0, 0, s * 0.35)))


def _front_details(torso: Piece, spec: TopSpec) -> None:
    """Seams, hem, placket with buttons, zip, pockets."""
    x, y = spec.hem
    hem = _hem_line(spec) - np.array([0, 0.2 if spec.rib else 0.07], np.float32)
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


def _skirt_edge(
    waist: float, waist_y: float, hip: float, hip_y: float, hem: float, hem_y: float, sign: float
) -> np.ndarray:
    edge = smooth([(waist, waist_y), (hip, hip_y), ((hip + hem) / 2, (hip_y + hem_y) / 2), (hem, hem_y)])
    return edge * np.array([sign, 1.0], np.float32)


def _skirt_of_dress(cut: Cut, spec: TopSpec, torso: Piece) -> None:
    """From the waist down: hips at 1.45 times the way from shoulder to waist, knees halfway from there to the hem."""
    waist, waist_y = spec.hem
    hip_y = min(spec.drop + 1.45 * (waist_y - spec.drop), spec.skirt - 0.4)
    share = (hip_y - waist_y) / (spec.skirt - waist_y)
    hip = waist + (spec.skirt_half - waist) * min(1.0, share * 1.25) + 0.06
    edges = {s: _skirt_edge(waist, waist_y, hip, hip_y, spec.skirt_half, spec.skirt, s) for s in (-1.0, 1.0)}
    t = np.linspace(-1, 1, 13)
    bow = 0.06 * spec.skirt_half
    hem = np.stack([spec.skirt_half * t, spec.skirt + bow * (1 - t**2)], 1).astype(np.float32)
    outline = np.concatenate([edges[-1.0], hem, edges[1.0][::-1]])
    piece = Piece(layer="skirt", outline=outline, depth=4.5)
    for tier in range(1, spec.tiers):
        level = waist_y + (spec.skirt - waist_y) * tier / spec.tiers
        line = np.array([point_at(edges[-1.0], level), point_at(edges[1.0], level)], np.float32)
        piece.strokes.append(Stroke(points=line, width=0.035, tone=0.7))
    piece.strokes.append(Stroke(points=hem - np.array([0, 0.07], np.float32), width=0.02, tone=0.75))
    cut.pieces.append(piece)
    if spec.seam:
        torso.strokes.append(Stroke(points=_hem_line(spec), width=0.03, tone=0.78))
    else:
        del torso.strokes[0]
    for side, sign in (("r", -1.0), ("l", 1.0)):
        for name, y in (("hip", hip_y), ("knee", (hip_y + spec.skirt) / 2), ("ankle", spec.skirt)):
            x, y = point_at(edges[sign], y)
            cut.points[f"{side}_{name}"] = (x, y, 2)
            cut.joints[f"{side}_{name}"] = (sign * 0.7, y) if name == "hip" else (x, y)
    cut.halfwidths["skirt"] = (hip, spec.skirt_half)


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


def _peplum(cut: Cut, spec: TopSpec) -> None:
    """A flared flounce below the hem seam; its corners become the hips."""
    (x, y), flare = spec.hem, spec.peplum
    t = np.linspace(-1, 1, 13)
    top = np.stack([x * t, np.full(13, y - 0.05)], 1)
    bottom = np.stack([(x + flare) * t, y + flare * 1.2 + 0.12 * (1 - t**2)], 1)
    outline = np.concatenate([top, bottom[::-1]]).astype(np.float32)
    seam = Stroke(points=top.astype(np.float32), width=0.03, tone=0.75)
    cut.pieces.append(Piece(layer="torso", outline=outline, depth=4.6, strokes=[seam]))
    for side, sign in (("r", -1.0), ("l", 1.0)):
        cut.points[f"{side}_hip"] = (sign * (x + flare), y + flare * 1.2, 2)
