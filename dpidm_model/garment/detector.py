"""The trained detector on whole pictures: find the garment, then look closely, at several zooms and mirrored.

H W picture rows/columns, h w map rows/columns, K the 13 garment slots.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch

from ..handovers import CATEGORIES, GARMENT_SLOTS, SLEEVES, GarmentLandmarks
from .decode import SWAP, DecodedGarment, average, decode, fit_frame, mirror, to_tensor, warp_in
from .network import MAP_STRIDE, SHIPPED, GarmentNet, load_garment_net

MARGIN = 0.09  # around the garment's box in the second look, of its larger side
ZOOMS = (0.92, 1.0, 1.1)  # of that box; the second look is averaged over them
SURE_FOCUS = 0.5  # heat within the peak's neighbourhood from which on a position counts as certain
CLEAR = 250  # grey of the background that replaces everything outside a given mask
Box = tuple[float, float, float, float]  # x0, y0, x1, y1 in picture pixels
_SLEEVES, _ARMS = ("r_elbow", "l_elbow", "r_wrist", "l_wrist"), ("neck", "r_shoulder", "l_shoulder")
_LEGS = ("r_knee", "l_knee", "r_ankle", "l_ankle")
SLOTS_OF = {  # category: (always there, perhaps there)
    "upper": ((*_ARMS, "r_hip", "l_hip"), _SLEEVES),
    "lower": (("r_hip", "l_hip", "r_knee", "l_knee"), ("r_ankle", "l_ankle")),
    "dress": ((*_ARMS, "r_hip", "l_hip", *_LEGS), _SLEEVES),
}


@dataclass(frozen=True, kw_only=True)
class Detection:
    """landmarks: on the picture's canvas.  heat_mask_HW: uint8, where the network sees garment (coarse).

    single: probability of exactly one free-lying garment, the least of all looks.  covered: share of the second look
    that the coarse mask fills.  category_share: probability of the chosen category.
    """

    landmarks: GarmentLandmarks
    heat_mask_HW: np.ndarray
    single: float
    covered: float
    category_share: float


@lru_cache(maxsize=2)
def _cached(path: str, _modified: float) -> GarmentNet:
    return load_garment_net(path)[0].to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def shipped_net(path: str | Path = SHIPPED) -> GarmentNet:
    """The network of a weight file, read once while the file stays the same."""
    path = Path(path)
    return _cached(str(path), path.stat().st_mtime if path.is_file() else 0.0)


@torch.no_grad()
def _look(net: GarmentNet, image_HW3: np.ndarray, frame: np.ndarray, flip: bool) -> DecodedGarment:
    """One look through a frame; flip: averaged with the mirrored picture's."""
    seen = warp_in(image_HW3, frame, net.config.input_size)
    if not flip:
        return decode(net(to_tensor(seen[None])))[0]
    maps = net(to_tensor(np.stack([seen, seen[:, ::-1]])))
    first, second = ({name: getattr(maps, name)[i : i + 1] for name in maps.__dataclass_fields__} for i in (0, 1))
    both = decode(average(type(maps)(**first), mirror(type(maps)(**second))))[0]
    return replace(both, single=float(maps.single_B.min().sigmoid()))


def _to_picture(points_K2: np.ndarray, frame: np.ndarray) -> np.ndarray:
    back = cv2.invertAffineTransform(frame)
    return points_K2 @ back[:, :2].T + back[:, 2]


