"""Reading a garment picture: landmarks, mask, how sure, and what to tell the user about it."""

import json
import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..errors import InputError
from ..handovers import CATEGORIES, GARMENT_SLOTS, GarmentLandmarks
from ..pose.draw import draw_garment
from .detector import Detection, detect
from .network import SHIPPED, GarmentNet
from .picture import as_mask8, as_rgb8
from .silhouette import NOTHING, foreground_mask, silhouette_landmarks
from .trust import LOW_CONFIDENCE, Trust, judge


@dataclass(frozen=True, kw_only=True)
class GarmentReading:
    """What was read from one garment picture.

    landmarks: on the picture's canvas.  found: the same without the user's own points.  mask_HW: (H, W) uint8, 255 on
    the garment.
    score: 0..1, how sure it is that the picture shows exactly one garment (`trust.py`).
    warnings: sentences for the user; empty when all is well.
    """

    landmarks: GarmentLandmarks
    found: GarmentLandmarks
    mask_HW: np.ndarray
    score: float
    warnings: tuple[str, ...]


def read_garment(
    image: np.ndarray,
    *,
    category: str = "auto",
    mask: np.ndarray | None = None,
    overrides: str | dict = "",
    net: GarmentNet | None = None,
) -> GarmentReading:
    """Find the landmarks of the garment in a product photo.

    image: (H, W, 1|3|4), uint8 or float 0..1; an alpha channel is laid on white.  category: auto, upper, lower, dress.
    mask: (H, W), the garment white, when it is known.  overrides: see `apply_overrides`.  net: None = shipped weights.
    Raises InputError for unusable pictures, masks and overrides.
    """
    if category not in ("auto", *CATEGORIES):
        raise InputError(f"category {category!r} is unknown; choose one of auto, {', '.join(CATEGORIES)}")
    picture = as_rgb8(image)
    known = None if mask is None else as_mask8(mask, (picture.shape[1], picture.shape[0]))
    if net is None and not SHIPPED.is_file():
        return _read_outline(picture, category, known, overrides)
    found = detect(picture, category=category, mask_HW=known, net=net)
    outline = foreground_mask(picture) if known is None else known
    trust = judge(found, picture, outline, given=known is not None)
    if known is None and (outline > 0).mean() < 0.004 and trust.low:
        raise InputError(NOTHING)
    mask_HW = known if known is not None else _best_mask(outline, found.heat_mask_HW)
    warnings = _picture_warnings(found, trust, category)
    points_K3 = found.landmarks.points_K3 * np.array([1, 1, trust.factor], np.float32)
    unmoved = replace(found.landmarks, points_K3=points_K3)
    landmarks = apply_overrides(unmoved, overrides)
    return GarmentReading(
        landmarks=landmarks,
        found=unmoved,
        mask_HW=mask_HW,
        score=trust.score,
        warnings=warnings if trust.low else warnings + low_confidence(landmarks),
    )


def _read_outline(picture: np.ndarray, category: str, mask: np.ndarray | None, overrides: str | dict) -> GarmentReading:
    """Without the detector's weights: the outline's extreme points, and a warning."""
    found, mask_HW = silhouette_landmarks(picture, category, mask)
    landmarks = apply_overrides(found, overrides)
    warning = f"the detector's weights {SHIPPED.name} are missing: rough points from the outline; reinstall the pack"
    return GarmentReading(landmarks=landmarks, found=found, mask_HW=mask_HW, score=0.5, warnings=(warning,))


def _best_mask(outline_HW: np.ndarray, heat_HW: np.ndarray) -> np.ndarray:
    """The sharp outline where it agrees with what the network sees (intersection over union > 0.7), else the latter."""
    together, either = np.count_nonzero(outline_HW & heat_HW), np.count_nonzero(outline_HW | heat_HW)
    return outline_HW if together > 0.7 * either else heat_HW


