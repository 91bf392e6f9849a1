"""The DPIDM network as the sampler's callable: windows of the conditions go to the device, predictions come back."""

from dataclasses import replace

import torch
from torch import Tensor

from ..network.attention import Attend, attend
from ..network.conditions import TryOnConditions
from ..network.model import DPIDM


def window_conditions(
    conditions: TryOnConditions, frames: list[list[int]], device: torch.device, dtype: torch.dtype
) -> TryOnConditions:
    """The conditions (B = 1) of some windows, as a batch on the device; the garment is shared."""
    garment = conditions.garment and conditions.garment.to(device, dtype)
    bare = replace(conditions, garment=None)
    windows = [bare.window(window).to(device, dtype) for window in frames]
    return TryOnConditions.batch([replace(window, garment=garment) for window in windows])


class NetworkDenoise:
    """Implements memory.Denoise for a DPIDM network.

    conditions: of the whole clip (B = 1), anywhere; only the windows being denoised are moved to `device`.
    dtype: of the network's arithmetic.  attention: the host's, or torch's own.
    """

    def __init__(
        self,
        network: DPIDM,
        conditions: TryOnConditions,
        device: torch.device,
        dtype: torch.dtype,
        attention: Attend = attend,
    ):
        garment = conditions.garment and conditions.garment.to(device, dtype)
        self.network, self.conditions = network, replace(conditions, garment=garment)
        self.device, self.dtype, self.attention = device, dtype, attention
        self._held: tuple[list[list[int]], TryOnConditions] | None = None

    def __call__(
        self, x_BFCHW: Tensor, t: Tensor, frames: list[list[int]], half: str
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Predictions for some windows; see memory.Denoise."""
        x_BFCHW = x_BFCHW.to(self.device, self.dtype)
        out = self.network(x_BFCHW, t.to(self.device), self._windows(frames), half=half, attention=self.attention)  # type: ignore
        if isinstance(out, tuple):
            return out[0].float().cpu(), out[1].float().cpu()
        return out.float().cpu()

    def _windows(self, frames: list[list[int]]) -> TryOnConditions:
        """The conditions of these windows on the device; kept until other windows are asked for."""
        if self._held is None or self._held[0] != frames:
            self._held = None  # free the old ones first
            self._held = (frames, window_conditions(self.conditions, frames, self.device, self.dtype))
        return self._held[1]
