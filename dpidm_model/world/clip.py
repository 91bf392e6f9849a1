"""`make_clip(seed)`: one generated try-on clip with everything that is true about it.

F frames, K joints, H W pixel rows/columns of the output, N pixels.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..errors import InputError
from ..garment.renderer import RenderedGarment, render_garment
from ..handovers import CATEGORIES, GarmentLandmarks, PoseTrack
from . import scene as scenery
from .atlas import Atlas
from .cloth import garment_mesh
from .mask import agnostic_masks
from .mesh import Mesh
from .motion import make_motion, wander
from .person import Part, Person, make_person, person_mesh
from .render import FAR, Camera, Light, Shot, contact_shadow, joined, make_light, over, shoot, trim, working_size
from .truth import pose_track

# Seeds of the three parts of the generated data set; they never overlap.
TRAIN_SEEDS = range(0, 1_000_000_000)
VALIDATION_SEEDS = range(1_000_000_000, 1_001_000_000)
TEST_SEEDS = range(1_001_000_000, 1_002_000_000)
SPLITS = {"train": TRAIN_SEEDS, "validation": VALIDATION_SEEDS, "test": TEST_SEEDS}

# How far a worn garment may lie behind a part of the body and still be drawn over it (metres): cloth over skin.
COVERS = np.full(len(Part), 0.004, np.float32)
COVERS[[Part.TRUNK, Part.BOTTOM]] = 0.07
COVERS[[Part.LEG, Part.SKIN]] = 0.12, 0.015
COVERS[Part.OTHER_GARMENT] = -0.06
COVERS[Part.SHOULDER] = 0.09
PIXELS_AT_ONCE = 240_000
KEPT_PARTS = (Part.HAND, Part.HEAD, Part.HAIR)
# what the camera shows -> (weight, metres from top to bottom)
VIEWS = {"full": (0.25, 1.98, 2.2), "knees": (0.3, 1.4, 1.6), "hips": (0.45, 1.05, 1.25)}


@dataclass(frozen=True)
class WornTruth:
    """One garment on the person.

    frames_FHW3: uint8 RGB.  worn_FHW: bool, pixels that are mostly garment.  touched_FHW: bool, at all.
    flow_FHW2: float32, for every visible garment pixel of frame f the way in pixels (x, y) that this point of the cloth
    moves until frame f + 1, where it may be hidden (0 elsewhere and in the last frame). None if not asked for.
    origin_FHW2: float32, for every such pixel where this cloth lies in the garment's picture, in its pixels (x, y); not
    a number elsewhere. The back of a garment shows the front's cloth. None if not asked for.
    """

    frames_FHW3: np.ndarray
    worn_FHW: np.ndarray
    touched_FHW: np.ndarray
    flow_FHW2: np.ndarray | None
    origin_FHW2: np.ndarray | None


@dataclass(frozen=True, kw_only=True)
class TryOnClip:
    """A person moving in garment A, and the same motion in garment B.

    frames_FHW3: uint8 RGB, wearing A.  frames_b_FHW3: the same in B, or None if not asked for.
    garment_HW3, garment_b_HW3: product pictures, uint8 RGB; landmarks, landmarks_b: theirs.
    pose: exact human pose on a canvas of the frames' size.
    agnostic_FHW: bool, true = to be painted; it hides both A and B.
    worn_FHW, worn_b_FHW: bool, where the garment is visible.  flow_FHW2, origin_FHW2 and those of B: see WornTruth.
    """

    frames_FHW3: np.ndarray
    garment_HW3: np.ndarray
    landmarks: GarmentLandmarks
    worn_FHW: np.ndarray
    flow_FHW2: np.ndarray | None
    pose: PoseTrack
    agnostic_FHW: np.ndarray
    category: str
    fps: float
    seed: int
    garment_b_HW3: np.ndarray | None = None
    landmarks_b: GarmentLandmarks | None = None
    frames_b_FHW3: np.ndarray | None = None
    worn_b_FHW: np.ndarray | None = None
    flow_b_FHW2: np.ndarray | None = None
    origin_FHW2: np.ndarray | None = None
    origin_b_FHW2: np.ndarray | None = None


@dataclass(frozen=True)
class _Stage:
    """What both garments' renderings share. Pictures have the working size."""

    person: Person
    camera: Camera
    light: Light
    body: list[Shot]  # one for each of _runs
    backdrop: list[np.ndarray]
    detail: float


