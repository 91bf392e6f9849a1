"""A ClipSet over files: the layouts say where they are, this reads them at one size."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...garment.fit import fit_garment
from ...handovers import GarmentLandmarks, PoseTrack
from .base import Clip, UnreadableError
from .entries import Entry, count_frames, read_frames, read_landmarks, read_mask, read_picture, read_pose
from .fit import Fit
from .latents import read_latents


class FileClips:
    """See ClipSet.

    size: (width, height) that pictures are fitted to, borders filled.  latents: read cached latents instead of frames.
    """

    def __init__(self, name: str, entries: Sequence[Entry], size: tuple[int, int], *, latents: bool = False):
        if not entries:
            raise UnreadableError(f"data set {name} has no clips; check root and split with prepare_dataset.py check")
        self.name, self.size = name, size
        self.entries = tuple(entries)
        self.video = any(isinstance(e.frames, Path) or len(e.frames) > 1 for e in self.entries)
        self.latents = latents
        self._counts: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self.entries)

    def frames_of(self, index: int) -> int:
        if index not in self._counts:
            entry = self.entries[index]
            ranges = [end - start for start, end in entry.ranges]
            self._counts[index] = max(ranges) if ranges else count_frames(entry.frames)
        return self._counts[index]

    def read_random(self, index: int, count: int, rng: np.random.Generator) -> tuple[Clip, tuple[int, ...]]:
        length = self.frames_of(index)
        if length < count:
            raise UnreadableError(
                f"{self.name}/{self.entries[index].name}: has {length} frames, phases.image_frames={count} are needed; "
                "lower image_frames"
            )
        frames = sorted(int(f) for f in rng.choice(length, count, replace=False))
        return self.read(index, frames), tuple(frames)

    def read(self, index: int, frames: list[int]) -> Clip:
        entry = self.entries[index]
        cached = None
        if self.latents:
            cached, canvas = read_latents(entry, self.size, frames)
        if entry.ranges:  # frame numbers count within the longest usable range
            start = max(entry.ranges, key=lambda r: r[1] - r[0])[0]
            frames = [start + number for number in frames]
        if cached is None:
            frames_FHW3 = read_frames(entry.frames, frames)
            canvas = (frames_FHW3.shape[2], frames_FHW3.shape[1])
        fit = Fit(source=canvas, size=self.size)
        mask_FHW = read_mask(entry, frames, canvas)
        pose = read_pose(entry, frames, canvas).scaled(canvas)
        garment_HW3, marks = _garment(entry, self.size)
        black = np.broadcast_to(np.uint8(0), (len(frames), self.size[1], self.size[0], 3))
        return Clip(
            name=f"{self.name}/{entry.name}",
            frames_FHW3=black if cached else _stack(fit, frames_FHW3, False),
            mask_FHW=_stack(fit, mask_FHW, True),
            garment_HW3=garment_HW3,
            pose=PoseTrack(fit.points(pose.keypoints_FK3), self.size, pose.provenance_F),
            landmarks=marks,
            latents=cached,
        )


def _stack(fit: Fit, pictures: np.ndarray, mask: bool) -> np.ndarray:
    return np.stack([fit.picture(p, mask=mask) for p in pictures])


def _garment(entry: Entry, size: tuple[int, int]) -> tuple[np.ndarray, GarmentLandmarks]:
    """The garment picture and its landmarks at `size`, cropped as the Fit Garment node crops it."""
    picture_HW3 = read_picture(entry.garment)
    marks, box = read_landmarks(entry)
    if marks.canvas != (picture_HW3.shape[1], picture_HW3.shape[0]):
        found = f"{picture_HW3.shape[1]}x{picture_HW3.shape[0]}"
        raise UnreadableError(f"{entry.garment}: is {found}, its landmarks are for {marks.canvas}; prepare it again")
    mask_HW = None
    if box:
        mask_HW = np.zeros(picture_HW3.shape[:2], np.float32)
        mask_HW[box[1] : box[3], box[0] : box[2]] = 1
    fitted, marks = fit_garment(picture_HW3.astype(np.float32) / 255, marks, size, mask_HW)
    return (fitted * 255).round().astype(np.uint8), marks
