"""What all attention modules share: heads, and the function that attends."""

# N rows (clips * frames, or clips * positions), L tokens, C channels, H heads, D head width

from collections.abc import Callable

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

# (q_NHLD, k_NHSD, v_NHSD) -> out_NHLD, softmax(q k^T / sqrt(D)) v; the host may pass its own.
Attend = Callable[[Tensor, Tensor, Tensor], Tensor]


def attend(q_NHLD: Tensor, k_NHSD: Tensor, v_NHSD: Tensor) -> Tensor:
    """softmax(q k^T / sqrt(D)) v through torch's fused attention; returns (N, H, L, D)."""
    return F.scaled_dot_product_attention(q_NHLD, k_NHSD, v_NHSD)


def split_heads(x_NLC: Tensor, heads: int) -> Tensor:
    """(N, L, C) -> (N, H, L, D) as a view."""
    return rearrange(x_NLC, "n l (h d) -> n h l d", h=heads)


def merge_heads(x_NHLD: Tensor) -> Tensor:
    """(N, H, L, D) -> (N, L, C)."""
    return rearrange(x_NHLD, "n h l d -> n l (h d)")


class SelfAttention(nn.Module):
    """Projections of one attention in the key layout of diffusers (to_q, to_k, to_v without bias, to_out.0)."""

    def __init__(self, channels: int, heads: int):
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k = nn.Linear(channels, channels, bias=False)
        self.to_v = nn.Linear(channels, channels, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def forward(self, x_NLC: Tensor, attention: Attend) -> Tensor:
        """Plain self-attention of each row over its tokens; returns (N, L, C)."""
        q, k, v = (split_heads(project(x_NLC), self.heads) for project in (self.to_q, self.to_k, self.to_v))
        return self.to_out[0](merge_heads(attention(q, k, v)))


@torch.no_grad()
def keys_equal_queries(module: nn.Module) -> None:
    """Start every self-attention inside `module` with key weights equal to its query weights.

    Attention then begins as matching of alike tokens, which pretrained Stable Diffusion has learnt and a network
    trained from scratch lacks. Not in the paper.
    """
    for child in module.modules():
        to_q, to_k = getattr(child, "to_q", None), getattr(child, "to_k", None)
        if isinstance(to_q, nn.Linear) and isinstance(to_k, nn.Linear) and to_q.weight.shape == to_k.weight.shape:
            to_k.weight.copy_(to_q.weight)
