"""CA: cross-attention to the garment's single CLIP image token, which is a constant."""

# N rows, M = clips * frames, G garments, L tokens, C channels, E CLIP width

from typing import Any

import torch
from torch import Tensor, nn

from .call import Call, LayerGarment


class CA(nn.Module):
    """Cross-attention to one token (arXiv 2505.16980, sec. 3.2): h + softmax(psi_q(h) psi_k(c)^T) psi_v(c).

    The softmax over a single key is 1, so the output is psi_out(psi_v(c)) at every position: computed once per
    generation. Queries, keys and the norm cannot matter; they are kept because checkpoints hold them.
    norm, attn: the U-Net block's own norm2 and attn2.
    """

    attn: Any

    def __init__(self, norm: Any, attn: Any):
        super().__init__()
        self.norm, self.attn = norm, attn

    def constant(self, clip_GE: Tensor) -> Tensor:
        """The output for a CLIP token: (G, 1, C)."""
        return self.attn.to_out[0](self.attn.to_v(clip_GE[:, None]))

    def forward(self, x_NLC: Tensor, call: Call, garment: LayerGarment | None) -> Tensor:
        """x plus the constant; the unconditional rows get that of the zero token."""
        free, width = call.free_rows, x_NLC.shape[-1]
        parts = []
        if free:  # the zero token's values are zero (to_v has no bias)
            zero = self.attn.to_out[0](x_NLC.new_zeros(1, 1, width))
            parts.append(x_NLC[:free] + zero)
        if garment is not None and garment.cross_G1C is not None:
            parts.append(x_NLC[free:] + call.per_frame(garment.cross_G1C))
        return parts[0] if len(parts) == 1 else torch.cat(parts)
