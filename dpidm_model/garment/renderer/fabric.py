"""Fabrics and prints as pictures: everything is drawn at the size it will be seen, in uint8 RGB."""

from functools import lru_cache

import cv2
import numpy as np

BANK = 640


@lru_cache(maxsize=1)
def noise_bank() -> dict[str, np.ndarray]:
    """Fixed noise fields (BANK x BANK, float32, zero mean, unit deviation) from fine to coarse, cut at random later."""
    rng = np.random.default_rng(20250521)
    bank = {}
    for name, cells in (("fine", BANK), ("grain", 240), ("small", 64), ("middle", 24), ("coarse", 9)):
        field = cv2.resize(
            rng.standard_normal((cells, cells)).astype(np.float32), (BANK, BANK), interpolation=cv2.INTER_CUBIC
        )
        bank[name] = (field - field.mean()) / field.std()
    return bank


def noise(rng: np.random.Generator, name: str, h: int, w: int, stretch: tuple[float, float] = (1.0, 1.0)) -> np.ndarray:
    """A random (h, w) float32 cut of a noise field; stretch: (x, y) magnification."""
    field = noise_bank()[name]
    ch, cw = min(BANK, max(2, round(h / stretch[1]))), min(BANK, max(2, round(w / stretch[0])))
    y, x = rng.integers(0, BANK - ch + 1), rng.integers(0, BANK - cw + 1)
    cut = field[y : y + ch, x : x + cw]
    if rng.random() < 0.5:
        cut = cut[:, ::-1]
    return cut.copy() if cut.shape == (h, w) else cv2.resize(cut, (w, h), interpolation=cv2.INTER_LINEAR)


def colour(rng: np.random.Generator) -> np.ndarray:
    """A cloth colour, RGB float32: whites, blacks, greys, navies and denims are as common as bright ones."""
    kind = rng.random()
    if kind < 0.16:
        c = np.full(3, rng.uniform(222, 252)) + rng.uniform(-6, 4, 3)
    elif kind < 0.32:
        c = np.full(3, rng.uniform(12, 48)) + rng.uniform(-5, 6, 3)
    elif kind < 0.42:
        c = np.full(3, rng.uniform(60, 215)) + rng.uniform(-10, 10, 3)
    elif kind < 0.52:
        c = np.array([30, 38, 75]) * rng.uniform(0.7, 2.2) + rng.uniform(-8, 8, 3)
    else:
        saturated = rng.random() < 0.5
        hsv = [rng.integers(0, 180), rng.uniform(90, 240) if saturated else rng.uniform(25, 110), rng.uniform(70, 250)]
        c = cv2.cvtColor(np.uint8([[hsv]]), cv2.COLOR_HSV2RGB)[0, 0]  # type: ignore[call-overload]
    return np.clip(c, 4, 254).astype(np.float32)


def other_colour(rng: np.random.Generator, than: np.ndarray, distance: float = 90.0) -> np.ndarray:
    """A colour that is visibly different from another."""
    for _ in range(6):
        c = colour(rng)
        if np.abs(c - than).sum() > distance:
            return c
    return 255.0 - than


def _grid(h: int, w: int) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(w, dtype=np.float32)[None], np.arange(h, dtype=np.float32)[:, None]


def _blend(base: np.ndarray, over: np.ndarray, mask_HW: np.ndarray) -> np.ndarray:
    """base and over: colours (3,) or pictures; mask 0..1. Returns (H, W, 3) float32."""
    return base + (over - base) * np.asarray(mask_HW, np.float32)[..., None]


def plain(rng, h, w, unit, base):
    return np.full((h, w, 3), base, np.float32)


