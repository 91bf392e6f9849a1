"""Where people stand: rooms, streets, gardens, studios. A scene is one large picture that the camera moves over.

H W pixel rows/columns of the scene's picture. Colours are RGB 0..255.
"""

from collections.abc import Callable

import cv2
import numpy as np

from .looks import hsv, pick

MARGIN = 1.25  # the scene is this much larger than the view


def _ramp(height: int, width: int, top, bottom) -> np.ndarray:
    t = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    ramp = np.asarray(top) * (1 - t) + np.asarray(bottom) * t
    return np.ascontiguousarray(np.broadcast_to(ramp, (height, width, 3)), np.float32)


def _noise(rng, height: int, width: int, cells: tuple[int, int], strength: float) -> np.ndarray:
    grid = rng.normal(0, strength, (*cells, 1)).astype(np.float32)
    return cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC).reshape(height, width, 1)


def _rectangle(picture, x0, y0, x1, y1, colour) -> None:
    height, width = picture.shape[:2]
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]) * (width, height)
    cv2.fillPoly(picture, [np.round(corners * 16).astype(np.int32)], [float(c) for c in colour], cv2.LINE_AA, 4)


def _ellipse(picture, x, y, rx, ry, colour) -> None:
    height, width = picture.shape[:2]
    middle, axes = (round(x * width * 16), round(y * height * 16)), (round(rx * width * 16), round(ry * height * 16))
    cv2.ellipse(picture, middle, axes, 0, 0, 360, [float(c) for c in colour], -1, cv2.LINE_AA, 4)


