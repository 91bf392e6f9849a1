"""Garments on bodies: puts every piece of a rendered garment around the person."""

import numpy as np

from ..garment.renderer import RenderedGarment
from .atlas import Atlas
from .cloth_bottoms import add_dress_skirt, add_leg, add_pelvis, add_skirt
from .cloth_tops import add_sleeve, add_torso, neck_opening
from .flat import make_folds
from .mesh import Mesh, MeshBuilder
from .motion import SIDES
from .person import Person


def garment_mesh(
    rng: np.random.Generator,
    person: Person,
    garment: RenderedGarment,
    detail: float = 1.0,
    lowest: float = -10.0,
) -> tuple[Mesh, Atlas]:
    """The worn garment's mesh and its atlas.

    garment: rendered with layers.  detail: mesh resolution, 1 = fine enough for 512x384.
    lowest: trunk height (0 hip joints, 1 shoulders) below which a top is cut off, as if tucked in.
    """
    builder, atlas, folds = MeshBuilder(), Atlas(), make_folds(rng)
    torso, skirt = garment.layer("torso"), garment.layer("skirt")
    if torso is not None:
        sleeved = garment.landmarks.sleeve != "none"
        add_torso(builder, atlas, person, torso, folds, detail, sleeved, lowest)
    if skirt is not None and torso is not None:
        add_dress_skirt(builder, atlas, person, skirt, torso, folds, detail)
    elif skirt is not None:
        add_skirt(builder, atlas, person, skirt, folds, detail)
    legs = {side: layer for side in SIDES if (layer := garment.layer(f"{side}_upper_leg")) is not None}
    if len(legs) == 2:
        add_pelvis(builder, atlas, person, legs, detail)
    neck = neck_opening(torso) if torso is not None else 1.0
    for side in SIDES:
        for half, (sleeve, leg) in enumerate((("upper_sleeve", "upper_leg"), ("lower_sleeve", "lower_leg"))):
            if (layer := garment.layer(f"{side}_{sleeve}")) is not None:
                add_sleeve(builder, atlas, person, layer, side, half, folds, detail, neck)
            if (layer := garment.layer(f"{side}_{leg}")) is not None:
                add_leg(builder, atlas, person, layer, side, half, folds, detail)
    return builder.build(), atlas