def stripes(rng, h, w, unit, base):
    x, y = _grid(h, w)
    period, duty = unit * rng.choice([rng.uniform(0.05, 0.16), rng.uniform(0.16, 0.7)]), rng.uniform(0.25, 0.6)
    line = ((y / max(period, 2.5)) % 1 < duty) if rng.random() < 0.65 else ((x / max(period, 2.5)) % 1 < duty)
    picture = _blend(base, other_colour(rng, base), np.broadcast_to(line, (h, w)))
    if rng.random() < 0.4:
        accent = np.broadcast_to(((y / max(period, 2.5) + 0.5) % 3) < 0.3, (h, w))
        picture = _blend(picture, other_colour(rng, base), accent)
    return picture


def checks(rng, h, w, unit, base):
    x, y = _grid(h, w)
    period = max(4.0, unit * rng.uniform(0.12, 0.6))
    second = other_colour(rng, base)
    mask = 0.5 * ((x / period) % 1 < 0.5) + 0.5 * ((y / period) % 1 < 0.5)
    picture = _blend(base, second, mask)
    if rng.random() < 0.5:
        third = other_colour(rng, second)
        lines = np.maximum((x / period + 0.25) % 1 < 0.12, (y / period + 0.25) % 1 < 0.12)
        picture = _blend(picture, third, 0.7 * lines)
    return picture


def dots(rng, h, w, unit, base):
    x, y = _grid(h, w)
    period, size = max(4.0, unit * rng.uniform(0.12, 0.45)), rng.uniform(0.02, 0.11)
    row = np.floor(y / period)
    mask = (((x / period + 0.5 * (row % 2)) % 1 - 0.5) ** 2 + ((y / period) % 1 - 0.5) ** 2) < size
    return _blend(base, other_colour(rng, base), mask)


def floral(rng, h, w, unit, base):
    picture = np.full((h, w, 3), base, np.float32)
    palette = [other_colour(rng, base, 60) for _ in range(rng.integers(2, 5))]
    size = max(2.0, unit * rng.uniform(0.06, 0.35))
    for _ in range(int(min(160, 0.5 * h * w / (size * 3) ** 2)) + 4):
        cx, cy, c = rng.uniform(0, w), rng.uniform(0, h), palette[rng.integers(len(palette))]
        petals, turn, r = int(rng.integers(1, 7)), rng.uniform(0, 6.3), size * rng.uniform(0.5, 1.3)
        for k in range(petals):
            a = turn + 6.283 * k / petals
            centre = int(cx + r * 0.7 * np.cos(a)), int(cy + r * 0.7 * np.sin(a))
            cv2.ellipse(
                picture, centre, (max(1, int(r * 0.7)), max(1, int(r * 0.4))), np.degrees(a), 0, 360, c.tolist(), -1
            )
        if petals > 2:
            cv2.circle(picture, (int(cx), int(cy)), max(1, int(r * 0.35)), palette[-1].tolist(), -1)
    return picture


def blotches(rng, h, w, unit, base):
    """Camouflage, leopard, marble, tie-dye: thresholded or smooth noise."""
    name = str(rng.choice(["small", "middle", "coarse"]))
    field = noise(rng, name, h, w, (max(0.4, unit / 60), max(0.4, unit / 60)))
    if rng.random() < 0.3:
        return _blend(base, other_colour(rng, base), 1 / (1 + np.exp(-2 * field)))
    picture = _blend(base, other_colour(rng, base), field > rng.uniform(-0.2, 0.8))
    second = noise(rng, name, h, w, (max(0.4, unit / 60), max(0.4, unit / 60)))
    return _blend(picture, other_colour(rng, base), second > 0.7) if rng.random() < 0.6 else picture


def photo(rng, h, w, unit, base):
    """An all-over picture: a smooth colourful field with shapes."""
    channels = [noise(rng, "coarse", h, w) * 60 + base[c] for c in range(3)]
    picture = np.stack(channels, -1)
    for _ in range(rng.integers(3, 25)):
        p = (
            rng.uniform([0, 0], [w, h], (rng.integers(3, 6), 2)) * rng.uniform(0.1, 0.5)
            + rng.uniform([0, 0], [w, h]) * 0.7
        )
        cv2.fillPoly(picture, [p.astype(np.int32)], colour(rng).tolist())
    return picture


