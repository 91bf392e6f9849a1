"""What the garment renderer hands out: the picture with its labels, and the garment's flat cloth pieces.

H W pixel rows/columns, K the 13 garment slots. Left and right are the wearer's: the wearer's right
is at the picture's left.
"""

from dataclasses import dataclass

import numpy as np

from ...handovers import GarmentLandmarks

LAYER_NAMES = (
    "torso",  # neckline to hem (tops) or to hip height (dresses); anchors: neck, r/l_shoulder, r/l_hip
    "r_upper_sleeve",  # shoulder to elbow; anchors: r_shoulder, r_elbow (the body joints, short sleeve or not)
    "r_lower_sleeve",  # elbow to wrist; anchors: r_elbow, r_wrist
    "l_upper_sleeve",
    "l_lower_sleeve",
    "r_upper_leg",  # trousers, shorts: this side's half of the pelvis and the thigh; anchors: r_hip, r_knee, crotch
    "r_lower_leg",  # knee to ankle; anchors: r_knee, r_ankle
    "l_upper_leg",
    "l_lower_leg",
    "skirt",  # waistband to hem (skirts) or hip height to hem (dresses); anchors: r/l_hip, r/l_knee, r/l_ankle
)


@dataclass(frozen=True, kw_only=True)
class GarmentLayer:
    """One piece of cloth in rest pose (frontal, arms and legs apart), on the flat canvas that all layers share.

    name: one of LAYER_NAMES.
    rgba_HW4: uint8, straight (not premultiplied) colour and coverage; colour is defined outside the coverage too, so
        that bilinear warping makes no fringes. Unlit: fabric, prints, seams, buttons, but no folds and no shadows.
    anchors: name -> (x, y) in pixels of this canvas, where the wearer's joints are: the way to tie the piece to a body.
        A short sleeve has its whole arm's anchors although the cloth ends earlier.
    halfwidth: half the piece's width in pixels at its first and last anchor (limbs), or at top and
        bottom (torso, skirt).
    to_photo_23: (2, 3) float32, takes (x, y, 1) on this canvas to where that cloth lies in the product picture. A
        similarity between the anchors: bends of the lying garment are left out.
    """

    name: str
    rgba_HW4: np.ndarray
    anchors: dict[str, tuple[float, float]]
    halfwidth: tuple[float, float]
    to_photo_23: np.ndarray


@dataclass(frozen=True, kw_only=True)
class RenderedGarment:
    """One generated product photo with perfect labels.

    image_HW3: uint8 RGB.  mask_HW: uint8, 255 on the garment (all of it, inside of the collar too).
    landmarks: on this picture's canvas; confidence 1 where present.
    kind: finer than category ("tee", "hoodie", "jeans", ...); "none" where there is not exactly one garment to be seen
        (then landmarks are all absent).
    layers: the garment's pieces in drawing order, back first; empty unless asked for (`layers=True`).
    """

    image_HW3: np.ndarray
    mask_HW: np.ndarray
    landmarks: GarmentLandmarks
    kind: str
    layers: tuple[GarmentLayer, ...] = ()

    def layer(self, name: str) -> GarmentLayer | None:
        """The piece of that name, or None where this garment has none."""
        return next((layer for layer in self.layers if layer.name == name), None)
