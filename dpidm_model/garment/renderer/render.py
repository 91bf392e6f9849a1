"""`render_garment`: one seed -> one product photo with its landmarks, mask and, if asked for, its cloth layers."""

import numpy as np

from ...errors import InputError
from ...handovers import GARMENT_SLOTS, GarmentLandmarks
from .bottoms import BOTTOMS, BottomSpec, build_bottom, sample_bottom
from .fabric import colour, draw_print, make_fabric, other_colour
from .layers import RenderedGarment
from .outline import Cut
from .paint import Cloth, paint, transform
from .rest import rest_layers
from .scene import background, camera, cast_shadow, folds, place, wobble
from .top_details import add_hanger
from .top_spec import DRESS_TOPS, REST_ARM, TOPS, TopSpec, sample_arms, sample_top
from .tops import build_top

CATEGORY_SHARES = {"upper": 0.58, "lower": 0.22, "dress": 0.20}
HANGERS = 0.07  # share of tops and dresses that hang
REST_SPREAD = 0.06  # of trouser legs in rest pose, radians


class Garment:
    """A sampled garment: its cut in any pose and its cloth."""

    def __init__(self, rng: np.random.Generator, category: str, kind: str | None, uncommon: float = 0.0):
        self.category = category
        if category == "lower":
            kinds = list(BOTTOMS)
            weights = np.array([BOTTOMS[k][0] for k in kinds], float)
            self.kind = kind or str(rng.choice(kinds, p=weights / weights.sum()))
            self.spec: BottomSpec | TopSpec = sample_bottom(rng, self.kind)
        else:
            kinds = list(TOPS) if category == "upper" else list(DRESS_TOPS)
            weights = np.array([TOPS[k][0] if category == "upper" else 1 for k in kinds], float)
            self.kind = kind or str(rng.choice(kinds, p=weights / weights.sum()))
            self.spec = sample_top(rng, self.kind, dress=category == "dress", uncommon=uncommon)

    def cut(self, rng: np.random.Generator | None) -> Cut:
        """In a random pose, or in rest pose when rng is None."""
        if isinstance(self.spec, BottomSpec):
            right, left = (REST_SPREAD, REST_SPREAD) if rng is None else self.spec.spread + rng.normal(0, 0.02, 2)
            return build_bottom(self.spec, (float(right), float(left)))
        if rng is None:
            return build_top(self.spec, (REST_ARM, REST_ARM))
        cut = build_top(self.spec, sample_arms(rng, self.spec))
        if rng.random() < HANGERS:
            add_hanger(cut, self.spec)
        return cut


def build_garment(
    rng: np.random.Generator, category: str, kind: str | None
) -> tuple[Cut, np.random.Generator, Garment]:
    """A random garment in a random pose, bent a little: its cut, the generator for its cloth, and the garment."""
    garment = Garment(rng, category, kind)
    pose_rng, cloth_rng = rng.spawn(2)
    cut = garment.cut(pose_rng)
    wobble(pose_rng, cut, 0.022)
    return cut, cloth_rng, garment


def make_cloth(rng: np.random.Generator, garment: Garment, cut: Cut, size: tuple[int, int], unit: float) -> Cloth:
    """Fabric for a cut at the scale of its picture; tops may have a print on the chest."""
    outline = np.concatenate([piece.outline for piece in cut.pieces if piece.layer])
    low, high = outline.min(0), outline.max(0)
    w, h = (
        int(min((high[0] - low[0]) * unit, size[0] * 1.3)) + 8,
        int(min((high[1] - low[1]) * unit, size[1] * 1.3)) + 8,
    )
    kind = "denim" if garment.kind == "jeans" and rng.random() < 0.8 else None
    kind = "plain" if garment.kind in ("leggings", "joggers", "hoodie", "blazer") and rng.random() < 0.6 else kind
    fabric, kind = make_fabric(rng, h, w, unit, kind)
    front, mean = fabric, fabric.reshape(-1, 3).mean(0)
    if cut.print_box and rng.random() < (0.55 if kind in ("plain", "knit", "denim") else 0.12):
        front = fabric.copy()
        x0, y0, x1, y1 = cut.print_box
        box = [(x0 - low[0]) * unit, (y0 - low[1]) * unit, (x1 - low[0]) * unit, (y1 - low[1]) * unit]
        draw_print(rng, front, tuple(int(v) for v in box))  # type: ignore[arg-type]
    trim = mean * rng.uniform(0.85, 1.05) if rng.random() < 0.6 else other_colour(rng, mean)
    return Cloth(
        fabric_HW3=fabric,
        front_HW3=front,
        contrast=other_colour(rng, mean, 60),
        trim=trim.astype(np.float32),
        skin=np.array([[255, 219, 188], [236, 188, 150], [198, 140, 100], [110, 72, 50]], np.float32)[rng.integers(4)],
        hair=colour(rng) * 0.5,
        unit=unit,
        origin=(float(low[0]), float(low[1])),
    )


