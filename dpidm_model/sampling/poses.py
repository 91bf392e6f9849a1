"""The person's poses of a clip, drawn and encoded window by window: keypoints are small, drawings and features are not.

F frames, Y X pixels.
"""

from dataclasses import dataclass, replace

from torch import Tensor

from ..handovers import PoseTrack
from ..pose.pictures import pose_pictures


@dataclass(frozen=True)
class PoseClip:
    """One person's poses and the size they are drawn at.

    size: (width, height) in pixels, 8 times the latents'.
    """

    track: PoseTrack
    size: tuple[int, int]

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
