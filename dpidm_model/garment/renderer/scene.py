"""Around the garment: where it lies in the picture, its background and shadow, and what the camera does to both."""

import cv2
import numpy as np

from .fabric import colour, make_fabric, noise
from .outline import Cut


def place(rng: np.random.Generator, cut: Cut, size: tuple[int, int], clean: bool) -> tuple[np.ndarray, float]:
    """A homography from garment units to pixels, and the pixels of one unit. clean: centred and upright."""
    w, h = size
    cloth = np.concatenate([piece.outline for piece in cut.pieces if piece.layer])
    low, high = cloth.min(0), cloth.max(0)
    extent, centre = high - low, (low + high) / 2
    fit = min(w / extent[0], h / extent[1])
    if clean:
        fill, turn, slant = 0.9, 0.0, np.zeros(2)
    else:
        fill = rng.uniform(0.72, 0.97) if rng.random() < 0.82 else rng.uniform(0.42, 0.8)
        if rng.random() < 0.08:
            fill = rng.uniform(1.0, 1.3)
        turn = rng.normal(0, 0.035) if rng.random() < 0.8 else rng.normal(0, 0.22)
        slant = rng.normal(0, 0.03, 2) / np.maximum(extent, 1)
    unit = fit * fill
    slack = np.maximum(0.0, np.array([w, h]) - extent * unit) / 2
    away = np.zeros(2) if clean else rng.uniform(-0.75, 0.75, 2) * slack * (1.0 if rng.random() < 0.5 else 0.35)
    aspect = 1.0 if clean else rng.normal(1, 0.03)
    c, s = np.cos(turn) * unit, np.sin(turn) * unit
    to_centre = np.array([[1, 0, -centre[0]], [0, 1, -centre[1]], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, 1, 0], [slant[0], slant[1], 1]])
    turn_33 = np.array([[c * aspect, -s, w / 2 + away[0]], [s * aspect, c, h / 2 + away[1]], [0, 0, 1]])
    return turn_33 @ tilt @ to_centre, float(unit)


def wobble(rng: np.random.Generator, cut: Cut, strength: float) -> None:
    """Bend the whole garment a little (in place), so that nothing is straight or symmetric; labels follow."""
    waves = [
        (rng.uniform(0.4, 2.2, 2) * rng.choice([-1, 1], 2), rng.uniform(0, 6.3), rng.normal(0, strength, 2))
        for _ in range(3)
    ]

    def bend(points: np.ndarray) -> np.ndarray:
        moved = points.astype(np.float32).copy()
        for direction, phase, amount in waves:
            moved += np.sin(points @ direction.astype(np.float32) + phase)[:, None] * amount.astype(np.float32)
        return moved

    for piece in cut.pieces:
        piece.outline = bend(piece.outline)
        for stroke in piece.strokes:
            stroke.points = bend(stroke.points)
        for dot in piece.dots:
            x, y = bend(np.array([dot.centre]))[0]
            dot.centre = (float(x), float(y))
    for name, (x, y, visible) in cut.points.items():
        px, py = bend(np.array([[x, y]]))[0]
        cut.points[name] = (float(px), float(py), visible)


def folds(rng: np.random.Generator, shape: tuple[int, int], unit: float, amount: float) -> np.ndarray:
    """Brightness factor (H, W) of folds and light over the cloth."""
    h, w = shape
    size = max(0.35, unit / 45)
    long = noise(rng, "middle", h, w, (size * 0.7, size * rng.uniform(1.5, 4.0)))
    fine = noise(rng, "small", h, w, (size * 0.8, size * rng.uniform(0.8, 2.5)))
    wide = noise(rng, "coarse", h, w)
    creases = np.tanh(1.5 * long) * 0.6 + fine * 0.35 + wide * 0.5
    return np.clip(1 + amount * creases, 0.35, 1.45)