def make_clip(
    seed: int,
    frames: int = 16,
    size: tuple[int, int] = (96, 128),
    *,
    fps: float = 8.0,
    category: str = "upper",
    unpaired: bool = False,
    flow: bool = False,
    origin: bool = False,
    options: dict | None = None,
) -> TryOnClip:
    """One clip; equal arguments give equal clips on one machine.

    size: (width, height), at least 32x32.  category: upper, lower or dress.  unpaired: also render garment B on the
    same motion.  flow, origin: also compute those fields of the garments.  options: see `Options`.
    Raises InputError on impossible numbers.
    """
    if min(size) < 32 or frames < 1 or category not in CATEGORIES:
        raise InputError(
            f"a clip of {frames} frames, size {size}, category {category!r} cannot be made; expected at least 1 frame, "
            f"32x32 pixels and one of {', '.join(CATEGORIES)}"
        )
    rngs = _streams(seed)
    wish = Options(**(options or {}))
    stage = _set_stage(rngs, frames, size, fps, category, wish)
    worn = []
    for x in "ab" if unpaired else "a":
        garment = _pick_garment(rngs[f"garment_{x}"], size, category, wish.garment_kind)
        worn.append((garment, _dress(rngs[f"folds_{x}"], stage, garment, size, flow, origin)))
    fields = [_fields(*pair) for pair in worn]
    second = {name_b: fields[1][name] for name, name_b in OF_B} if unpaired else {}
    shared = _shared(rngs["mask"], stage, size, category, [truth for _, truth in worn])
    return TryOnClip(fps=fps, seed=seed, **fields[0], **second, **shared)


# Fields of the clip that exist for both garments: name for A, name for B.
OF_B = (
    ("frames_FHW3", "frames_b_FHW3"),
    ("garment_HW3", "garment_b_HW3"),
    ("landmarks", "landmarks_b"),
    ("worn_FHW", "worn_b_FHW"),
    ("flow_FHW2", "flow_b_FHW2"),
    ("origin_FHW2", "origin_b_FHW2"),
)


def _fields(garment: RenderedGarment, truth: WornTruth) -> dict:
    """What a clip holds of one garment, by the names for garment A."""
    return {
        "frames_FHW3": truth.frames_FHW3,
        "garment_HW3": garment.image_HW3,
        "landmarks": garment.landmarks,
        "worn_FHW": truth.worn_FHW,
        "flow_FHW2": truth.flow_FHW2,
        "origin_FHW2": truth.origin_FHW2,
    }


def _shared(rng, stage: _Stage, size: tuple[int, int], category: str, worn: list[WornTruth]) -> dict:
    """What a clip holds of the person, whatever is worn; the mask hides all the garments."""
    pose = pose_track(stage.person, stage.camera.resized(size))
    hidden_FHW = np.any([truth.touched_FHW for truth in worn], 0)
    mask_FHW = agnostic_masks(rng, pose, _kept(stage, size), hidden_FHW, category)
    return {"pose": pose, "agnostic_FHW": mask_FHW, "category": category}


