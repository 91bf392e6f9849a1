"""Cutting a garment picture into the parts that move on their own: torso, sleeves, legs.

H W pixel rows/columns. Points are named; the same names are given targets on the body in warp_body.py.
"""

import cv2
import numpy as np

from ..errors import InputError
from ..handovers import GARMENT_SLOTS, GarmentLandmarks
from .warp import Part

Points = dict[str, np.ndarray]
REQUIRED = {
    "upper": ("neck", "r_shoulder", "l_shoulder", "r_hip", "l_hip"),
    "dress": ("neck", "r_shoulder", "l_shoulder", "r_hip", "l_hip"),
    "lower": ("r_hip", "l_hip", "r_knee", "l_knee"),
}
DETAIL = 1.2  # pixels of the garment picture for one of the frame
ALIKE = 10.0  # Lab distance (lightness less, for shadow) from the background in which a slit between legs is background
OVERLAP = 0.08  # how far sleeves and torso reach under each other, in shoulder widths


def landmark_points(landmarks: GarmentLandmarks) -> Points:
    """Present landmarks by name."""
    return {
        name: landmarks.points_K3[i, :2].astype(float)
        for i, name in enumerate(GARMENT_SLOTS)
        if landmarks.visibility_K[i]
    }


class CutGarment:
    """A garment picture cut into parts, with named control points (garment picture's pixels, scaled by `scale`).

    parts: name -> (mask, names of its control points).  points: all named points, landmarks and helpers such as
    "r_armpit", "hem_middle", "crotch", "r_elbow_in" / "r_elbow_out" (both edges of a sleeve or leg). Control points of
    sleeves are pairs of edges: armhole, elbow, wrist.

    width_on_body: pixels from shoulder to shoulder (waistband's end to end) in the frames. The picture is shrunk to a
    little more than that size here, with all its pixels taken in, so that fine prints do not flicker.
    """

    def __init__(self, image_HW3: np.ndarray, mask_HW: np.ndarray, landmarks: GarmentLandmarks, width_on_body: float):
        self.category, self.sleeve = landmarks.category, landmarks.sleeve
        needed = REQUIRED[self.category]
        points = landmark_points(landmarks)
        missing = [name for name in needed if name not in points]
        if missing:
            raise InputError(
                f"the garment's landmarks {', '.join(missing)} are missing; add them as overrides of the garment pose"
            )
        pair = "hip" if self.category == "lower" else "shoulder"
        width = float(np.linalg.norm(points[f"l_{pair}"] - points[f"r_{pair}"]))
        scale = min(1.0, DETAIL * width_on_body / max(width, 1.0))
        size = max(8, round(image_HW3.shape[1] * scale)), max(8, round(image_HW3.shape[0] * scale))
        self.image = cv2.resize(image_HW3, size, interpolation=cv2.INTER_AREA)
        self.mask = (cv2.resize(mask_HW, size, interpolation=cv2.INTER_AREA) > 127).astype(np.uint8)
        self.points = {name: p * scale for name, p in points.items()}
        self.width = max(width * scale, 1.0)
        contours, _ = cv2.findContours(self.mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        if not contours:
            raise InputError("the garment's mask is empty; connect the garment pose node's mask")
        self.contour = max(contours, key=cv2.contourArea)[:, 0].astype(float)
        self.parts: dict[str, tuple[np.ndarray, tuple[str, ...]]] = {}
        if self.category == "lower":
            self._cut_lower()
        else:
            self._cut_upper()

    def build(self) -> list[Part]:
        """The parts as premultiplied pictures (cropped), ready to warp."""
        parts = []
        for name, (mask, names) in self.parts.items():
            soft = cv2.GaussianBlur(cv2.erode(mask, np.ones((3, 3), np.uint8)) * np.float32(255), (0, 0), 0.8)
            ys, xs = np.where(soft > 0)
            if len(xs) < 9:
                continue
            box = slice(max(0, ys.min() - 1), ys.max() + 2), slice(max(0, xs.min() - 1), xs.max() + 2)
            alpha = soft[box][..., None]
            rgba = np.concatenate([self.image[box] * (alpha / 255), alpha], 2).astype(np.uint8)
            origin = np.array([box[1].start, box[0].start], float)
            parts.append(Part(name=name, rgba_HW4=rgba, points_N2=np.array([self.points[n] for n in names]) - origin))
        return parts

    # ------------------------------------------------------------------ tops and dresses

    def _cut_upper(self) -> None:
        torso = self.mask.copy()
        self._open_neckline(torso)
        p = self.points
        for side in "rl":
            if f"{side}_elbow" in p:
                self._cut_sleeve(side, torso)
        p["hem_middle"] = (p["r_hip"] + p["l_hip"]) / 2
        names = ["neck", "r_shoulder", "l_shoulder", "r_hip", "l_hip", "hem_middle"]
        for side in "rl":
            p[f"{side}_chest"] = p[f"{side}_shoulder"] * 0.62 + p[f"{side}_hip"] * 0.38
            names.append(f"{side}_chest")
        if self.category == "dress":
            names += [n for n in ("r_knee", "l_knee", "r_ankle", "l_ankle") if n in p]
        self.parts["torso"] = (torso, tuple(names))

    def _open_neckline(self, torso: np.ndarray) -> None:
        """Cut out what lies above the front neckline: there one sees the inside of the back, and later the person."""
        neck, half = self.points["neck"], self.width / 2
        columns = torso > 0
        top = np.where(columns.any(0), columns.argmax(0), torso.shape[0])
        sides = []
        for sign in (-1, 1):
            xs = np.round(neck[0] + sign * np.linspace(0.15, 0.75, 25) * half).astype(int)
            xs = xs[(xs >= 0) & (xs < torso.shape[1])]
            if len(xs) == 0:
                return
            sides.append((abs(float(xs[top[xs].argmin()]) - neck[0]), float(top[xs].min())))
        peak = max(sides[0][1], sides[1][1])
        depth = neck[1] - peak
        if depth < 0.06 * half:
            return
        x = np.arange(torso.shape[1]) - neck[0]
        reach = np.where(x < 0, sides[0][0], sides[1][0])
        curve = np.where(
            np.abs(x) < reach, peak + depth * np.sqrt(np.maximum(0, 1 - (x / np.maximum(reach, 1)) ** 2)), -1.0
        )
        torso[np.arange(torso.shape[0])[:, None] < curve[None]] = 0

    def _nearest(self, point: np.ndarray) -> int:
        return int(np.argmin(((self.contour - point) ** 2).sum(1)))

    def _walk(self, start: int, end: int, through: int) -> np.ndarray:
        """The contour from one index to another, the way that passes a third."""
        n = len(self.contour)
        ahead = (np.arange((end - start) % n + 1) + start) % n
        if through not in ahead:
            ahead = (start - np.arange((start - end) % n + 1)) % n
        return self.contour[ahead]

    def _cut_sleeve(self, side: str, torso: np.ndarray) -> None:
        """The sleeve: what the outline encloses from shoulder over cuff to armpit, the deepest notch before the hem."""
        p = self.points
        shoulder, end, hip = p[f"{side}_shoulder"], p.get(f"{side}_wrist", p[f"{side}_elbow"]), p[f"{side}_hip"]
        i_shoulder, i_end, i_hip = self._nearest(shoulder), self._nearest(end), self._nearest(hip)
        way = self._walk(i_shoulder, i_hip, i_end)
        at_end = int(np.argmin(((way - self.contour[i_end]) ** 2).sum(1)))
        tail = way[at_end:]
        chord = hip - end
        normal = np.array([-chord[1], chord[0]]) / (np.linalg.norm(chord) + 1e-6)
        notch = at_end + int(np.argmax(np.abs((tail - end) @ normal)))
        region = np.zeros_like(self.mask)
        cv2.fillPoly(region, [way[: notch + 1].astype(np.int32)], (1,))
        region &= self.mask
        share = region.sum() / max(1, self.mask.sum())
        if not 0.004 < share < 0.4:
            return
        p[f"{side}_armpit"] = way[notch]
        band = np.zeros_like(region)  # around the armhole: there sleeve and torso both keep the cloth
        ends = [tuple(int(v) for v in point) for point in (shoulder, way[notch])]
        cv2.line(band, ends[0], ends[1], (1,), max(3, int(OVERLAP * self.width)))
        grown = (region | band) & self.mask
        torso[(region > 0) & (band == 0)] = 0
        middle = (shoulder + way[notch]) / 2
        (dx, dy), (ox, oy) = p[f"{side}_elbow"] - middle, shoulder - middle
        edges = ("in", "out") if dx * oy - dy * ox > 0 else ("out", "in")  # the shoulder's edge first
        names = [f"{side}_shoulder", f"{side}_armpit"]
        arm = np.linalg.norm(shoulder - way[notch]) / 2
        for joint in ("elbow", "wrist"):
            if f"{side}_{joint}" in p:
                self._edges(side, joint, shoulder if joint == "elbow" else p[f"{side}_elbow"], region, arm)
                names += [f"{side}_{joint}_{edge}" for edge in edges]
        self.parts[f"{side}_sleeve"] = (grown, tuple(names))

    def _edges(self, side: str, joint: str, before: np.ndarray, region: np.ndarray, limit: float) -> None:
        """Both edges of a tube at a joint: the centre, plus and minus its half width."""
        centre = self.points[f"{side}_{joint}"]
        along = (centre - before) / (np.linalg.norm(centre - before) + 1e-6)
        across = np.array([-along[1], along[0]])
        steps = np.arange(1, max(2.0, limit * 1.6))
        widths = []
        for sign in (-1, 1):
            xy = np.round(centre - along * 2 + sign * steps[:, None] * across).astype(int)
            inside = (xy >= 0).all(1) & (xy[:, 0] < region.shape[1]) & (xy[:, 1] < region.shape[0])
            covered = np.array([region[y, x] if ok else 0 for (x, y), ok in zip(xy, inside)])
            widths.append(float(covered.argmin()) if not covered.all() else float(len(covered)))
        half = max(2.0, min(limit * 1.3, sum(widths) / 2))
        self.points[f"{side}_{joint}_in"], self.points[f"{side}_{joint}_out"] = (
            centre + across * half,
            centre - across * half,
        )

    # ------------------------------------------------------------------ trousers, shorts, skirts

    def _cut_lower(self) -> None:
        p = self.points
        self._open_gap()
        crotch = self._crotch()
        if crotch is None:
            p["hem_middle"] = (
                (p["r_ankle"] + p["l_ankle"]) / 2
                if {"r_ankle", "l_ankle"} <= p.keys()
                else (p["r_knee"] + p["l_knee"]) / 2
            )
            names = [n for n in ("r_hip", "l_hip", "r_knee", "l_knee", "r_ankle", "l_ankle", "hem_middle") if n in p]
            self.parts["skirt"] = (self.mask, tuple(names))
            return
        p["crotch"], p["waist_middle"] = crotch, (p["r_hip"] + p["l_hip"]) / 2
        ends = [p[f"{s}_ankle"] if f"{s}_ankle" in p else p[f"{s}_knee"] for s in "rl"]
        foot = (ends[0] + ends[1]) / 2
        line = np.array([p["waist_middle"] - [0, 50], p["waist_middle"], crotch, foot, foot + (foot - crotch)])
        rows = np.arange(self.mask.shape[0])
        border = np.interp(rows, line[:, 1], line[:, 0])
        seam = 3 + 0.01 * self.width  # the legs reach a little under each other, or the seam would gape
        for side, sign in (("r", -1), ("l", 1)):
            own = (np.arange(self.mask.shape[1])[None] - border[:, None]) * sign >= -seam
            region = self.mask * own.astype(np.uint8)
            names = [f"{side}_hip", "waist_middle", "crotch"]
            before = (p[f"{side}_hip"] + p["waist_middle"]) / 2
            for joint in ("knee", "ankle"):
                if f"{side}_{joint}" in p:
                    self._edges(side, joint, before, region, 0.55 * self.width)
                    names += [f"{side}_{joint}_in", f"{side}_{joint}_out"]
                    before = p[f"{side}_{joint}"]
            self.parts[f"{side}_leg"] = (region, tuple(names))

    def _open_gap(self) -> None:
        """Take background between the legs out of the mask: the gap's narrow end, or all of it where feet touch."""
        outside = self.mask == 0
        if not outside.any():
            return
        p = self.points
        lab = cv2.cvtColor(self.image.astype(np.uint8), cv2.COLOR_RGB2Lab) * np.array([0.4, 1, 1], np.float32)
        alike = np.linalg.norm(lab - np.median(lab[outside], axis=0), axis=2) < ALIKE
        _, labels, stats, centres = cv2.connectedComponentsWithStats(alike.astype(np.uint8) & self.mask, connectivity=8)
        middle, top = (p["r_knee"][0] + p["l_knee"][0]) / 2, max(p["r_hip"][1], p["l_hip"][1])
        length = max(p[n][1] for n in ("r_knee", "l_knee", "r_ankle", "l_ankle") if n in p) - top
        height = stats[:, cv2.CC_STAT_HEIGHT]
        at_rim = np.isin(np.arange(len(stats)), labels[cv2.dilate(outside.astype(np.uint8), np.ones((3, 3))) > 0])
        gap = (height > 0.12 * length) | (at_rim & (height > 0.02 * length))
        gap &= stats[:, cv2.CC_STAT_TOP] > top + 0.1 * length
        gap &= stats[:, cv2.CC_STAT_AREA] < 0.2 * self.width * height
        gap &= np.abs(centres[:, 0] - middle) < 0.12 * self.width
        gap[0] = False  # all the rest
        self.mask[gap[labels]] = 0

    def _crotch(self) -> np.ndarray | None:
        """The top of the gap between the legs; None for skirts."""
        p = self.points
        low = max(p[n][1] for n in ("r_knee", "l_knee", "r_ankle", "l_ankle") if n in p)
        top = max(p["r_hip"][1], p["l_hip"][1])
        centre = (p["r_hip"][0] + p["l_hip"][0]) / 2
        gap = None
        for y in range(int(low) - 2, int(top + 0.1 * (low - top)), -1):
            row = self.mask[min(max(y, 0), len(self.mask) - 1)]
            edges = np.flatnonzero(np.diff(np.concatenate([[0], row, [0]])))
            gaps = [(edges[i], edges[i + 1]) for i in range(1, len(edges) - 1, 2)]
            near = [g for g in gaps if abs((g[0] + g[1]) / 2 - centre) < 0.35 * self.width]
            if not near:
                if gap is not None or y < low - 0.25 * (low - top):
                    break
                continue
            gap = np.array([sum(min(near, key=lambda g: abs(sum(g) / 2 - centre))) / 2, float(y)])
        return gap
