"""PATA: pose-aware temporal attention, and the temporal layer it is built on."""

# N rows (halves * clips * frames), M = clips * frames, B clips (of both halves), F frames, L tokens, C channels

import math

import torch
from diffusers.models.attention import FeedForward
from einops import rearrange
from torch import Tensor, nn

from .adapter import PoseAdapter
from .attention import Attend, SelfAttention
from .call import Call


def frame_embedding(positions_BF: Tensor, channels: int) -> Tensor:
    """Sinusoidal positions of frames, sine and cosine interleaved as in AnimateDiff: (B, F, C) float32."""
    frequency = torch.exp(
        torch.arange(0, channels, 2, device=positions_BF.device, dtype=torch.float32) * (-math.log(10000.0) / channels)
    )
    angle = positions_BF[..., None].float() * frequency
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(-2)


class TemporalBlock(nn.Module):
    """Two self-attentions over frames and a feed-forward, each pre-normalised and residual (AnimateDiff's)."""

    def __init__(self, channels: int, heads: int):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(2))
        self.attns = nn.ModuleList(SelfAttention(channels, heads) for _ in range(2))
        self.ff_norm = nn.LayerNorm(channels)
        self.ff = FeedForward(channels, activation_fn="geglu")

    def forward(self, x_NFC: Tensor, embedding_BFC: Tensor, attention: Attend) -> Tensor:
        """x_NFC: one row per clip and position, tokens are frames; embedding_BFC: per clip, or B = 1 for all."""
        for norm, attn in zip(self.norms, self.attns):
            placed = norm(x_NFC).unflatten(0, (len(embedding_BFC), -1)) + embedding_BFC[:, None]
            x_NFC = x_NFC + attn(placed.flatten(0, 1), attention)
        return x_NFC + self.ff(self.ff_norm(x_NFC))


class PATA(nn.Module):
    """Pose-aware temporal attention (arXiv 2505.16980, sec. 3.3): Temporal(h + Adpt(p_h)), over frames per position.

    Not in the paper: the temporal layer's shape, AnimateDiff's motion module (GroupNorm, Linear, two attentions with
    sinusoidal frame positions, feed-forward, zero Linear), so that public weights load into it; its residual is h, so
    the zero start leaves h untouched whatever the adapter holds.
    """

    def __init__(self, channels: int, heads: int, groups: int, adapter: PoseAdapter | None):
        super().__init__()
        self.adapter = adapter
        self.norm = nn.GroupNorm(groups, channels, eps=1e-6)
        self.proj_in = nn.Linear(channels, channels)
        self.block = TemporalBlock(channels, heads)
        self.proj_out = nn.Linear(channels, channels)
        self.start()

    def start(self) -> None:
        """Zero the output projection."""
        nn.init.zeros_(self.proj_out.weight)
        nn.init.zeros_(self.proj_out.bias)

    def forward(self, x_NLC: Tensor, call: Call, pose_MLP: Tensor | None) -> Tensor:
        """The layer's output (N, L, C), without the residual."""
        if self.adapter is not None and pose_MLP is not None:
            x_NLC = call.add_to_halves(x_NLC, self.adapter(pose_MLP))
        length = x_NLC.shape[1]
        x = rearrange(self.norm(x_NLC.mT), "(b f) c l -> (b l) f c", f=call.frames)
        positions = call.positions
        if positions is None:
            positions_BF = torch.arange(call.frames, device=x.device)[None]
        else:
            positions_BF = positions.repeat(len(x_NLC) // (call.clips * call.frames), 1)
        embedding = frame_embedding(positions_BF, x.shape[-1]).to(x.dtype)
        x = self.proj_out(self.block(self.proj_in(x), embedding, call.attention))
        return rearrange(x, "(b l) f c -> (b f) l c", l=length)