# Every part of a clip has random numbers of its own, so that changing one part leaves the others as they are.
STREAMS = (
    *("motion", "person", "texture", "camera", "light", "scene"),
    *("other", "garment_a", "garment_b", "folds_a", "folds_b", "mask"),
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What may be fixed instead of drawn: None (or the default) means random.

    view: a key of VIEWS.  turning: scale of turning away.  gestures: side -> gesture names.  looks: fields of Looks.
    scene: a key of scene.SCENES.  garment_kind: a kind of the garment renderer.
    """

    view: str | None = None
    turning: float = 1.0
    gestures: dict[str, list[str]] | None = None
    looks: dict | None = None
    scene: str | None = None
    garment_kind: str | None = None


def _set_stage(rngs, frames: int, size: tuple[int, int], fps: float, category: str, wish: Options) -> _Stage:
    """Person, camera, light, background and the undressed body in every frame."""
    t_F = np.arange(frames) / fps
    plan = make_motion(rngs["motion"], t_F, turning=wish.turning, gestures=wish.gestures)
    broadest = 0.45 if category == "dress" else 1.0
    person = make_person(rngs["person"], plan, broadest=broadest, looks=wish.looks)
    work = working_size(size)
    camera = _make_camera(rngs["camera"], person, t_F, work, category, wish.view)
    light = make_light(rngs["light"])
    scale = float(camera.scale_F.mean())
    detail = float(np.clip(0.17 + scale / 600, 0.36, 1.0))
    mesh, texture = person_mesh(rngs["texture"], person, scale, detail, bottoms=category == "upper")
    body = _draw(mesh, texture, camera, light, frames)
    if category == "lower":
        top = _pick_garment(rngs["other"], size, "upper", None)
        mesh, atlas = garment_mesh(rngs["other"], person, top, detail, lowest=rngs["other"].uniform(0.02, 0.24))
        mesh = replace(mesh, part_T=np.full_like(mesh.part_T, Part.OTHER_GARMENT))
        tops = _draw(mesh, atlas.picture(), camera, light, frames)
        body = [joined(*over(below, above, COVERS)) for below, above in zip(body, tops, strict=True)]
    return _Stage(person, camera, light, body, _backdrops(rngs["scene"], camera, person, wish), detail)


def _draw(mesh: Mesh, texture, camera: Camera, light: Light, frames: int) -> list[Shot]:
    """All frames of a mesh, one shot for each of _runs."""
    mesh, screen_FV3 = trim(mesh, texture), camera.project(mesh.vertices_FV3)
    runs = _runs(frames, camera.size)
    return [shoot(mesh, texture, screen_FV3, run, light, camera.size[::-1]) for run in runs]


def _make_camera(rng, person: Person, t_F, size: tuple[int, int], category: str, view: str | None) -> Camera:
    """A view that holds the person, with a little motion of the camera's own."""
    names = list(VIEWS) if category == "upper" else ["full"] if category == "dress" else ["full", "knees"]
    weights = np.array([VIEWS[n][0] for n in names])
    view = view or str(rng.choice(names, p=weights / weights.sum()))
    extent = rng.uniform(*VIEWS[view][1:])
    scale = min(size[1] / extent, size[0] / 0.72) * (1 + wander(rng, t_F, -0.02, 0.02))
    head = person.skeleton.joints["head"].mean(0)
    top = head[1] - person.figure.head * 0.56 - rng.uniform(0.03, 0.12)
    if category == "lower" and view != "full":
        top = -(size[1] / scale.mean()) - rng.uniform(-0.04, 0.02)
    middle_y = top + size[1] / scale / 2 + wander(rng, t_F, -0.015, 0.015)
    middle_x = 0.5 * head[0] + rng.uniform(-0.06, 0.06) + wander(rng, t_F, -0.03, 0.03)
    return Camera(scale.astype(np.float32), np.stack([middle_x, middle_y], 1).astype(np.float32), size)


def _backdrops(rng, camera: Camera, person: Person, wish: Options) -> list[np.ndarray]:
    """The background of every frame, with the shadow of the feet on the floor."""
    scale, middle = float(camera.scale_F.mean()), camera.centre_F2.mean(0)
    horizon = 0.5 + (-0.14 - middle[1]) * scale / camera.size[1] - rng.uniform(0, 0.06)
    picture = scenery.make_scene(rng, camera.size, horizon, wish.scene)
    feet = camera.project(np.stack([person.skeleton.joints[f"{s}_ankle"] for s in "rl"], 1))[..., :2]
    views = []
    for f, (zoom, centre) in enumerate(zip(camera.scale_F / scale, camera.centre_F2, strict=True)):
        shift = (centre - middle) * scale * 0.85
        view = scenery.view_scene(picture, camera.size, (float(shift[0]), float(shift[1])), float(zoom))
        scenery.floor_shadow(view, feet[f], scale)
        views.append(view)
    return views


def _pick_garment(rng, size: tuple[int, int], category: str, kind: str | None) -> RenderedGarment:
    seed = int(rng.integers(1 << 31))
    clean = bool(rng.random() < 0.8)  # most shop pictures show the garment upright and centred
    size = (max(size[0], 48), max(size[1], 64))
    return render_garment(seed, size, category=category, kind=kind, clean=clean, layers=True)


def _dress(rng, stage: _Stage, garment: RenderedGarment, size, flow: bool, origin: bool) -> WornTruth:
    """Render every frame in one garment."""
    mesh, atlas = garment_mesh(rng, stage.person, garment, stage.detail)
    texture = atlas.picture()
    mesh = trim(mesh, texture)
    screen_FV3 = stage.camera.project(mesh.vertices_FV3)
    work = stage.camera.size
    frames_HW3, cover_HW, flow_HW2, origin_HW2 = [], [], [], []
    for run, body in zip(_runs(len(stage.backdrop), work), stage.body, strict=True):
        shot = shoot(mesh, texture, screen_FV3, run, stage.light, work[::-1])
        picture, shot = _compose(stage, run, body, shot)
        cover = shot.raster.paint(np.ones(len(shot.part_N), np.float32))
        ways = _ways(mesh, screen_FV3, run, shot) if flow else None
        origins = _origins(mesh, atlas, shot) if origin else None
        for i in range(run.stop - run.start):
            rows = slice(i * work[1], (i + 1) * work[1])
            frames_HW3.append(_shrink(picture[rows], size).astype(np.uint8))
            cover_HW.append(_shrink(cover[rows], size))
            if ways is not None:
                way_HW2 = _mean(ways[rows], size) * (size[1] / work[1])
                flow_HW2.append(way_HW2 * (cover_HW[-1] > 0.5)[..., None])
            if origins is not None:
                origin_HW2.append(np.where(cover_HW[-1][..., None] > 0.5, _mean(origins[rows], size), np.nan))
    cover_FHW = np.stack(cover_HW)
    flow_FHW2 = np.stack(flow_HW2) if flow else None
    origin_FHW2 = np.stack(origin_HW2).astype(np.float32) if origin else None
    return WornTruth(np.stack(frames_HW3), cover_FHW > 0.5, cover_FHW > 0, flow_FHW2, origin_FHW2)


def _runs(frames: int, work: tuple[int, int]) -> list[slice]:
    """Frames that are drawn together: as many as keep the arrays small enough for the processor's cache."""
    step = max(1, PIXELS_AT_ONCE // (work[0] * work[1]))
    return [slice(start, min(start + step, frames)) for start in range(0, frames, step)]


def _shrink(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def _compose(stage: _Stage, run: slice, body: Shot, garment: Shot) -> tuple[np.ndarray, Shot]:
    """Background, body and garment by depth, lit.

    Returns the frames of a run standing on each other, (frames * H, W, 3) float32, and the visible part of the garment.
    """
    shape = body.raster.shape
    body, garment = over(body, garment, COVERS)
    depth = np.full(shape[0] * shape[1], FAR, np.float32)
    for shot in (body, garment):
        depth[shot.raster.pixels_N] = shot.raster.depth_N
    parts = np.split(depth.reshape(shape), run.stop - run.start)
    shadow = np.concatenate(
        [contact_shadow(d, s) for d, s in zip(parts, stage.camera.scale_F[run], strict=True)]
    ).ravel()
    picture = np.concatenate(stage.backdrop[run])
    flat = picture.reshape(-1, 3)
    for shot in (body, garment):
        pixels = shot.raster.pixels_N
        colour = shot.rgb_N3 * ((shot.light_N * shadow[pixels])[:, None] * stage.light.tint)
        flat[pixels] = np.clip(colour, 0, 255, out=colour)
    return picture, garment


def _ways(mesh: Mesh, screen_FV3: np.ndarray, run: slice, shot: Shot) -> np.ndarray:
    """Where the visible cloth points go until the next frame: (frames * H, W, 3) x, y in working pixels, and cover."""
    height, width = shot.raster.shape[0] // (run.stop - run.start), shot.raster.shape[1]
    frames = np.arange(run.start, run.stop)
    following = screen_FV3[np.minimum(frames + 1, len(screen_FV3) - 1), :, :2]
    vertices = following.shape[1]
    triangles_T3 = (mesh.triangles_T3 + (np.arange(len(frames)) * vertices)[:, None, None]).reshape(-1, 3)
    goal_N2 = shot.raster.interpolate(following.reshape(-1, 2), triangles_T3)
    rows, columns = np.divmod(shot.raster.pixels_N, width)
    way_N2 = goal_N2 - np.stack([columns + 0.5, rows % height + 0.5], 1)
    way_N2[rows // height + run.start == len(screen_FV3) - 1] = 0
    return shot.raster.paint(np.concatenate([way_N2, np.ones((len(way_N2), 1))], 1).astype(np.float32))


def _origins(mesh: Mesh, atlas: Atlas, shot: Shot) -> np.ndarray:
    """Where the visible cloth lies in the garment's picture: (frames * H, W, 3) x, y in its pixels, and cover."""
    raster = replace(shot.raster, triangles_N=shot.raster.triangles_N % len(mesh.triangles_T3))
    photo_N2 = atlas.on_photo(raster.interpolate(mesh.uv_V2, mesh.triangles_T3))
    return raster.paint(np.concatenate([photo_N2, np.ones((len(photo_N2), 1))], 1).astype(np.float32))


def _mean(values_HW3: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Two values at the output size, weighted by the third: (H, W, 2)."""
    mean = _shrink(values_HW3, size)
    return mean[..., :2] / np.maximum(mean[..., 2:], 1e-3)


def _kept(stage: _Stage, size: tuple[int, int]) -> np.ndarray:
    """Hands, face and hair, where nothing of the body hides them: (F, H, W) bool."""
    masks = []
    for shot in stage.body:
        kept = shot.raster.paint(np.isin(shot.part_N, KEPT_PARTS).astype(np.float32))
        masks += [_shrink(part, size) > 0.3 for part in np.split(kept, len(kept) // stage.camera.size[1])]
    return np.stack(masks)


def dress_motion(
    motion_seed: int,
    garment_seeds: list[int],
    frames: int = 16,
    size: tuple[int, int] = (96, 128),
    *,
    fps: float = 8.0,
    category: str = "upper",
    hidden: int = 0,
    flow: bool = False,
    origin: bool = False,
) -> list[TryOnClip]:
    """The motion of one seed in garment A of several seeds: clips that differ in the garment alone.

    hidden: the clips' common mask hides the first `hidden` garments, 0 = all of them.  flow, origin: see make_clip.
    """
    rngs = _streams(motion_seed)
    stage = _set_stage(rngs, frames, size, fps, category, Options())
    garments = [_pick_garment(_streams(s)["garment_a"], size, category, None) for s in garment_seeds]
    folds = [np.random.default_rng((motion_seed, s)) for s in garment_seeds]
    worn = [_dress(rng, stage, garment, size, flow, origin) for rng, garment in zip(folds, garments, strict=True)]
    shared = _shared(rngs["mask"], stage, size, category, worn[: hidden or None])
    return [
        TryOnClip(fps=fps, seed=motion_seed, **_fields(garment, truth), **shared)
        for truth, garment in zip(worn, garments, strict=True)
    ]


def _streams(seed: int) -> dict[str, np.random.Generator]:
    """One independent source of random numbers for each part of a clip."""
    return dict(zip(STREAMS, np.random.default_rng(seed).spawn(len(STREAMS)), strict=True))
