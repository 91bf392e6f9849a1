"""Tops and dresses as shapes in a pose."""

import numpy as np

from .outline import CLOTH, CONTRAST, TRIM, Cut, Piece, Stroke, heading, point_at, ribbon, smooth
from .top_details import back_panel, collar, front_details, hem_line
from .top_spec import LONG_SLEEVE, ArmPose, TopSpec


def build_top(spec: TopSpec, arms: tuple[ArmPose, ArmPose]) -> Cut:
    """The garment's pieces and landmarks; arms: the wearer's right (picture left) and left."""
    pieces: list[Piece] = []
    cut = Cut(pieces=pieces, points={}, joints={}, halfwidths={})
    sides = {}
    for side, sign, arm in (("r", -1.0, arms[0]), ("l", 1.0, arms[1])):
        sides[side] = _side_edge(spec, sign)
        _sleeve(cut, spec, side, sign, arm)
    front = _front_neckline(spec)
    hem = hem_line(spec)
    right, left = sides["r"], sides["l"]
    outline = np.concatenate([right, hem, left[::-1], front[::-1]])
    torso = Piece(layer="torso", outline=outline, depth=5.0, grain=(0, 0, 0))
    pieces.append(torso)
    back_panel(pieces, spec, front)
    collar(pieces, spec, front)
    front_details(torso, spec)
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
        torso.strokes.append(Stroke(points=hem_line(spec), width=0.03, tone=0.78))
    else:
        del torso.strokes[0]
    for side, sign in (("r", -1.0), ("l", 1.0)):
        for name, y in (("hip", hip_y), ("knee", (hip_y + spec.skirt) / 2), ("ankle", spec.skirt)):
            x, y = point_at(edges[sign], y)
            cut.points[f"{side}_{name}"] = (x, y, 2)
            cut.joints[f"{side}_{name}"] = (sign * 0.7, y) if name == "hip" else (x, y)
    cut.halfwidths["skirt"] = (hip, spec.skirt_half)


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
