"""The DPIDM network as the sampler's callable: windows of the conditions go to the device, predictions come back."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..network.attention import Attend, attend
from ..network.conditions import PoseFeatures, TryOnConditions
from ..network.model import DPIDM
from .poses import PoseClip

KEPT_BYTES = 256 * 2**20  # of pose features, so that clips of a few windows are encoded only once


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where and how the network runs.

    batch: windows at once.  sequential: one half of the guidance at a time.  need: said in out-of-memory errors.
    """

    device: torch.device
    dtype: torch.dtype = torch.float32
    attention: Attend = attend
    batch: int = 1
    sequential: bool = False
    need: str = ""


class ClipConditions:
    """Conditions of a whole clip, of which windows are taken.

    still: what is made once (B = 1), without the pose: latents and mask of all frames, anywhere, and the garment.
    poses: drawn and encoded when a window first asks for them.
    """

    def __init__(self, network: DPIDM, still: TryOnConditions, poses: PoseClip):
        self.network, self.still, self.poses = network, still, poses
        self._kept: dict[tuple[int, ...], PoseFeatures] = {}
        self._kept_bytes = 0

    def offload(self) -> "ClipConditions":
        """Move everything to the CPU; windows are moved back when asked for."""
        self.still = self.still.to("cpu")
        return self

    @torch.no_grad()
    def windows(self, frames: list[list[int]], device: torch.device, dtype: torch.dtype) -> TryOnConditions:
        """The conditions of some windows, as a batch on the device; the garment is shared."""
        garment = self.still.garment and self.still.garment.to(device, dtype)
        bare = replace(self.still, garment=None)
        parts = [
            replace(bare.window(window), pose=self._pose(window, device, dtype)).to(device, dtype) for window in frames
        ]
        return TryOnConditions.batch([replace(part, garment=garment) for part in parts])

    def _pose(self, window: list[int], device: torch.device, dtype: torch.dtype) -> PoseFeatures:
        kept = self._kept.get(tuple(window))
        if kept is not None:
            return kept
        features = self.network.encode_pose(self.poses.pictures(window).to(device, dtype))
        size = sum(x.numel() * x.element_size() for x in (features.input_BFCHW, *features.levels_BFLP) if x is not None)
        if self._kept_bytes + size <= KEPT_BYTES:
            added = features.input_BFCHW
            self._kept[tuple(window)] = PoseFeatures(
                levels_BFLP=tuple(level.cpu() for level in features.levels_BFLP),
                input_BFCHW=None if added is None else added.cpu(),
            )
            self._kept_bytes += size
        return features


class NetworkDenoise:
    """Implements memory.Denoise for a DPIDM network; only the windows being denoised are on the device."""

    def __init__(self, network: DPIDM, conditions: ClipConditions, place: Place):
        self.network, self.conditions, self.place = network, conditions, place
        self._held: tuple[list[list[int]], TryOnConditions] | None = None

    def __call__(
        self, x_BFCHW: Tensor, t: Tensor, frames: list[list[int]], half: str
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Predictions for some windows; see memory.Denoise."""
        place = self.place
        x_BFCHW = x_BFCHW.to(place.device, place.dtype)
        with torch.no_grad():
            out = self.network(
                x_BFCHW,
                t.to(place.device),
                self._windows(frames),
                half=half,  # type: ignore[arg-type]
                attention=place.attention,
            )
        if isinstance(out, tuple):
            return out[0].float().cpu(), out[1].float().cpu()
        return out.float().cpu()

    def _windows(self, frames: list[list[int]]) -> TryOnConditions:
        """The conditions of these windows on the device; kept until other windows are asked for."""
        if self._held is None or self._held[0] != frames:
            self._held = None  # free the old ones first
            self._held = (frames, self.conditions.windows(frames, self.place.device, self.place.dtype))
        return self._held[1]