def bands(rng, h, w, unit, base):
    """Colour blocks and patterned bands one below another (ethnic knits, crochet, colour blocking)."""
    picture = np.full((h, w, 3), base, np.float32)
    x, _ = _grid(h, w)
    y, few = 0.0, rng.random() < 0.3
    while y < h:
        height = max(3.0, unit * (rng.uniform(0.5, 1.6) if few else rng.uniform(0.05, 0.4)))
        a, b, c = int(y), min(h, int(y + height) + 1), colour(rng)
        picture[a:b] = c
        if not few and rng.random() < 0.6:
            period = max(3.0, unit * rng.uniform(0.06, 0.3))
            rows = np.arange(b - a, dtype=np.float32)[:, None] / max(1, b - a)
            zigzag = np.abs((x / period) % 1 - 0.5) * 2 > rows
            picture[a:b] = _blend(c, other_colour(rng, c), zigzag)
        y += height
    return picture


def denim(rng, h, w, unit, base):
    shade = np.array([[52, 76, 120], [100, 130, 170], [30, 38, 60], [150, 172, 196], [60, 62, 66]], np.float32)[
        rng.integers(5)
    ]
    x, y = _grid(h, w)
    twill = 5 * np.sin((x + y) * 2.2) + 7 * noise(rng, "fine", h, w)
    fade = 14 * noise(rng, "coarse", h, w) + rng.uniform(0, 30) * np.exp(-(((x / w - 0.5) / 0.2) ** 2)) * np.ones(
        (h, 1), np.float32
    )
    picture = shade * rng.uniform(0.85, 1.15) + (twill + fade)[..., None]
    if rng.random() < 0.25:  # ripped and patched
        threads = 170 + 40 * np.sin(y * 2.5) + 15 * noise(rng, "fine", h, w)
        holes = noise(rng, "small", h, w, (max(0.5, unit / 40), max(0.5, unit / 40))) > rng.uniform(1.2, 1.9)
        picture = np.where(holes[..., None], threads[..., None] * np.array([1, 0.96, 0.9], np.float32), picture)
    return picture


def knit(rng, h, w, unit, base):
    x, y = _grid(h, w)
    period = max(3.0, unit * rng.uniform(0.05, 0.16))
    rib = 12 * np.sin(2 * np.pi * x / period) + (5 * np.sin(4 * np.pi * y / period) if rng.random() < 0.5 else 0 * y)
    return base + (rib * rng.uniform(0.4, 1.4))[..., None]


def lace(rng, h, w, unit, base):
    field = np.abs(noise(rng, "small", h, w, (max(0.5, unit / 90), max(0.5, unit / 90))))
    light = np.minimum(base + 60, 250) if base.mean() < 128 else base * 0.75
    return _blend(base, light, field < 0.35)


FABRICS = {  # name: (weight, painter)
    "plain": (34, plain),
    "stripes": (12, stripes),
    "checks": (8, checks),
    "dots": (5, dots),
    "floral": (10, floral),
    "blotches": (8, blotches),
    "photo": (5, photo),
    "bands": (6, bands),
    "denim": (6, denim),
    "knit": (6, knit),
    "lace": (3, lace),
}
NAMES = tuple(FABRICS)
WEIGHTS = np.array([FABRICS[name][0] for name in NAMES], float) / sum(FABRICS[name][0] for name in NAMES)


def make_fabric(
    rng: np.random.Generator, h: int, w: int, unit: float, kind: str | None = None
) -> tuple[np.ndarray, str]:
    """A random fabric (h, w, 3) uint8 and its kind. unit: pixels of one garment unit (about 20 cm)."""
    kind = kind or str(rng.choice(NAMES, p=WEIGHTS))
    picture = FABRICS[kind][1](rng, h, w, unit, colour(rng))
    picture = picture + (noise(rng, "fine", h, w) * rng.uniform(0, 4))[..., None]
    return np.clip(picture, 0, 255).astype(np.uint8), kind


