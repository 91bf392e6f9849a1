"""All that only the peers' checkpoints have; nothing here is part of the paper's network, and absent it costs nothing.

SwiftTry (AAAI 2025): attention over frames after the feed-forward, a pose guider after conv_in.
ViViD: the same guider, unused cross-attention (UnusedCA), a fifth garment channel (the mask) and a residual from the
garment layer's attention output (both handled where the garment is encoded). `Strengths.compat` fades them out.
"""

# N rows (halves * clips * frames), F frames, L tokens, C channels, B clips

from itertools import pairwise

import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from ..config import CompatConfig
from .attention import SelfAttention
from .ca import CA
from .call import Call


class FrameAttention(nn.Module):
    """SwiftTry's attn_temp: self-attention over frames at each position, without frame positions."""

    def __init__(self, channels: int, heads: int):
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.attn = SelfAttention(channels, heads)

    def forward(self, x_NLC: Tensor, call: Call) -> Tensor:
        """The layer's output (N, L, C), without the residual."""
        length = x_NLC.shape[1]
        x = rearrange(self.norm(x_NLC), "(b f) l c -> (b l) f c", f=call.frames)
        return rearrange(self.attn(x, call.attention), "(b l) f c -> (b f) l c", l=length)


class UnusedCA(CA):
    """ViViD's cross-attention: its weights are kept, its result is not used."""

    def constant(self, clip_GE: Tensor) -> Tensor | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """None: nothing is added."""
        return None

    def forward(self, x_NLC: Tensor, call: Call, garment: object) -> Tensor:
        """x itself."""
        return x_NLC


class PoseGuider(nn.Module):
    """The peers' pose guider: pairs of convolutions, the second of stride 2, SiLU between; added after conv_in."""

    def __init__(self, compat: CompatConfig, out_channels: int):
        super().__init__()
        widths = compat.guider_widths
        self.range = compat.guider_range
        self.conv_in = nn.Conv2d(3, widths[0], 3, padding=1)
        self.blocks = nn.ModuleList()
        for narrow, wide in pairwise(widths):
            self.blocks.append(nn.Conv2d(narrow, narrow, 3, padding=1))
            self.blocks.append(nn.Conv2d(narrow, wide, 3, padding=1, stride=2))
        self.conv_out = nn.Conv2d(widths[-1], out_channels, 3, padding=1)

    def forward(self, image_N3HW: Tensor) -> Tensor:
        """image_N3HW: drawn poses, 0..1; returns (N, C, H/8, W/8)."""
        low, high = self.range
        x = F.silu(self.conv_in(image_N3HW * (high - low) + low))
        for block in self.blocks:
            x = F.silu(block(x))
        return self.conv_out(x)