def _picture_warnings(found: Detection, trust: Trust, category: str) -> tuple[str, ...]:
    """Sentences about the picture as a whole."""
    lines = []
    if trust.low:
        lines.append(
            f"this does not look like one garment lying free (score {trust.score:.2f}): {trust.reason}; "
            "do not trust the points: use a product photo, or connect a MASK of the one garment"
        )
    elif found.category_share < 0.6:
        what = "recognised" if category == "auto" else "chosen"
        lines.append(
            f"the {what} category {found.landmarks.category} is doubtful ({found.category_share:.2f}); check it"
        )
    return tuple(lines)


def low_confidence(landmarks: GarmentLandmarks) -> tuple[str, ...]:
    """A sentence naming the points that are present but unsure, if there are any."""
    unsure = (landmarks.visibility_K > 0) & (landmarks.points_K3[:, 2] < LOW_CONFIDENCE)
    names = ", ".join(name for name, low in zip(GARMENT_SLOTS, unsure) if low)
    return (f"unsure about: {names}; check them in the preview and correct them with `overrides`",) if names else ()


def apply_overrides(landmarks: GarmentLandmarks, overrides: str | dict) -> GarmentLandmarks:
    """Landmarks with the user's own points.

    overrides: JSON object (or dict) of slot name -> [x, y] in pixels of the picture, or null to remove the point;
    "" changes nothing. Placed points get confidence 1 and count as seen; [x, y, 1] places one that is only inferred
    (folded away, hidden). Raises InputError naming what is wrong.
    """
    if isinstance(overrides, str):
        if not overrides.strip():
            return landmarks
        try:
            overrides = json.loads(overrides)
        except json.JSONDecodeError as error:
            raise InputError(
                f'overrides are not JSON ({error}); expected for example {{"r_wrist": [120, 340], "l_wrist": null}}'
            ) from error
    if not isinstance(overrides, dict):
        raise InputError(f"overrides are a {type(overrides).__name__}; expected a JSON object of slot name -> [x, y]")
    points_K3, visibility_K = landmarks.points_K3.copy(), landmarks.visibility_K.copy()
    for name, value in overrides.items():
        if name not in GARMENT_SLOTS:
            raise InputError(f"overrides name {name!r}; known points are {', '.join(GARMENT_SLOTS)}")
        slot = GARMENT_SLOTS.index(name)
        if value is None:
            points_K3[slot], visibility_K[slot] = 0, 0
            continue
        numbers = isinstance(value, (list, tuple)) and len(value) in (2, 3) and all(_is_number(v) for v in value)
        if not numbers or value[2:] not in ([], [1], [2], (), (1,), (2,)):
            raise InputError(
                f"overrides give {name} = {value!r}; expected [x, y] in pixels, [x, y, 1] for a hidden point, "
                "or null to remove it"
            )
        points_K3[slot], visibility_K[slot] = (value[0], value[1], 1.0), int(value[2]) if len(value) == 3 else 2
    return replace(landmarks, points_K3=points_K3, visibility_K=visibility_K)


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def preview_picture(image_HW3: np.ndarray, reading: GarmentReading) -> np.ndarray:
    """The garment with its skeleton over it and the outside of its mask dimmed: (H, W, 3) uint8, like `image_HW3`."""
    h, w = image_HW3.shape[:2]
    dimmed = (image_HW3.astype(np.uint16) * 3 // 5 + 30).astype(np.uint8)
    picture = np.where(reading.mask_HW[..., None] > 0, image_HW3, dimmed)
    bones = draw_garment(reading.landmarks, (w, h), half_width=max(2.0, max(w, h) / 200))
    picture = np.where(bones.any(axis=2, keepdims=True), bones, picture)
    unsure_K = reading.landmarks.points_K3[:, 2] < LOW_CONFIDENCE
    for (x, y, _), present, unsure in zip(reading.landmarks.points_K3, reading.landmarks.visibility_K, unsure_K):
        if present and unsure:
            cv2.circle(
                picture, (round(float(x)), round(float(y))), max(4, max(w, h) // 60), (255, 0, 0), 2, cv2.LINE_AA
            )
    return picture
