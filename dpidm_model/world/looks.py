"""What people look like: colours of skin and hair, painted faces, clothes that are not tried on.

Patches are float32 RGBA pictures, 0..255, for an Atlas. H W patch rows/columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from .atlas import mottle, opaque

SKIN = np.array(
    [(255, 224, 196), (243, 203, 170), (230, 182, 145), (206, 152, 112), (166, 112, 76), (121, 78, 52), (84, 54, 38)],
    np.float32,
)
HAIR = np.array(
    [(28, 23, 22), (52, 36, 28), (84, 58, 40), (122, 84, 52), (196, 158, 104), (222, 196, 146), (134, 62, 34)]
    + [(132, 130, 128), (205, 203, 200)],
    np.float32,
)
IRIS = [(86, 58, 38), (60, 42, 30), (92, 120, 142), (96, 112, 78), (70, 92, 120)]
HAIR_STYLES = {"short": 5, "bob": 2, "long": 4, "bun": 1.5, "tail": 1.5, "shaved": 1, "full": 1}
BOTTOMS = {"trousers": 6, "jeans": 4, "shorts": 2, "skirt": 2}


@dataclass(frozen=True, kw_only=True)
class Looks:
    """A person's colours and styles. Colours are RGB 0..255, float32 (3,)."""

    skin: np.ndarray
    hair: np.ndarray
    iris: tuple[int, int, int]
    lips: np.ndarray
    hair_style: str
    fringe: float  # how far the hair comes down the forehead, 0..1
    parting: float  # -1..1, where the hairline is highest
    beard: float  # 0 none .. 1 full
    make_up: float  # 0..1
    brow: float  # thickness, 1 = average
    bottom: str
    bottom_colour: np.ndarray
    shoes: np.ndarray
    smile: float


def pick(rng: np.random.Generator, weights: Mapping[str, float]) -> str:
    """A random key of a table of weights."""
    values = np.array(list(weights.values()), float)
    return str(rng.choice(list(weights), p=values / values.sum()))


def hsv(rng: np.random.Generator, saturation=(0.3, 1.0), value=(0.3, 1.0)) -> np.ndarray:
    """A random colour, RGB 0..255 float32 (3,)."""
    pixel = np.array([[[rng.uniform(0, 360), rng.uniform(*saturation), rng.uniform(*value)]]], np.float32)
    return cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0] * 255


def make_looks(rng: np.random.Generator, womanly: bool) -> Looks:
    """Random looks."""
    tone = rng.uniform(0, len(SKIN) - 1)
    skin = np.stack([np.interp(tone, range(len(SKIN)), SKIN[:, c]) for c in range(3)]).astype(np.float32)
    dark = tone > 3.5
    hair = HAIR[rng.integers(0, 3 if dark else len(HAIR))] * rng.uniform(0.85, 1.12)
    styles = {**HAIR_STYLES, **({"short": 0.8} if womanly else {"long": 0.7, "bob": 0.4, "bun": 0.3, "tail": 0.3})}
    bottom = pick(rng, BOTTOMS if womanly else {**BOTTOMS, "skirt": 0})
    colour = hsv(rng, (0.03, 0.5), (0.12, 0.8))
    if bottom == "jeans":
        colour = np.array((70, 92, 130), np.float32) * rng.uniform(0.5, 1.25)
    return Looks(
        skin=skin * rng.uniform(0.96, 1.02),
        hair=hair.astype(np.float32),
        iris=IRIS[0 if dark else rng.integers(len(IRIS))],
        lips=skin * np.array((0.86, 0.60, 0.60), np.float32),
        hair_style=pick(rng, styles),
        fringe=float(rng.uniform(0, 1)),
        parting=float(rng.uniform(-1, 1)),
        beard=0.0 if womanly or rng.random() < 0.55 else float(rng.uniform(0.2, 1)),
        make_up=float(rng.uniform(0.2, 1)) if womanly else 0.0,
        brow=float(rng.uniform(0.7, 1.0) if womanly else rng.uniform(0.9, 1.4)),
        bottom=bottom,
        bottom_colour=colour,
        shoes=hsv(rng, (0, 0.4), (0.1, 0.95)),
        smile=float(rng.uniform(-0.2, 1)),
    )


