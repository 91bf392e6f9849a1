"""What tops and dresses may look like: cuts, kinds, and poses of their sleeves."""

from dataclasses import dataclass

import numpy as np

SHORTEST_DRESS = 4.0  # hem height; no top is longer, so that the two can be told apart
SHAPELESS_DRESS = 4.8  # a shorter dress has a waist and a wider skirt: else it would look like a long top
DROPPED_CHEST, DROPPED_SHOULDER = (0.64, 0.88), (0.3, 0.6)  # half chest and depth of shoulder seams down the sleeve
WIDE_NECK, WIDE_SHOULDER = (
    (0.86, 0.98),
    (0.0, 0.08),
)  # half a neckline that ends where the sleeves billow, its depth there
LONG_SLEEVE = 1.75  # from this length on a sleeve covers the elbow and has a wrist


@dataclass(frozen=True, kw_only=True)
class TopSpec:
    """The cut of a top or a dress in garment units (half shoulder width 1, highest shoulder point y = 0).

    strap: width of camisole straps, 0 = shoulders.  sleeve: length, 0 = none.  puff: how far the sleeve billows.
    inset: where the sleeve's middle starts, in sleeve widths inside of the shoulder point (0.5: no bulge).
    skirt: hem height of a dress, 0 = a top; then `hem` is the waist, with a seam to be seen or not.
    belt: height of a belt or corset around the waist, 0 = none.
    """

    kind: str
    neck_shape: str
    neck_half: float
    neck_depth: float
    back_depth: float
    drop: float
    strap: float
    armpit: tuple[float, float]
    waist: tuple[float, float]
    hem: tuple[float, float]
    hem_bow: float
    sleeve: float
    sleeve_width: float
    cuff_width: float
    inset: float
    puff: float
    collar: str
    front: str
    pocket: str
    rib: bool
    contrast_sleeve: bool
    peplum: float
    skirt: float
    skirt_half: float
    tiers: int
    seam: bool
    belt: float


@dataclass(frozen=True, kw_only=True)
class ArmPose:
    """One arm: angles of upper and lower half from straight down, outwards positive; fold: none, front or behind."""

    upper: float
    lower: float
    fold: str
    before: bool


REST_ARM = ArmPose(upper=0.45, lower=0.35, fold="none", before=False)

# kind: (weight, neck shapes, collars, fronts, sleeve ranges, hem range, chest range, pockets)
TOPS = {
    "tee": (
        28,
        "round round v boat",
        "rib rib none",
        "closed",
        ((0.35, 1.7),),
        (2.3, 3.5),
        (0.9, 1.12),
        "none none chest",
    ),
    "longsleeve": (10, "round boat v", "rib none", "closed", ((1.8, 3.0),), (2.4, 3.4), (0.85, 1.05), "none"),
    "sweater": (8, "round v", "rib turtle rib", "closed", ((2.2, 3.0),), (2.0, 3.3), (0.95, 1.2), "none"),
    "hoodie": (5, "round", "hood", "closed zip", ((2.4, 3.0),), (2.4, 3.2), (0.95, 1.2), "kangaroo"),
    "shirt": (7, "v", "shirt", "buttons", ((0.7, 1.65), (2.3, 2.95)), (2.5, 3.6), (0.9, 1.15), "none chest"),
    "polo": (4, "v", "shirt", "polo", ((0.6, 1.2),), (2.5, 3.3), (0.9, 1.1), "none"),
    "cardigan": (5, "v", "none", "buttons open", ((2.0, 3.0),), (2.2, 3.6), (0.9, 1.15), "none patch"),
    "blazer": (4, "v", "lapel", "buttons", ((2.3, 3.0),), (2.6, 3.6), (0.9, 1.05), "patch"),
    "jacket": (4, "round v", "shirt rib", "zip", ((2.4, 3.0),), (2.0, 3.0), (0.95, 1.15), "patch chest"),
    "vest": (7, "round v square", "rib none", "closed", ((0, 0),), (2.2, 3.6), (1.02, 1.45), "none"),
    "camisole": (6, "sweetheart straight v", "none", "closed buttons", ((0, 0),), (1.5, 3.4), (0.95, 1.35), "none"),
    "blouse": (
        14,
        "round v square boat",
        "none",
        "closed closed buttons",
        ((0.5, 1.6), (2.0, 2.9)),
        (2.0, 3.1),
        (0.8, 1.0),
        "none",
    ),
}
DRESS_TOPS = ("tee", "vest", "camisole", "blouse", "blouse", "longsleeve", "shirt", "vest")


