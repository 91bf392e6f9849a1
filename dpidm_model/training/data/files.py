"""A ClipSet over files: the layouts say where they are, this reads them at one size."""

from collections.abc import Sequence
from functools import lru_cache

from ...handovers import GarmentLandmarks, PoseTrack
from .base import Clip, UnreadableError
from .entries import Entry, count_frames, read_frames, read_landmarks, read_mask, read_picture, read_pose
from .fit import Fit


class FileClips:
    """See ClipSet.  size: (width, height) that pictures are fitted to, borders filled."""

    def __init__(self, name: str, entries: Sequence[Entry], size: tuple[int, int]):
        if not entries:
            raise UnreadableError(f"data set {name} has no clips; check root and split with prepare_dataset.py check")
        self.name, self.size = name, size
        self.entries = tuple(entries)
        self._count = lru_cache(maxsize=None)(self._count_frames)

    def __len__(self) -> int:
        return len(self.entries)

    def frames_of(self, index: int) -> int:
        return self._count(index)

    def _count_frames(self, index: int) -> int:
        entry = self.entries[index]
        if entry.ranges:
            return max(end - start for start, end in entry.ranges)
        return count_frames(entry.frames)

    def read(self, index: int, frames: list[int]) -> Clip:
        entry = self.entries[index]
        if entry.ranges:  # frame numbers count within the longest usable range
            start = max(entry.ranges, key=lambda r: r[1] - r[0])[0]
            frames = [start + number for number in frames]
        frames_FHW3 = read_frames(entry.frames, frames)
        canvas = (frames_FHW3.shape[2], frames_FHW3.shape[1])
        fit = Fit(source=canvas, size=self.size)
        mask_FHW = read_mask(entry, frames, canvas)
        pose = read_pose(entry, frames, canvas).scaled(canvas)
        garment_HW3 = read_picture(entry.garment)
        marks = read_landmarks(entry)
        worn = Fit(source=(garment_HW3.shape[1], garment_HW3.shape[0]), size=self.size)
        return Clip(
            name=f"{self.name}/{entry.name}",
            frames_FHW3=_stack(fit, frames_FHW3, False),
            mask_FHW=_stack(fit, mask_FHW, True),
            garment_HW3=worn.picture(garment_HW3),
            pose=PoseTrack(fit.points(pose.keypoints_FK3), self.size, pose.provenance_F),
            landmarks=_fit_landmarks(marks, worn),
        )


def _stack(fit: Fit, pictures, mask: bool):
    import numpy as np

    return np.stack([fit.picture(p, mask=mask) for p in pictures])


def _fit_landmarks(marks: GarmentLandmarks, fit: Fit) -> GarmentLandmarks:
    own = Fit(source=marks.canvas, size=fit.size)  # same aspect as the picture, possibly another scale
    return GarmentLandmarks(own.points(marks.points_K3), marks.visibility_K, fit.size, marks.category, marks.sleeve)