def draw_print(rng: np.random.Generator, picture: np.ndarray, box: tuple[int, int, int, int]) -> None:
    """A logo, text or motif somewhere in a box x0, y0, x1, y1 of the picture (changed in place)."""
    x0, y0, x1, y1 = box
    if x1 - x0 < 12 or y1 - y0 < 12:
        return
    ground = picture[max(0, y0) : y1, max(0, x0) : x1].reshape(-1, 3).mean(0).astype(np.float32)
    ink = other_colour(rng, ground, 160)
    size = (x1 - x0) * rng.uniform(0.12, 0.5)
    cx = (x0 + x1) / 2 + (rng.normal(0, 0.03) if rng.random() < 0.75 else rng.choice([-0.27, 0.27])) * (x1 - x0)
    cy = y0 + rng.uniform(0.25, 0.6) * (y1 - y0)
    MOTIFS[rng.integers(len(MOTIFS))](rng, picture, cx, cy, size, ink)


def _text(rng, picture, cx, cy, size, ink):
    words = "".join(rng.choice(list("ABCDEFGHIKLMNORSTUVX1279"), rng.integers(3, 9)))
    font, thick = int(rng.choice([0, 2, 3, 4, 6])), int(rng.choice([1, 2, 3]))
    (tw, _), _ = cv2.getTextSize(words, font, 1.0, thick)
    for row in range(int(rng.integers(1, 3))):
        place = int(cx - size), int(cy + row * size * 0.6)
        cv2.putText(picture, words, place, font, 2 * size / tw, ink.tolist(), thick, cv2.LINE_AA)


def _badge(rng, picture, cx, cy, size, ink):
    a, b = (int(cx - size), int(cy - size * 0.4)), (int(cx + size), int(cy + size * 0.5))
    cv2.rectangle(picture, a, b, ink.tolist(), -1)
    _text(rng, picture, cx, cy + size * 0.2, size * 0.8, other_colour(rng, ink, 160))


def _disc(rng, picture, cx, cy, size, ink):
    for r in (1.0, 0.75, 0.5)[: int(rng.integers(1, 4))]:
        cv2.circle(
            picture, (int(cx), int(cy)), max(1, int(size * r)), other_colour(rng, ink, 60).tolist(), -1, cv2.LINE_AA
        )


def _figure(rng, picture, cx, cy, size, ink):
    """A creature-like cluster of blobs with eyes."""
    for _ in range(int(rng.integers(4, 10))):
        dx, dy = rng.normal(0, 0.35, 2) * size
        axes = (max(1, int(size * rng.uniform(0.15, 0.5))), max(1, int(size * rng.uniform(0.15, 0.6))))
        tone = ink if rng.random() < 0.6 else other_colour(rng, ink, 60)
        cv2.ellipse(
            picture,
            (int(cx + dx), int(cy + dy * 1.4)),
            axes,
            rng.uniform(0, 180),
            0,
            360,
            tone.tolist(),
            -1,
            cv2.LINE_AA,
        )


def _photo_box(rng, picture, cx, cy, size, ink):
    h, w = picture.shape[:2]
    x0, x1, y0, y1 = (
        int(max(0, cx - size)),
        int(min(w, cx + size)),
        int(max(0, cy - size)),
        int(min(h, cy + size * 1.2)),
    )
    if x1 - x0 > 4 and y1 - y0 > 4:
        picture[y0:y1, x0:x1] = np.clip(photo(rng, y1 - y0, x1 - x0, size, ink), 0, 255)


def _star(rng, picture, cx, cy, size, ink):
    n = int(rng.integers(3, 9))
    angle = np.arange(2 * n) * np.pi / n
    radius = np.where(np.arange(2 * n) % 2, size * 0.45, size)
    points = np.stack([cx + radius * np.cos(angle), cy + radius * np.sin(angle)], 1)
    cv2.fillPoly(picture, [points.astype(np.int32)], ink.tolist(), cv2.LINE_AA)


MOTIFS = (_text, _text, _badge, _disc, _figure, _figure, _photo_box, _star)
