"""From clip sets to training samples. Every draw follows from (seed, step, micro-batch, slot), so that the order is
the same for any number of processes and workers, and after a resume.

# F frames, H W pixel rows/columns
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from ...pose.pictures import garment_picture, pose_pictures
from ..config import DataSection, LossSection, PhaseSection
from ..phases import IMAGE, VIDEO, phase_of, shape_of
from .base import Clip, ClipSet, UnreadableError, drop_joints, flip

log = logging.getLogger(__name__)


class Key(NamedTuple):
    """Which sample: slot counts the clips of the whole micro-batch, over all processes."""

    step: int
    micro: int
    slot: int
    phase: str
    frames: int


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One clip, ready for the network but for the VAE.

    poses_F3HW, garment_pose_3HW: drawn, float 0..1.  uniform: in 0..1, for the timestep.  drop: without garment.
    noise_seed: of the clip's noise.  frames: their numbers.  unreadable: samples that had to be passed over.
    """

    clip: Clip
    poses_F3HW: Tensor
    garment_pose_3HW: Tensor
    uniform: float
    drop: bool
    noise_seed: int
    frames: tuple[int, ...]
    flipped: bool
    unreadable: int = 0


class Samples(Dataset):
    """Key -> Sample, over a mixture of clip sets drawn by weight (phase (ii): those with videos)."""

    def __init__(
        self, sets: Sequence[ClipSet], weights: Sequence[float], data: DataSection, loss: LossSection, seed: int
    ):
        self.sets = list(sets)
        image = np.asarray(weights, float)
        video = image * [s.video for s in self.sets]
        self._chances = {IMAGE: image / image.sum(), VIDEO: video / max(video.sum(), 1e-12)}
        self.data, self.loss, self.seed = data, loss, seed

    def __getitem__(self, key: Key) -> Sample:
        rng = np.random.default_rng((self.seed, key.step, key.micro, key.slot))
        broken: list[str] = []
        while True:
            try:
                clip, frames = self._draw(key, rng)
                return self._sample(clip, frames, rng, len(broken))
            except UnreadableError as error:
                broken.append(str(error))
                log.warning("sample passed over: %s", error)
                if len(broken) >= self.data.unreadable:
                    raise UnreadableError(
                        f"{len(broken)} samples in a row cannot be used, the last: {error}; "
                        "run prepare_dataset.py check on the data sets"
                    ) from error

    def _draw(self, key: Key, rng: np.random.Generator) -> tuple[Clip, tuple[int, ...]]:
        chosen = self.sets[rng.choice(len(self.sets), p=self._chances[key.phase])]
        index = int(rng.integers(len(chosen)))
        if key.phase == IMAGE:
            return chosen.read_random(index, key.frames, rng)
        length = chosen.frames_of(index)
        if length < key.frames:
            raise UnreadableError(f"{chosen.name}: clip {index} has {length} frames, {key.frames} are needed")
        start = int(rng.integers(length - key.frames + 1))
        frames = tuple(range(start, start + key.frames))
        return chosen.read(index, list(frames)), frames

    def _sample(self, clip: Clip, frames: tuple[int, ...], rng: np.random.Generator, unreadable: int) -> Sample:
        flipped = bool(rng.random() < self.data.flip)
        clip = flip(clip) if flipped else clip
        size = (clip.frames_FHW3.shape[2], clip.frames_FHW3.shape[1])
        joints = drop_joints(clip.pose.keypoints_FK3, self.data.keypoint_drop, rng)
        return Sample(
            clip=clip,
            poses_F3HW=pose_pictures(replace(clip.pose, keypoints_FK3=joints), size),
            garment_pose_3HW=garment_picture(clip.landmarks, size)[0],
            uniform=float(rng.random()),
            drop=bool(rng.random() < self.loss.garment_drop),
            noise_seed=int(rng.integers(2**62)),
            frames=frames,
            flipped=flipped,
            unreadable=unreadable,
        )


class Keys(Sampler):
    """The keys of one process's micro-batches from step `start` to `stop`."""

    def __init__(self, phases: PhaseSection, accumulate: int, start: int, stop: int, rank: int = 0):
        self.phases, self.accumulate = phases, accumulate
        self.start, self.stop, self.rank = start, stop, rank

    def __len__(self) -> int:
        return (self.stop - self.start) * self.accumulate

    def __iter__(self) -> Iterator[list[Key]]:
        for step in range(self.start, self.stop):
            phase = phase_of(step, self.phases)
            clips, frames = shape_of(phase, self.phases)
            for micro in range(self.accumulate):
                yield [Key(step, micro, self.rank * clips + i, phase, frames) for i in range(clips)]