def background(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) float32: mostly white or light grey as in shops, else gradients, colours, wood, cloth, clutter."""
    w, h = size
    r = rng.random()
    if r < 0.4:
        return np.full((h, w, 3), rng.uniform(246, 255) if rng.random() < 0.6 else 255.0, np.float32)
    if r < 0.62:
        return np.full((h, w, 3), rng.uniform(215, 248), np.float32) + rng.uniform(-4, 4, 3).astype(np.float32)
    if r < 0.78:
        a, b = rng.uniform(150, 255, 2)
        y, x = np.mgrid[0:h, 0:w].astype(np.float32)
        angle = rng.uniform(0, 6.3)
        t = np.clip(0.5 + (x / w - 0.5) * np.cos(angle) + (y / h - 0.5) * np.sin(angle), 0, 1)
        if rng.random() < 0.5:
            t = np.clip(1.2 * np.hypot(x / w - 0.5, y / h - 0.45), 0, 1)
        return (a + (b - a) * t)[..., None] + rng.uniform(-6, 6, 3).astype(np.float32)
    if r < 0.86:
        return np.full((h, w, 3), colour(rng), np.float32) + (noise(rng, "coarse", h, w) * rng.uniform(0, 8))[..., None]
    if r < 0.91:
        return _wood(rng, h, w)
    if r < 0.96:
        cloth = np.full((h, w, 3), colour(rng), np.float32)
        return cloth * folds(rng, (h, w), w / 3, rng.uniform(0.04, 0.15))[..., None]
    return _clutter(rng, h, w)


def _wood(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    base = np.array([[196, 160, 120], [120, 84, 56], [222, 204, 180], [90, 80, 74]], np.float32)[rng.integers(4)]
    grain = noise(rng, "grain", h, w, (0.6, 8.0)) * 9 + noise(rng, "middle", h, w, (1.0, 6.0)) * 7
    picture = base + grain[..., None] * np.array([1, 0.9, 0.75], np.float32)
    for x in range(int(rng.integers(10, 60)), w, max(20, w // int(rng.integers(3, 7)))):
        picture[:, x : x + 1] *= 0.6
    return np.rot90(picture).copy() if rng.random() < 0.5 and h == w else picture


def _clutter(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    picture = make_fabric(rng, h, w, w / rng.uniform(1, 4))[0].astype(np.float32)
    for _ in range(int(rng.integers(2, 14))):
        a, b = rng.uniform([0, 0], [w, h]), rng.uniform([0, 0], [w, h]) * 0.5
        cv2.rectangle(
            picture,
            (int(a[0] - b[0] / 2), int(a[1] - b[1] / 2)),
            (int(a[0] + b[0] / 2), int(a[1] + b[1] / 2)),
            colour(rng).tolist(),
            -1,
        )
    return cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 4))


def cast_shadow(rng: np.random.Generator, ground: np.ndarray, alpha_HW: np.ndarray, unit: float) -> None:
    """Darken the background around and beside the garment (in place)."""
    if rng.random() < 0.35:
        return
    h, w = alpha_HW.shape
    small = cv2.resize(alpha_HW, (max(8, w // 4), max(8, h // 4)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), max(0.5, unit * rng.uniform(0.02, 0.35) / 4))
    dx, dy = rng.normal(0, 0.12, 2) * unit / 4
    small = cv2.warpAffine(small, np.array([[1, 0, dx], [0, 1, dy + 0.03 * unit]]), small.shape[::-1])
    ground *= (1 - rng.uniform(0.04, 0.5) * cv2.resize(small, (w, h)))[..., None]


def camera(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Exposure, colour cast, softness, noise and JPEG: (H, W, 3) float32 -> uint8."""
    h, w = picture.shape[:2]
    if rng.random() < 0.5:
        picture = picture * rng.normal(1, 0.05) * rng.normal(1, 0.025, 3).astype(np.float32)
    if rng.random() < 0.35:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.1))
    if rng.random() < 0.4:
        picture = picture + (noise(rng, "fine", h, w) * rng.uniform(0.5, 6))[..., None]
    image = np.clip(picture, 0, 255).astype(np.uint8)
    if rng.random() < 0.35:
        _, code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 95))])
        image = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR))
    return image