def sample_top(rng: np.random.Generator, kind: str, dress: bool = False, uncommon: float = 0.0) -> TopSpec:
    """A random cut of that kind (a key of TOPS), as a dress if asked.

    uncommon: share of sleeved cuts whose shoulder seams lie on the upper arm (boxy and kimono cuts), or of blouses
    whose neckline is as wide as the shoulders.
    """
    _, necks, collars, fronts, sleeves, hem_range, chest_range, pockets = TOPS[kind]
    pick = lambda words: str(rng.choice(words.split()))  # noqa: E731
    u = rng.uniform
    neck, strap = pick(necks), u(0.05, 0.14) if kind == "camisole" else 0.0
    low, high = sleeves[rng.integers(len(sleeves))]
    sleeve = 0.0 if high == 0 else float(u(low, high))
    rare = bool(uncommon) and sleeve > 0 and rng.random() < uncommon
    low_seam, wide_neck = rare and kind != "blouse", rare and kind == "blouse"
    chest = u(*DROPPED_CHEST) if low_seam else u(*chest_range)
    armpit_y = u(0.85, 1.3)
    depth = {"boat": (0.08, 0.22), "round": (0.2, 0.7), "v": (0.5, 1.4), "square": (0.4, 0.9)}.get(neck, (0.75, 1.25))
    neck_half = u(0.55, 0.85) if neck in ("boat", "square") else u(0.28, 0.62)
    if kind in ("shirt", "polo", "hoodie") or neck == "turtle":
        neck_half, depth = u(0.28, 0.42), (0.15, 0.4)
    drop = (0.02, 0.18) if kind == "vest" else (0.1, 0.42)
    drop = DROPPED_SHOULDER if low_seam else WIDE_SHOULDER if wide_neck else drop
    collar = pick(collars)
    if collar == "turtle":
        neck_half, depth = u(0.3, 0.45), (0.08, 0.2)
    hem_y = u(*hem_range)
    waist_y = u(0.55, 0.7) * max(hem_y, 2.4) if not dress else u(1.55, 2.4)
    waist = chest * u(0.78, 1.05)
    hem = waist * u(0.95, 1.3)
    puffy = kind == "blouse" and rng.random() < 0.7
    skirt, skirt_half, shaped = 0.0, 0.0, False
    if dress:
        hem_y, hem, skirt = waist_y, waist, max(waist_y + u(1.8, 6.0), SHORTEST_DRESS + u(0, 0.5))
        shaped = skirt < SHAPELESS_DRESS
        if shaped:
            hem = waist = min(waist, 0.84 * chest)
        skirt_half = waist * u(1.0, 1.35) + (skirt - waist_y) * u(-0.03, 0.34)
        skirt_half = max(skirt_half, 1.3 * waist) if shaped else skirt_half
    return TopSpec(
        kind=kind,
        neck_shape=neck,
        neck_half=float(u(*WIDE_NECK) if wide_neck else min(neck_half, 0.88)),
        neck_depth=float(u(*depth)),
        back_depth=float(u(0.02, 0.18)),
        drop=0.02 if strap else float(u(*drop)),
        strap=float(strap),
        armpit=(float(chest), float(armpit_y)),
        waist=(float(waist), float(min(waist_y, hem_y - 0.05))),
        hem=(float(hem), float(hem_y)),
        hem_bow=float(u(-0.06, 0.22) if rng.random() < 0.75 else u(0.2, 0.5)) * (0.0 if dress else 1.0),
        sleeve=sleeve,
        sleeve_width=float(u(0.62, 0.9) * (1.15 if puffy else 1.0)),
        cuff_width=float(u(0.55, 0.95) if 0 < sleeve < LONG_SLEEVE else u(0.3, 0.62)),
        inset=float(u(0.38, 0.52)),
        puff=float(u(0.2, 0.75) if puffy else u(-0.05, 0.08)),
        collar=collar,
        front=pick(fronts),
        pocket=pick(pockets),
        rib=bool(rng.random() < (0.85 if kind in ("sweater", "hoodie") else 0.3)),
        contrast_sleeve=bool(rng.random() < 0.12),
        peplum=float(u(0.15, 0.5) if not dress and kind in ("blouse", "vest") and rng.random() < 0.25 else 0.0),
        skirt=float(skirt),
        skirt_half=float(skirt_half),
        tiers=int(rng.choice([1, 1, 1, 2, 3])) if dress else 1,
        seam=bool(rng.random() < 0.55) or shaped,
        belt=float(u(0.12, 0.6)) if rng.random() < 0.14 else 0.0,
    )


def sample_arms(rng: np.random.Generator, spec: TopSpec) -> tuple[ArmPose, ArmPose]:
    """A pose of both sleeves (the wearer's right first): mostly alike, sometimes folded."""
    spread = rng.uniform(0.05, 0.5) if rng.random() < 0.75 else rng.uniform(0.55, 1.35)
    bend = rng.normal(-0.08, 0.12) if rng.random() < 0.8 else rng.uniform(-0.6, 0.2)
    before = bool(rng.random() < 0.5)
    arms = []
    for _ in range(2):
        fold = "none"
        if spec.sleeve > LONG_SLEEVE and rng.random() < 0.06:
            fold = str(rng.choice(["front", "front", "behind"]))
        upper = spread + rng.normal(0, 0.05)
        lower = upper + bend + rng.normal(0, 0.07)
        if fold != "none":
            upper, lower = rng.uniform(0.1, 0.4), -rng.uniform(0.8, 2.2)
        arms.append(ArmPose(upper=float(upper), lower=float(lower), fold=fold, before=before))
    return arms[0], arms[1]