def _box_of(found: DecodedGarment, frame: np.ndarray, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Where the garment is, from its coarse mask and its likely points; the whole picture when there is nothing."""
    scale = MAP_STRIDE
    ys, xs = np.where(found.mask_hw > 0.5)
    marks = [np.stack([(xs + 0.5) * scale - 0.5, (ys + 0.5) * scale - 0.5], 1)] if len(xs) > 4 else []
    likely = (found.presence_K > 0.5) & (found.focus_K > 0.25)
    marks.append(found.points_K2[likely])
    places = np.concatenate(marks)
    if len(places) < 2:
        return (0.0, 0.0, float(size[0]), float(size[1]))
    corners = _to_picture(np.array([places.min(0), places.max(0)]), frame)
    margin = MARGIN * max(float(np.ptp(corners, axis=0).max()), 16.0)
    return (
        float(corners[0, 0] - margin),
        float(corners[0, 1] - margin),
        float(corners[1, 0] + margin),
        float(corners[1, 1] + margin),
    )


def _presence(found: DecodedGarment, category: str) -> np.ndarray:
    """Probability of each slot, given the category and that garments have both sleeves or none."""
    presence = (found.presence_K + found.presence_K[list(SWAP)]) / 2
    always, perhaps = SLOTS_OF[category]
    for i, name in enumerate(GARMENT_SLOTS):
        presence[i] = max(presence[i], 0.75) if name in always else presence[i] if name in perhaps else 0.0
    for elbow, wrist in ((2, 3), (5, 6)):  # who has a wrist has an elbow
        presence[elbow] = max(presence[elbow], presence[wrist])
    return presence


def _sleeve(presence_K: np.ndarray, category: str) -> str:
    if category == "lower":
        return SLEEVES[0]
    return SLEEVES[2] if presence_K[3] > 0.5 else SLEEVES[1] if presence_K[2] > 0.5 else SLEEVES[0]


def _closely(net: GarmentNet, image_HW3: np.ndarray, box: Box) -> tuple[DecodedGarment, np.ndarray]:
    """The second look: the box in each of ZOOMS, mirrored and not, averaged; points in picture pixels, and the frame
    that the mask belongs to."""
    looks = []
    for zoom in ZOOMS:
        frame = fit_frame(_grown(box, zoom), net.config.input_size)
        found = _look(net, image_HW3, frame, flip=True)
        looks.append((replace(found, points_K2=_to_picture(found.points_K2, frame)), frame))
    views = [view for view, _ in looks]
    weight_ZK1 = np.array([view.focus_K for view in views])[..., None] + 1e-3
    points_K2 = (np.array([view.points_K2 for view in views]) * weight_ZK1).sum(0) / weight_ZK1.sum(0)
    mean = {
        name: np.mean([getattr(view, name) for view in views], axis=0)
        for name in ("presence_K", "seen_K", "focus_K", "category_3", "sleeve_3")
    }
    single = min(view.single for view in views)
    middle, frame = looks[len(looks) // 2]
    return DecodedGarment(points_K2=points_K2, mask_hw=middle.mask_hw, single=single, **mean), frame


def _grown(box: Box, zoom: float) -> Box:
    """A box made larger about its middle."""
    (x0, y0, x1, y1), grow = box, (zoom - 1) / 2
    dx, dy = grow * (x1 - x0), grow * (y1 - y0)
    return x0 - dx, y0 - dy, x1 + dx, y1 + dy


def _mask_from(mask_hw: np.ndarray, frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A map of the network as a picture mask, uint8 0 or 255."""
    to_cells = np.array([[0.25, 0, -0.375], [0, 0.25, -0.375]]) @ np.vstack([frame, [0, 0, 1]])
    heat = cv2.warpAffine(
        mask_hw, to_cells, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_CONSTANT
    )
    return np.where(heat > 0.5, np.uint8(255), np.uint8(0))


def detect(
    image_HW3: np.ndarray, *, category: str = "auto", mask_HW: np.ndarray | None = None, net: GarmentNet | None = None
) -> Detection:
    """Landmarks of the garment in a picture.

    image_HW3: uint8 RGB.  category: auto, or the one it is known to be.  mask_HW: uint8, the garment when known; all
    else is then hidden from the network.  net: None = the shipped weights.  Confidences are those of the points, given
    that there is one garment; whether there is, `trust.judge` says.
    """
    net = net or shipped_net()
    h, w = image_HW3.shape[:2]
    alone = 1.0
    if mask_HW is not None:
        image_HW3 = np.where(mask_HW[..., None] > 0, image_HW3, np.uint8(CLEAR))
        ys, xs = np.where(mask_HW > 0)
        margin = MARGIN * max(np.ptp(xs), np.ptp(ys), 16)
        box = (xs.min() - margin, ys.min() - margin, xs.max() + margin, ys.max() + margin)
    else:
        whole = fit_frame((0, 0, w, h), net.config.input_size)
        first = _look(net, image_HW3, whole, flip=False)
        box, alone = _box_of(first, whole, (w, h)), first.single
    found, frame = _closely(net, image_HW3, box)
    single = min(float(found.single), alone)  # several garments show in the first look, a wearer's skin in either
    chosen = CATEGORIES[int(found.category_3.argmax())] if category == "auto" else category
    presence = _presence(found, chosen)
    there = presence > 0.5
    inside = ((found.points_K2 >= 0) & (found.points_K2 <= [w - 1, h - 1])).all(1)
    points = np.clip(found.points_K2, 0, [w - 1, h - 1])
    confidence = presence * np.minimum(1.0, found.focus_K / SURE_FOCUS)
    points_K3 = np.concatenate([points, confidence[:, None]], 1).astype(np.float32) * there[:, None]
    visibility = np.where(there, np.where((found.seen_K > 0.5) & inside, 2, 1), 0).astype(np.uint8)
    return Detection(
        landmarks=GarmentLandmarks(points_K3, visibility, (w, h), chosen, _sleeve(presence, chosen)),
        heat_mask_HW=_mask_from(found.mask_hw, frame, (w, h)),
        single=single,
        covered=float((found.mask_hw > 0.5).mean()),
        category_share=float(found.category_3[CATEGORIES.index(chosen)]),
    )