class _Canvas:
    """Paints on the front of a head patch in head units: angle (radians) to the right, depth 0..1 downwards."""

    def __init__(self, picture: np.ndarray):
        self.picture = picture
        self.height, self.width = picture.shape[:2]

    def pixels(self, angle_depth) -> np.ndarray:
        points = np.asarray(angle_depth, np.float32).reshape(-1, 2)
        return np.stack([(points[:, 0] / (2 * np.pi) + 0.5) * self.width, points[:, 1] * self.height], 1)

    def fill(self, outline, colour, alpha: float = 1.0, blur: float = 0.0) -> None:
        points, sigma = self.pixels(outline), blur * self.height
        pad = 2 + 3 * sigma
        x0, y0 = np.maximum(np.floor(points.min(0) - pad), 0).astype(int)
        x1, y1 = np.minimum(np.ceil(points.max(0) + pad), (self.width, self.height)).astype(int)
        if x1 <= x0 or y1 <= y0:
            return
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        cv2.fillPoly(mask, [np.round((points - (x0, y0)) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        weight = mask.astype(np.float32) * (alpha / 255)
        if blur:
            weight = cv2.GaussianBlur(weight, (0, 0), sigma)
        window = self.picture[y0:y1, x0:x1]
        window += weight[..., None] * (np.asarray(colour, np.float32) - window)

    def ellipse(self, angle, depth, radius_angle, radius_depth, colour, alpha=1.0, blur=0.0, turn=0.0) -> None:
        t = np.linspace(0, 2 * np.pi, 24)
        x, y = radius_angle * np.cos(t), radius_depth * np.sin(t)
        # turn is in head units: 1 rad of angle is about 0.36 of depth
        x2, y2 = x * np.cos(turn) - y / 0.36 * np.sin(turn), x * 0.36 * np.sin(turn) + y * np.cos(turn)
        self.fill(np.stack([angle + x2, depth + y2], 1), colour, alpha, blur)


def face_patch(rng: np.random.Generator, looks: Looks, height: int) -> np.ndarray:
    """The head's skin with eyes, brows, nose, mouth: (H, W, 4); columns are angles -pi..pi, rows crown to chin."""
    work = max(height, 64)
    picture = np.broadcast_to(looks.skin, (work, int(work * 2.2), 3)).copy() * mottle(
        rng, work, int(work * 2.2), 9, 0.015
    )
    canvas, skin = _Canvas(picture), looks.skin
    shade, blush = skin * np.array((0.74, 0.66, 0.62)), skin * np.array((1.0, 0.78, 0.74))
    for side in (-1, 1):
        canvas.ellipse(side * 0.62, 0.64, 0.26, 0.075, blush, 0.35 + 0.3 * looks.make_up, 0.035)
        canvas.ellipse(side * 0.42, 0.475, 0.27, 0.062, shade, 0.40 + 0.2 * looks.make_up, 0.022)
        canvas.ellipse(side * 1.65, 0.52, 0.10, 0.09, skin * 0.88, 0.9, 0.008)  # ear
    if looks.beard:
        beard = [(-1.45, 0.60), (-0.75, 0.72), (-0.32, 0.70), (0, 0.685), (0.32, 0.70), (0.75, 0.72), (1.45, 0.60)]
        canvas.fill(
            [*beard, (1.5, 0.86), (0.9, 1.02), (-0.9, 1.02), (-1.5, 0.86)], looks.hair, looks.beard * 0.8, 0.018
        )
    canvas.fill([(-0.08, 0.45), (-0.17, 0.635), (-0.12, 0.66), (-0.02, 0.6)], shade, 0.40, 0.012)
    canvas.fill([(0.08, 0.45), (0.17, 0.635), (0.12, 0.66), (0.02, 0.6)], shade, 0.25, 0.012)
    canvas.ellipse(0, 0.60, 0.055, 0.045, np.minimum(skin * 1.1, 255), 0.5, 0.012)
    for side in (-1, 1):
        canvas.ellipse(side * 0.085, 0.652, 0.05, 0.011, skin * 0.42, 0.85, 0.003)
        _eye(canvas, side, looks)
    canvas.ellipse(0, 0.672, 0.16, 0.012, shade, 0.5, 0.008)
    _mouth(canvas, looks)
    canvas.ellipse(0, 0.85, 0.25, 0.02, shade, 0.35, 0.012)
    return opaque(cv2.resize(picture, (int(height * 2.2), height), interpolation=cv2.INTER_AREA))


def _eye(canvas: _Canvas, side: int, looks: Looks) -> None:
    middle, depth = side * 0.40, 0.478
    lid = [(-0.185, 0.006), (-0.10, -0.020), (0.0, -0.027), (0.10, -0.020), (0.185, 0.0)]
    lower = [(0.10, 0.016), (0.0, 0.021), (-0.10, 0.018)]
    outline = [(middle + side * x, depth + y) for x, y in lid + lower]
    canvas.fill(outline, (240, 236, 232))
    canvas.ellipse(middle, depth - 0.002, 0.078, 0.025, looks.iris)
    canvas.ellipse(middle, depth - 0.002, 0.036, 0.012, (12, 10, 10))
    canvas.ellipse(middle - 0.02, depth - 0.010, 0.014, 0.005, (255, 255, 255), 0.9)
    lash = [(middle + side * x, depth + y) for x, y in lid]
    upper = [(middle + side * x * 1.05, depth + y - 0.009 - 0.006 * looks.make_up) for x, y in reversed(lid)]
    canvas.fill(lash + upper, looks.hair * 0.35, 0.9)
    brow = [(-0.20, -0.062), (0.0, -0.083), (0.13, -0.080), (0.25, -0.058)]
    thick = 0.020 * looks.brow
    top = [(middle + side * x, depth + y) for x, y in brow]
    bottom = [(middle + side * x, depth + y + thick * (1 - 0.5 * (x > 0.2))) for x, y in reversed(brow)]
    canvas.fill(top + bottom, looks.hair * 0.62, 0.85, 0.003)


def _mouth(canvas: _Canvas, looks: Looks) -> None:
    y, lift = 0.765, 0.016 * looks.smile
    colour = looks.lips * (1 - looks.make_up * 0.5) + np.array((190, 40, 60)) * looks.make_up * 0.5
    upper = [(-0.30, y - lift), (-0.10, y - 0.024), (0, y - 0.019), (0.10, y - 0.024), (0.30, y - lift)]
    canvas.fill([*upper, (0.1, y + 0.006), (-0.1, y + 0.006)], colour * 0.92)
    canvas.fill([(-0.29, y - lift), (0, y + 0.004), (0.29, y - lift), (0.13, y + 0.030), (-0.13, y + 0.030)], colour)
    canvas.fill(
        [(-0.31, y - lift), (-0.1, y), (0, y + 0.003), (0.1, y), (0.31, y - lift), (0, y + 0.010)], colour * 0.4, 0.9
    )
    canvas.ellipse(0, y + 0.018, 0.09, 0.006, np.minimum(colour * 1.3, 255), 0.5, 0.004)


def hairline(looks: Looks, angle: np.ndarray) -> np.ndarray:
    """How far down (depth 0 crown .. 1 chin) hair grows at angles around the head, 0 = front."""
    away = np.abs(angle)
    front = 0.17 + 0.17 * looks.fringe * (looks.hair_style != "shaved") + 0.03 * np.cos(5 * angle + 4 * looks.parting)
    front = front + 0.05 * np.abs(angle - 0.4 * looks.parting) - 0.02
    side_end = {"short": 0.50, "shaved": 0.44, "full": 0.62, "bun": 0.46, "tail": 0.46}.get(looks.hair_style, 0.99)
    back_end = {"short": 0.84, "shaved": 0.80, "full": 0.95, "bun": 0.84, "tail": 0.84}.get(looks.hair_style, 1.0)
    line = np.interp(away, [0, 0.95, 1.15, 1.35, 1.7, 2.1, np.pi], [0, 0, 0.34, side_end, side_end, back_end, back_end])
    return np.where(away < 1.0, front, np.maximum(line, front * (away < 1.2)))


def hair_patch(rng: np.random.Generator, looks: Looks, height: int) -> np.ndarray:
    """Hair on the head, same layout as the face patch; coverage ends at the hairline: (H, W, 4)."""
    width = int(height * 2.2)
    line = hairline(looks, (np.arange(width) + 0.5) / width * 2 * np.pi - np.pi)
    depth = (np.arange(height) + 0.5)[:, None] / height
    alpha = np.clip((line[None] - depth) * height * 0.6 + 0.5, 0, 1) * 255
    colour = strands(rng, looks.hair, height, width)
    return np.concatenate([colour, alpha[..., None].astype(np.float32)], -1)


def strands(rng: np.random.Generator, colour: np.ndarray, height: int, width: int) -> np.ndarray:
    """Hair colour with strands running downwards: (height, width, 3)."""
    fine = rng.normal(0, 0.16, (1, max(4, width // 2))).astype(np.float32)
    wave = rng.normal(0, 0.06, (max(2, height // 12), max(4, width // 4))).astype(np.float32)
    tone = 1 + cv2.resize(fine, (width, height), interpolation=cv2.INTER_LINEAR)
    tone = tone + cv2.resize(wave, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(colour * tone[..., None], 0, 255)


def cloth_patch(rng: np.random.Generator, looks: Looks, height: int, width: int) -> np.ndarray:
    """Cloth of the plain bottoms: (height, width, 3)."""
    picture = np.broadcast_to(looks.bottom_colour, (height, width, 3)) * mottle(rng, height, width, 5, 0.03)
    if looks.bottom == "jeans":
        fade = np.exp(-((np.linspace(-1, 1, width) / 0.35) ** 2))[None, :, None] * 0.16
        weave = rng.normal(0, 0.02, (height, width, 1))
        picture = picture * (1 + fade + weave)
    return np.clip(picture, 0, 255).astype(np.float32)
