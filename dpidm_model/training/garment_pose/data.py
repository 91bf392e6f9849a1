"""Training pictures with targets: rendered on the fly, or read from labelled photos, then shaken.

K the 13 garment slots, H W input rows/columns, h w heat map rows/columns.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from torch.utils.data import Dataset

from ...garment.decode import SWAP, fit_frame, warp_in
from ...garment.detector import MARGIN
from ...garment.network import MAP_STRIDE
from ...garment.renderer import render_garment, render_negative
from ...handovers import CATEGORIES, SLEEVES, GarmentLandmarks

# Seeds are disjoint: training pictures start at 0, validation's at VALIDATION_SEED.
VALIDATION_SEED = 2_000_000_000
NEGATIVE_SHARE = 0.1
SEAMLESS_SHARE = 0.35  # without drawn seams and buttons: on photos of this size they can hardly be seen
UNCOMMON_SHARE = 0.3  # of sleeved garments: shoulder seams on the upper arm, or at the ends of a wide neckline
STRETCH = 0.07  # spread of the logarithm of height over width
WHOLE_SHARE = 0.25  # of training samples that show the whole picture, not the garment's box


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """One picture with labels. mask_HW: uint8 or None where unknown.  single: exactly one free-lying garment."""

    image_HW3: np.ndarray
    landmarks: GarmentLandmarks
    mask_HW: np.ndarray | None
    single: bool


Size = tuple[int, int]  # width, height
BLOCK = 960  # pictures that are kept and come again, shaken otherwise, before the next ones


def generate(seed: int, size: Size) -> Labelled:
    """One rendered picture, in one of the usual shapes, as high as the network's input."""
    rng = np.random.default_rng((seed, 7))
    h = size[1]
    size = [size, (3 * h // 4, h), (9 * h // 10, 9 * h // 10), (2 * h // 3, h)][rng.integers(4)]
    if rng.random() < NEGATIVE_SHARE:
        r = render_negative(seed, size)
    else:
        r = render_garment(seed, size, seams=bool(rng.random() >= SEAMLESS_SHARE), uncommon=UNCOMMON_SHARE)
    return Labelled(image_HW3=r.image_HW3, landmarks=r.landmarks, mask_HW=r.mask_HW, single=r.kind != "none")


def _random_frame(rng: np.random.Generator, item: Labelled, into: Size) -> np.ndarray:
    """Mostly as in the detector's second look: the garment's box with a margin, moved and turned a little; else the
    whole picture, as in its first look. Mirrored half of the time."""
    box = _garment_box(item)
    if box is None or rng.random() < WHOLE_SHARE:
        size = item.landmarks.canvas
        box, scale = (0.0, 0.0, float(size[0]), float(size[1])), rng.uniform(0.55, 1.05)
    else:
        scale = rng.normal(1.0, 0.06)
    frame = fit_frame(box, into)
    turn = rng.uniform(-0.42, 0.42) if rng.random() < 0.12 else rng.normal(0, 0.03)
    c, s = np.cos(turn) * scale, np.sin(turn) * scale
    flip = -1.0 if rng.random() < 0.5 else 1.0
    tall = float(np.exp(rng.normal(0, STRETCH)))
    middle, shift = np.array(into) / 2, rng.normal(0, 0.03, 2) * np.array(into)
    shake = np.array([[flip * c, -s * tall, 0], [flip * s, c * tall, 0], [0, 0, 1]])
    shake[:2, 2] = middle + shift - shake[:2, :2] @ middle
    return (shake @ np.vstack([frame, [0, 0, 1]]))[:2]


def _garment_box(item: Labelled) -> tuple[float, float, float, float] | None:
    """The garment's mask, or its points, with the detector's margin; None where there is no garment."""
    if item.mask_HW is not None and item.mask_HW.any():
        ys, xs = np.where(item.mask_HW > 127)
        low, high = np.array([xs.min(), ys.min()]), np.array([xs.max(), ys.max()])
    elif item.landmarks.visibility_K.any():
        points = item.landmarks.points_K3[item.landmarks.visibility_K > 0, :2]
        low, high = points.min(0), points.max(0)
    else:
        return None
    margin = MARGIN * max(float((high - low).max()), 16.0)
    return float(low[0] - margin), float(low[1] - margin), float(high[0] + margin), float(high[1] + margin)


def _shake_colours(rng: np.random.Generator, image_HW3: np.ndarray) -> np.ndarray:
    """Sometimes grey, inverted, turned in hue, with another gamma; sometimes blurred or pale too."""
    if rng.random() < 0.25:
        image_HW3 = cv2.GaussianBlur(image_HW3, (0, 0), rng.uniform(0.3, 1.0))
    if rng.random() < 0.25:
        contrast = rng.uniform(0.5, 1.0)
        image_HW3 = cv2.convertScaleAbs(image_HW3, alpha=contrast, beta=rng.uniform(0, 1) * 255 * (1 - contrast))
    r = rng.random()
    if r < 0.04:
        return 255 - image_HW3
    if r < 0.09:
        return np.repeat(image_HW3.mean(2, keepdims=True).astype(np.uint8), 3, 2)
    if r < 0.2:
        table = (255 * (np.arange(256) / 255) ** rng.uniform(0.6, 1.6)).astype(np.uint8)
        return cv2.LUT(image_HW3, table)
    if r < 0.25:
        return np.ascontiguousarray(image_HW3[..., rng.permutation(3)])
    return image_HW3


def heat_targets(points_K2: np.ndarray, size: Size, sigma: float = 1.0) -> np.ndarray:
    """Gaussians of unit sum, (K, h, w) float32; points in input pixels, sigma in map cells."""
    w, h = size[0] // MAP_STRIDE, size[1] // MAP_STRIDE
    cells_K2 = np.clip((points_K2 + 0.5) / MAP_STRIDE - 0.5, 0, [w - 1, h - 1])
    gx = np.exp(-((np.arange(w)[None] - cells_K2[:, :1]) ** 2) / (2 * sigma**2))
    gy = np.exp(-((np.arange(h)[None] - cells_K2[:, 1:]) ** 2) / (2 * sigma**2))
    heat = gy[:, :, None] * gx[:, None]
    return (heat / (heat.sum((1, 2), keepdims=True) + 1e-9)).astype(np.float32)


def to_sample(item: Labelled, rng: np.random.Generator | None, into: Size) -> dict[str, np.ndarray]:
    """Network input (uint8 H W 3) and targets; into: the input's size.  rng None: no shaking, the whole picture."""
    size = item.landmarks.canvas
    frame = fit_frame(_garment_box(item) or (0, 0, *size), into) if rng is None else _random_frame(rng, item, into)
    image = warp_in(item.image_HW3, frame, into)
    points = item.landmarks.points_K3[:, :2] @ frame[:, :2].T + frame[:, 2]
    visibility = item.landmarks.visibility_K.astype(np.int64)
    if frame[0, 0] * frame[1, 1] < frame[0, 1] * frame[1, 0]:  # mirrored: left and right change names
        points, visibility = points[list(SWAP)], visibility[list(SWAP)]
    outside = ((points < 0) | (points > np.array(into) - 1)).any(1)
    visibility = np.where(outside & (visibility > 0), 1, visibility)
    map_size = (into[0] // MAP_STRIDE, into[1] // MAP_STRIDE)
    mask = np.full(map_size[::-1], -1, np.float32)
    if item.mask_HW is not None:
        full = cv2.warpAffine(item.mask_HW, frame, into, flags=cv2.INTER_LINEAR)
        mask = cv2.resize(full, map_size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return {
        "image": image if rng is None else _shake_colours(rng, image),
        "points": points.astype(np.float32),
        "visibility": visibility,
        "heat": heat_targets(points, into),
        "mask": mask,
        "category": np.array(CATEGORIES.index(item.landmarks.category)),
        "sleeve": np.array(SLEEVES.index(item.landmarks.sleeve)),
        "single": np.array(item.single, np.float32),
    }


class GarmentPictures(Dataset):
    """Sample i of a run is the same in every run and after every resume: all randomness comes from its number.

    count: samples.  size_of: sample number -> the network's input (width, height).  start: number of the first sample
    (resume).  seed: of the run.
    repeats: how often a picture comes, each time shaken otherwise.  photos: labelled pictures to mix in, as
    functions that read one; share: how much of the samples they are.
    """

    def __init__(
        self,
        count: int,
        size_of: Callable[[int], Size],
        *,
        start: int = 0,
        seed: int = 0,
        repeats: int = 1,
        photos: Sequence = (),
        share: float = 0.5,
    ):
        self.count, self.size_of, self.start, self.seed, self.repeats = count, size_of, start, seed, repeats
        self.photos, self.share = photos, share if len(photos) else 0.0
        self._kept: dict[int, Labelled] = {}

    def __len__(self) -> int:
        return self.count

    def _rendered(self, number: int, size: Size) -> Labelled:
        """Blocks of BLOCK pictures, each block `repeats` times over; the last ones are kept in memory."""
        block, place = divmod(number, BLOCK * self.repeats)
        picture = self.seed * 100_000_000 + block * BLOCK + place % BLOCK
        if picture not in self._kept:
            if len(self._kept) >= BLOCK:
                self._kept.pop(next(iter(self._kept)))
            self._kept[picture] = generate(picture, size)
        return self._kept[picture]

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        cv2.setNumThreads(0)
        number = self.start + index
        size = self.size_of(number)
        rng = np.random.default_rng((self.seed, number, 3))
        photo = rng.random() < self.share
        item = self.photos[int(rng.integers(len(self.photos)))]() if photo else self._rendered(number, size)
        return to_sample(item, rng, size)