def _wall(rng, height, width) -> np.ndarray:
    colour = hsv(rng, (0.0, 0.35), (0.45, 0.98))
    picture = _ramp(height, width, colour * rng.uniform(0.95, 1.05), colour * rng.uniform(0.82, 1.0))
    style = rng.choice(["plain", "paper", "panel", "brick"], p=[0.5, 0.2, 0.15, 0.15])
    step = max(4, int(width * rng.uniform(0.05, 0.14)))
    if style == "paper":
        picture[:, (np.arange(width) // step) % 2 == 0] *= rng.uniform(0.88, 0.97)
    elif style == "panel":
        for x in range(0, width, step):
            picture[:, x : x + max(1, width // 220)] *= 0.82
    elif style == "brick":
        rows = max(3, step // 2)
        for i, y in enumerate(range(0, height, rows)):
            picture[y : y + max(1, rows // 8)] *= 0.85
            for x in range((i % 2) * step // 2, width, step):
                picture[y : y + rows, x : x + max(1, rows // 8)] *= 0.85
        picture *= 1 + cv2.resize(
            rng.normal(0, 0.05, (height // rows + 1, width // step + 1, 1)).astype(np.float32),
            (width, height),
            interpolation=cv2.INTER_NEAREST,
        ).reshape(height, width, 1)
    return picture


def room(rng: np.random.Generator, height: int, width: int, horizon: float) -> np.ndarray:
    """An indoor wall with floor, skirting board and furniture."""
    picture = np.ascontiguousarray(_wall(rng, height, width), np.float32)
    for name in rng.choice(list(FURNITURE), rng.integers(1, 4), replace=False):
        FURNITURE[str(name)](rng, picture, horizon)
    if horizon < 1:
        floor = hsv(rng, (0.05, 0.5), (0.25, 0.8))
        y = int(horizon * height)
        ground = _ramp(height - y, width, floor * 0.8, floor * 1.05)
        ground = ground * (1 + _noise(rng, height - y, width, (max(2, (height - y) // 6), 4), 0.04))
        picture[y:] = ground
        board = hsv(rng, (0, 0.15), (0.6, 0.98))
        _rectangle(picture, 0, horizon - 0.025, 1, horizon, board)
    return picture


def _window(rng, picture, horizon) -> None:
    x, w, y = rng.uniform(0.02, 0.6), rng.uniform(0.22, 0.4), rng.uniform(0.03, 0.2)
    frame = hsv(rng, (0, 0.2), (0.7, 1.0))
    _rectangle(picture, x - 0.015, y - 0.01, x + w + 0.015, y + 0.46, frame)
    light = np.array((200, 222, 245)) * rng.uniform(0.85, 1.05)
    _rectangle(picture, x, y, x + w, y + 0.44, light)
    _rectangle(picture, x, y + 0.3, x + w, y + 0.44, light * (0.8, 0.92, 0.75))
    _rectangle(picture, x + w / 2 - 0.006, y, x + w / 2 + 0.006, y + 0.44, frame)


def _frame(rng, picture, horizon) -> None:
    for _ in range(rng.integers(1, 3)):
        x, y, w, h = rng.uniform(0.03, 0.8), rng.uniform(0.03, 0.3), rng.uniform(0.1, 0.22), rng.uniform(0.1, 0.2)
        _rectangle(picture, x, y, x + w, y + h, hsv(rng, (0, 0.5), (0.1, 0.9)))
        _rectangle(picture, x + 0.012, y + 0.01, x + w - 0.012, y + h - 0.01, hsv(rng, (0.1, 0.7), (0.4, 0.95)))
        _ellipse(picture, x + w / 2, y + h / 2, w * 0.25, h * 0.25, hsv(rng, (0.2, 0.8), (0.3, 0.9)))


def _door(rng, picture, horizon) -> None:
    x, w = rng.uniform(0.02, 0.75), rng.uniform(0.2, 0.3)
    wood = hsv(rng, (0.1, 0.5), (0.3, 0.85))
    _rectangle(picture, x - 0.02, 0.08, x + w + 0.02, horizon, wood * 0.8)
    _rectangle(picture, x, 0.1, x + w, horizon, wood)
    for y in (0.16, 0.5):
        _rectangle(picture, x + 0.04, y, x + w - 0.04, y + 0.26, wood * 0.92)
    _ellipse(picture, x + w - 0.03, 0.5, 0.012, 0.012, (210, 180, 90))


def _shelf(rng, picture, horizon) -> None:
    x, w, y = rng.uniform(0.0, 0.65), rng.uniform(0.2, 0.4), rng.uniform(0.12, 0.5)
    place = x
    while place < x + w - 0.02:
        thick, tall = rng.uniform(0.015, 0.04), rng.uniform(0.06, 0.12)
        _rectangle(picture, place, y - tall, place + thick, y, hsv(rng, (0.2, 0.8), (0.25, 0.9)))
        place += thick + 0.004
    _rectangle(picture, x - 0.02, y, x + w + 0.02, y + 0.02, hsv(rng, (0.1, 0.5), (0.3, 0.8)))


def _plant(rng, picture, horizon) -> None:
    x, base = rng.uniform(0.05, 0.95), min(horizon + 0.03, 1.0)
    pot = hsv(rng, (0.1, 0.7), (0.4, 0.9))
    for _ in range(18):
        angle, length = rng.uniform(-1.1, 1.1), rng.uniform(0.1, 0.3)
        tip = (x + np.sin(angle) * length * 0.7, base - 0.12 - np.cos(angle) * length)
        green = np.array((60, 120, 60)) * rng.uniform(0.6, 1.4)
        outline = [(x, base - 0.12), (x + (tip[0] - x) * 0.5 + 0.02, (base - 0.12 + tip[1]) / 2), tip]
        outline.append((x + (tip[0] - x) * 0.5 - 0.02, (base - 0.12 + tip[1]) / 2))
        points = np.round(np.array(outline) * picture.shape[1::-1] * 16).astype(np.int32)
        cv2.fillPoly(picture, [points], [float(c) for c in green], cv2.LINE_AA, 4)
    _rectangle(picture, x - 0.05, base - 0.13, x + 0.05, base, pot)


def _sofa(rng, picture, horizon) -> None:
    x, w, colour = rng.uniform(-0.1, 0.5), rng.uniform(0.4, 0.6), hsv(rng, (0.1, 0.6), (0.25, 0.8))
    base = min(horizon + 0.06, 1.0)
    _rectangle(picture, x, base - 0.28, x + w, base - 0.02, colour * 0.85)
    _rectangle(picture, x + 0.03, base - 0.16, x + w - 0.03, base - 0.04, colour)
    for side in (x - 0.03, x + w - 0.05):
        _rectangle(picture, side, base - 0.2, side + 0.08, base, colour * 0.95)


def _lamp(rng, picture, horizon) -> None:
    x, top = rng.uniform(0.05, 0.95), rng.uniform(0.15, 0.4)
    _rectangle(picture, x - 0.006, top, x + 0.006, min(horizon + 0.03, 1), (70, 66, 60))
    height, width = picture.shape[:2]
    shade = np.array([(x - 0.04, top - 0.1), (x + 0.04, top - 0.1), (x + 0.07, top), (x - 0.07, top)]) * (width, height)
    cv2.fillPoly(picture, [np.round(shade * 16).astype(np.int32)], (252.0, 236.0, 190.0), cv2.LINE_AA, 4)


FURNITURE: dict[str, Callable] = {
    "window": _window,
    "frame": _frame,
    "door": _door,
    "shelf": _shelf,
    "plant": _plant,
    "sofa": _sofa,
    "lamp": _lamp,
}


def outdoors(rng: np.random.Generator, height: int, width: int, horizon: float) -> np.ndarray:
    """Sky, trees or houses out of focus, ground."""
    horizon = min(horizon, 0.95)
    sky = np.array((150, 190, 235)) * rng.uniform(0.8, 1.1) + rng.uniform(0, 30)
    picture = _ramp(height, width, sky, np.minimum(sky * 1.15 + 15, 255))
    picture += _noise(rng, height, width, (4, 3), 10)
    if rng.random() < 0.5:
        for _ in range(rng.integers(3, 7)):
            x, w, top = rng.uniform(-0.1, 1), rng.uniform(0.12, 0.35), rng.uniform(0.1, 0.5)
            wall = hsv(rng, (0.03, 0.4), (0.4, 0.9))
            _rectangle(picture, x, top, x + w, horizon, wall)
            for i in range(3):
                for j in range(4):
                    wx, wy = x + w * (0.12 + 0.3 * i), top + 0.04 + 0.11 * j
                    if wy + 0.06 < horizon:
                        _rectangle(picture, wx, wy, wx + w * 0.17, wy + 0.06, wall * 0.55 + 20)
    for _ in range(rng.integers(6, 22)):
        green = np.array((70, 115, 55)) * rng.uniform(0.5, 1.4) + (rng.uniform(0, 40), 0, 0)
        _ellipse(
            picture,
            rng.random(),
            horizon - rng.uniform(0, 0.3),
            rng.uniform(0.05, 0.16),
            rng.uniform(0.05, 0.16),
            green,
        )
    ground = np.array([(120, 140, 80), (150, 145, 138), (196, 180, 146)][rng.integers(3)]) * rng.uniform(0.7, 1.15)
    y = int(horizon * height)
    picture[y:] = _ramp(height - y, width, ground * 0.9, ground * 1.1)
    picture[y:] *= 1 + _noise(rng, height - y, width, (max(2, (height - y) // 5), 12), 0.05)
    return cv2.GaussianBlur(picture, (0, 0), width * rng.uniform(0.008, 0.022))


def studio(rng: np.random.Generator, height: int, width: int, horizon: float) -> np.ndarray:
    """A photographer's backdrop: one colour, brighter in the middle."""
    colour = hsv(rng, (0.0, 0.45), (0.45, 1.0)) if rng.random() < 0.6 else np.full(3, rng.uniform(150, 250), np.float32)
    yy, xx = np.mgrid[:height, :width].astype(np.float32)
    spot = np.hypot(xx / width - rng.uniform(0.35, 0.65), (yy / height - 0.45) * 1.2)[..., None]
    picture = colour * (1.04 - rng.uniform(0.1, 0.5) * spot)
    if horizon < 1:
        fade = np.clip((yy / height - horizon) / 0.08 + 0.5, 0, 1)[..., None]
        picture = picture * (1 - fade * rng.uniform(0.03, 0.15))
    return (picture + _noise(rng, height, width, (6, 5), 2)).astype(np.float32)


SCENES: dict[str, Callable] = {"room": room, "outdoors": outdoors, "studio": studio}
SCENE_WEIGHTS = {"room": 0.5, "outdoors": 0.25, "studio": 0.25}


def make_scene(rng: np.random.Generator, size: tuple[int, int], horizon: float, kind: str | None = None) -> np.ndarray:
    """A background picture, MARGIN times the view's size = (width, height): (H, W, 3) float32 0..255.

    horizon: where floor meets wall, 0 top .. 1 bottom of the view; above 1 there is no floor to be seen.
    kind: one of SCENES, or None for a random one.
    """
    width, height = (round(s * MARGIN) for s in size)
    inner = (horizon - 0.5) / MARGIN + 0.5 if horizon < 1 else 1.5
    picture = SCENES[kind or pick(rng, SCENE_WEIGHTS)](rng, height, width, min(inner, 1.5))
    if rng.random() < 0.5:
        picture = cv2.GaussianBlur(picture, (0, 0), width * rng.uniform(0.002, 0.01))
    picture += rng.normal(0, 2.0, (height, width, 1)).astype(np.float32)
    return np.clip(picture, 0, 255).astype(np.float32)


def view_scene(scene_HW3: np.ndarray, size: tuple[int, int], shift: tuple[float, float], zoom: float) -> np.ndarray:
    """The part of the scene that the camera sees. shift: pixels; zoom: 1 = as painted.  (H, W, 3) float32."""
    width, height = size
    middle = scene_HW3.shape[1] / 2 + shift[0] - 0.5, scene_HW3.shape[0] / 2 + shift[1] - 0.5
    matrix = np.array(
        [
            [1 / zoom, 0, middle[0] - (width / 2 - 0.5) / zoom],
            [0, 1 / zoom, middle[1] - (height / 2 - 0.5) / zoom],
        ],
        np.float32,
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(scene_HW3, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)


def floor_shadow(picture_HW3: np.ndarray, feet_N2: np.ndarray, scale: float) -> None:
    """Darken the floor under the feet, in place. feet_N2: pixels.  scale: pixels per metre."""
    height, width = picture_HW3.shape[:2]
    if not ((feet_N2[:, 1] > -0.2 * scale) & (feet_N2[:, 1] < height + 0.2 * scale)).any():
        return
    step = 4
    mask = np.zeros((height // step + 1, width // step + 1), np.float32)
    middle = feet_N2.mean(0)
    for x, y in [*feet_N2, middle]:
        axes = (round(0.17 * scale / step), max(1, round(0.045 * scale / step)))
        cv2.ellipse(mask, (round(x / step), round((y + 0.05 * scale) / step)), axes, 0, 0, 360, 0.45, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), max(0.03 * scale / step, 0.8))
    picture_HW3 *= 1 - cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR)[..., None]
