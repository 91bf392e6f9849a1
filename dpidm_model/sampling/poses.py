"""The person's poses of a clip: drawn and encoded a few frames at a time, each frame once.

F frames, R numbers of one frame's features, Y X pixels.
"""

import tempfile
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import InputError
from ..handovers import PoseTrack
from ..network.conditions import PoseFeatures
from ..network.model import DPIDM, ENCODE_FRAMES
from ..pose.pictures import pose_pictures

MEMORY_BYTES = 256 * 2**20  # of a clip's encoded poses; more of them lie in a temporary file


@dataclass(frozen=True)
class PoseClip:
    """One person's poses and the size they are drawn at.

    size: (width, height) in pixels, 8 times the latents'.
    guider_FYX3: pictures for the peers' pose guider instead of the drawings, in 0..1, of any size; None without.
    """

    track: PoseTrack
    size: tuple[int, int]
    guider_FYX3: Tensor | None = None

    def __post_init__(self):
        if self.guider_FYX3 is not None and len(self.guider_FYX3) != len(self.track):
            raise InputError(
                f"{len(self.guider_FYX3)} pose pictures for a pose of {len(self.track)} frames; give one for each frame"
            )

    def __len__(self) -> int:
        return len(self.track)

    def pictures(self, frames: list[int]) -> Tensor:
        """Drawings of some frames as DPIDM.encode_pose takes them: (1, F, 3, Y, X) in 0..1."""
        part = replace(
            self.track,
            keypoints_FK3=self.track.keypoints_FK3[frames],
            provenance_F=self.track.provenance_F[frames],
        )
        return pose_pictures(part, self.size)[None]

    def guider_pictures(self, frames: list[int]) -> Tensor | None:
        """What the pose guider sees instead, resized to the working size: (1, F, 3, Y, X) in 0..1, or None."""
        if self.guider_FYX3 is None:
            return None
        pictures_F3YX = self.guider_FYX3[frames, ..., :3].movedim(-1, 1).float()
        size = self.size[::-1]
        if pictures_F3YX.shape[-2:] != size:
            pictures_F3YX = functional.interpolate(pictures_F3YX, size, mode="bilinear", antialias=True)
        return pictures_F3YX.clamp(0, 1)[None]


class PoseStore:
    """A clip's encoded poses: every frame is encoded when first asked for and then kept.

    Frames are encoded in fixed groups of ENCODE_FRAMES, so features depend on no window. Beyond MEMORY_BYTES they lie
    in a temporary file in `folder` (None: the system's) that the system removes however the run ends.
    """

    def __init__(self, network: DPIDM, poses: PoseClip, folder: str | None = None):
        self._network, self._poses = network, poses
        self._file = tempfile.SpooledTemporaryFile(MEMORY_BYTES, prefix="dpidm_poses_", dir=folder)  # noqa: SIM115
        self._groups: set[int] = set()
        self._shapes: list[torch.Size] = []  # of one frame's features
        self._added = False  # the last of them is the map added after conv_in
        self._dtype = torch.float32

    @torch.no_grad()
    def features(self, frames: list[int], device: torch.device, dtype: torch.dtype) -> PoseFeatures:
        """Features of these frames (B = 1), in this order, on the CPU; encoded on `device` in `dtype`."""
        for group in sorted({frame // ENCODE_FRAMES for frame in frames} - self._groups):
            self._encode(group, device, dtype)
        if not self._shapes:
            return PoseFeatures()
        sizes = [shape.numel() for shape in self._shapes]
        rows_FR = torch.stack([self._read(frame, sum(sizes)) for frame in frames])
        parts = [part.unflatten(1, shape)[None] for part, shape in zip(rows_FR.split(sizes, 1), self._shapes)]
        added = parts.pop() if self._added else None
        return PoseFeatures(levels_BFLP=tuple(parts), input_BFCHW=added)

    def _encode(self, group: int, device: torch.device, dtype: torch.dtype) -> None:
        start = group * ENCODE_FRAMES
        frames = list(range(start, min(start + ENCODE_FRAMES, len(self._poses))))
        guided = self._poses.guider_pictures(frames)
        encoded = self._network.encode_pose(
            self._poses.pictures(frames).to(device, dtype), None if guided is None else guided.to(device, dtype)
        )
        self._added = encoded.input_BFCHW is not None
        tensors = [*encoded.levels_BFLP, *([encoded.input_BFCHW] if encoded.input_BFCHW is not None else [])]
        self._shapes = [tensor.shape[2:] for tensor in tensors]
        if tensors:
            rows_FR = torch.cat([tensor[0].flatten(1) for tensor in tensors], 1).cpu()
            self._dtype = rows_FR.dtype
            self._file.seek(start * rows_FR.shape[1] * rows_FR.element_size())
            self._file.write(rows_FR.view(torch.uint8).numpy().data)
        self._groups.add(group)

    def _read(self, frame: int, numbers: int) -> Tensor:
        size = numbers * self._dtype.itemsize
        self._file.seek(frame * size)
        return torch.frombuffer(bytearray(self._file.read(size)), dtype=self._dtype)
