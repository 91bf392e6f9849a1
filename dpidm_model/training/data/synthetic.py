"""The generated world as a data set: endless, or a few motions each worn with several garments.

# F frames, H W pixel rows/columns
"""

from collections import OrderedDict
from dataclasses import replace

import numpy as np
from einops import rearrange

from ...errors import InputError
from ...handovers import PoseTrack
from ...world import clip as world
from ..correspondence import CELL
from .base import Clip

FPS = 8.0
SPLITS = {"train": world.TRAIN_SEEDS, "val": world.VALIDATION_SEEDS, "test": world.TEST_SEEDS}
KEPT = 8192  # rendered clips kept in memory (about 0.8 MB each at 128x96, 16 frames)


class SyntheticClips:
    """See ClipSet.

    clips 0: as many as the split has seeds, each in its own garment, rendered when asked for.
    clips N: the first N seeds of the split, each worn with `garments` garments: those of the clips i, i+1, ... (modulo
    N), so that clip i + N * k is motion i in the garment of clip (i + k) mod N. Rendered once and kept.
    first: place in the split of the first seed.  frames: length of a clip.  size: (width, height).
    origin: clips know where on the garment the worn cloth lies.
    """

    video = True

    def __init__(
        self,
        *,
        split: str,
        clips: int,
        size: tuple[int, int],
        frames: int = 16,
        garments: int = 1,
        first: int = 0,
        category: str = "upper",
        origin: bool = False,
    ):
        if clips and not 1 <= garments <= clips:
            raise InputError(f"garments={garments} must be in 1..clips={clips}: the garments are those of the clips")
        if not 0 <= first <= len(SPLITS[split]) - max(clips, 1):
            raise InputError(f"first={first}, clips={clips}: the {split} split has {len(SPLITS[split])} clips")
        self.name, self.size, self.frames = "synthetic", size, frames
        self.seeds, self.clips, self.garments, self.category = SPLITS[split][first:], clips, garments, category
        self.origin = origin
        self._kept: OrderedDict[int, Clip] = OrderedDict()

    def __len__(self) -> int:
        return self.clips * self.garments if self.clips else len(self.seeds)

    def frames_of(self, index: int) -> int:
        return self.frames

    def read(self, index: int, frames: list[int]) -> Clip:
        if self.clips:
            return _frames(self._whole(index), frames)
        return _frames(self._own_garment(self.seeds[index], max(frames) + 1, FPS), frames)

    def read_random(self, index: int, count: int, rng: np.random.Generator) -> tuple[Clip, tuple[int, ...]]:
        """Frames for phase (i). Endless: only those are rendered, spread over the clip's time."""
        if self.clips:
            frames = sorted(int(f) for f in rng.choice(self.frames, count, replace=count > self.frames))
            return self.read(index, frames), tuple(frames)
        return self._own_garment(self.seeds[index], count, FPS * count / self.frames), tuple(range(count))

    def _own_garment(self, seed: int, frames: int, fps: float) -> Clip:
        made = world.make_clip(seed, frames, self.size, fps=fps, category=self.category, origin=self.origin)
        return _clip(f"synthetic/{seed}", made)

    def _whole(self, index: int) -> Clip:
        if index not in self._kept:
            motion, shift = index % self.clips, index // self.clips
            wardrobe = [self.seeds[(motion + k) % self.clips] for k in range(self.garments)]
            options = {"fps": FPS, "category": self.category, "origin": self.origin}
            worn = world.dress_motion(self.seeds[motion], wardrobe, self.frames, self.size, **options)
            for k, (seed, made) in enumerate(zip(wardrobe, worn)):
                self._kept[motion + self.clips * k] = _clip(f"synthetic/{self.seeds[motion]}-in-{seed}", made)
            while len(self._kept) > max(KEPT, self.garments):
                self._kept.popitem(last=False)
            assert shift < self.garments
        return self._kept[index]


def _clip(name: str, made: world.TryOnClip) -> Clip:
    return Clip(
        name=name,
        frames_FHW3=made.frames_FHW3,
        mask_FHW=made.agnostic_FHW.astype(np.uint8) * np.uint8(255),
        garment_HW3=made.garment_HW3,
        pose=made.pose,
        landmarks=made.landmarks,
        origin_FHW3=None if made.origin_FHW2 is None else _cells(made.origin_FHW2),
    )


def _cells(origin_FHW2: np.ndarray) -> np.ndarray:
    """Clip.origin_FHW3 from the world's, pixel by pixel: means over the pixels that show the garment."""
    height, width = origin_FHW2.shape[1:3]
    share = rearrange(origin_FHW2, "f (h a) (w b) c -> f h w (a b) c", a=CELL, b=CELL) / [width, height]
    known = np.isfinite(share[..., :1])
    count = known.sum(-2)
    place = np.where(known, share, 0).sum(-2) / np.maximum(count, 1)
    return np.concatenate([place, count / CELL**2], -1).astype(np.float16)


def _frames(clip: Clip, frames: list[int]) -> Clip:
    pose = clip.pose
    return replace(
        clip,
        frames_FHW3=clip.frames_FHW3[frames],
        mask_FHW=clip.mask_FHW[frames],
        origin_FHW3=None if clip.origin_FHW3 is None else clip.origin_FHW3[frames],
        pose=PoseTrack(pose.keypoints_FK3[frames], pose.canvas, pose.provenance_F[frames]),
    )
