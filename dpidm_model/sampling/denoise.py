"""The DPIDM network as the sampler's callable: windows of the conditions go to the device, predictions come back."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..network.attention import Attend, attend
from ..network.conditions import TryOnConditions
from ..network.model import DPIDM
from .poses import PoseClip, PoseStore


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where and how the network runs.

    batch: windows at once.  sequential: one half of the guidance at a time.  need: said in out-of-memory errors.
    temporary: folder for what is too large to be kept in memory; None = the system's.
    """

    device: torch.device
    dtype: torch.dtype = torch.float32
    attention: Attend = attend
    batch: int = 1
    sequential: bool = False
    need: str = ""
    temporary: str | None = None


class ClipConditions:
    """Conditions of a whole clip, of which windows are taken.

    still: what is made once (B = 1), without the pose: latents and mask of all frames, anywhere, and the garment.
    poses: drawn and encoded when a window first asks for them, each frame once.
    """

    def __init__(self, network: DPIDM, still: TryOnConditions, poses: PoseClip, temporary: str | None = None):
        self.still, self.poses = still, poses
        self._encoded = PoseStore(network, poses, temporary)

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
            replace(bare.window(window), pose=self._encoded.features(window, device, dtype)).to(device, dtype)
            for window in frames
        ]
        return TryOnConditions.batch([replace(part, garment=garment) for part in parts])


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