def _landmarks(cut: Cut, to_pixels_33: np.ndarray, size: tuple[int, int], category: str) -> GarmentLandmarks:
    """Labels in pixels; points outside the picture are moved to its border and count as inferred."""
    points_K3, visibility_K = np.zeros((13, 3), np.float32), np.zeros(13, np.uint8)
    for name, (x, y, visible) in cut.points.items():
        px, py = transform(to_pixels_33, np.array([[x, y]]))[0]
        inside = 0 <= px < size[0] and 0 <= py < size[1]
        slot = GARMENT_SLOTS.index(name)
        points_K3[slot] = (np.clip(px, 0, size[0] - 1), np.clip(py, 0, size[1] - 1), 1.0)
        visibility_K[slot] = visible if inside else 1
    return GarmentLandmarks(points_K3, visibility_K, size, category, cut.sleeve)


def _joints(cut: Cut, to_pixels_33: np.ndarray) -> dict[str, np.ndarray]:
    """The wearer's joints, x and y in pixels."""
    return dict(zip(cut.joints, transform(to_pixels_33, np.array(list(cut.joints.values())))))


def render_garment(
    seed: int,
    size: tuple[int, int] = (192, 256),
    *,
    category: str | None = None,
    kind: str | None = None,
    clean: bool = False,
    layers: bool = False,
    seams: bool = True,
    uncommon: float = 0.0,
) -> RenderedGarment:
    """One generated product photo; equal arguments give an equal picture on one machine.

    size: (width, height) in pixels, at least 32 each.  category: upper, lower or dress; None = random.
    kind: a key of TOPS or BOTTOMS; None = random.  clean: centred on white, upright, in rest pose, no camera faults.
    layers: also render the cloth pieces (same fabric and print).  seams: draw seams and buttons.
    uncommon: share of sleeved tops and dresses with uncommon shoulders (see sample_top).
    Raises InputError for unknown names and tiny sizes.
    """
    if min(size) < 32:
        raise InputError(f"garment picture size {size} is too small; expected at least 32x32")
    if category not in (None, *CATEGORY_SHARES):
        raise InputError(f"category {category!r} is unknown; expected one of {', '.join(CATEGORY_SHARES)}")
    if kind is not None and kind not in TOPS and kind not in BOTTOMS:
        raise InputError(f"garment kind {kind!r} is unknown; expected one of {', '.join([*TOPS, *BOTTOMS])}")
    rng = np.random.default_rng(seed)
    if category is None:
        shares = CATEGORY_SHARES
        category = (
            str(rng.choice(list(shares), p=list(shares.values())))
            if kind is None
            else ("lower" if kind in BOTTOMS else "upper")
        )
    garment = Garment(rng, category, kind, uncommon)
    pose_rng, cloth_rng, scene_rng = rng.spawn(3)
    cut = garment.cut(None if clean else pose_rng)
    if not clean:
        wobble(pose_rng, cut, 0.022)
    if not seams:
        for piece in cut.pieces:
            piece.strokes.clear()
            piece.dots.clear()
    to_pixels, unit = place(scene_rng, cut, size, clean)
    cloth = make_cloth(cloth_rng, garment, cut, size, unit)
    colour_HW3, alpha_HW, cloth_HW = paint(cut, cloth, to_pixels, size, unit, float(scene_rng.uniform(0.08, 0.3)))
    image = compose(scene_rng, colour_HW3, alpha_HW, unit, clean)
    return RenderedGarment(
        image_HW3=image,
        mask_HW=(cloth_HW * 255 + 0.5).astype(np.uint8),
        landmarks=_landmarks(cut, to_pixels, size, category),
        kind=garment.kind if category != "dress" else f"{garment.kind}_dress",
        layers=rest_layers(garment.cut(None), cloth, size, cloth_rng, _joints(cut, to_pixels)) if layers else (),
    )


def compose(rng: np.random.Generator, colour_HW3, alpha_HW, unit: float, clean: bool) -> np.ndarray:
    """Light, background, shadow and camera around painted cloth: (H, W, 3) uint8."""
    h, w = alpha_HW.shape
    colour_HW3 *= folds(rng, (h, w), unit, float(rng.uniform(0.02, 0.11)))[..., None]
    if clean:
        ground = np.full((h, w, 3), 255, np.float32)
    else:
        ground = background(rng, (w, h)).astype(np.float32)
        cast_shadow(rng, ground, alpha_HW, unit)
    ground += (colour_HW3 - ground) * alpha_HW[..., None]
    return np.clip(ground, 0, 255).astype(np.uint8) if clean else camera(rng, ground)
