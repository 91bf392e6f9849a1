"""The clothing-agnostic mask of generated clips: the user's own rules on the exact pose, exact hands, face and hair.

F frames, H W pixel rows/columns.
"""

from dataclasses import replace

import cv2
import numpy as np

from ..frames.agnostic import MaskOptions, MaskShape, body_units, garment_mask
from ..handovers import BODY_NAMES, PoseTrack

_HIPS = [BODY_NAMES.index("r_hip"), BODY_NAMES.index("l_hip")]


def agnostic_masks(
    rng: np.random.Generator, pose: PoseTrack, keep_FHW: np.ndarray, worn_FHW: np.ndarray, category: str
) -> np.ndarray:
    """Masks that hide every garment of a clip without showing its shape: (F, H, W) bool, true = to be painted.

    The shape is frames.agnostic's with random proportions, lengthened by a box to somewhere below the hem.
    keep_FHW: bool, visible hands, face and hair, never masked.  worn_FHW: bool, pixels that any of the
    garments has a part in: always masked, so that outside of the mask all is as it is in every garment.
    """
    size = keep_FHW.shape[:0:-1]
    shape = MaskShape(hem=float(rng.uniform(0.9, 1.25)), snug=0.12)
    options = MaskOptions(category=category, keep_hands=bool(rng.random() < 0.5), keep_head=False, shape=shape)
    units_F, loose = body_units(pose), float(rng.uniform(1.0, 1.25))
    options = replace(options, shape=_scaled(shape, loose))
    below = float(rng.uniform(0.02, 0.25))
    masks = []
    for keypoints, unit, keep, worn in zip(pose.keypoints_FK3, units_F, keep_FHW, worn_FHW, strict=True):
        mask = garment_mask(keypoints, float(unit), size, options)
        _lengthen(mask, worn, keypoints[_HIPS], unit, below)
        mask[worn] = 255
        masks.append((mask > 0) & ~(keep & ~worn))
    return np.stack(masks)


def _scaled(shape: MaskShape, factor: float) -> MaskShape:
    widths = {name: getattr(shape, name) * factor for name in ("shoulder", "side", "arm", "cuff", "leg", "ankle")}
    return replace(shape, **widths)


def _lengthen(mask: np.ndarray, worn_HW: np.ndarray, hips_23: np.ndarray, unit: float, below: float) -> None:
    """Where the garment reaches below the mask, add a box as wide as the garment's lower part, in place."""
    lost = worn_HW & (mask == 0)
    rows = np.flatnonzero(lost.any(1))
    seen = hips_23[hips_23[:, 2] > 0, 1]
    if not len(rows) or not len(seen) or rows[-1] < seen.mean():
        return
    start, end = int(seen.mean()), round(rows[-1] + 1 + below * unit)
    columns = np.flatnonzero(worn_HW[start:].any(0))
    margin = 0.08 * unit
    corners = (round(columns[0] - margin), start), (round(columns[-1] + margin), end)
    cv2.rectangle(mask, *corners, 255, -1)
