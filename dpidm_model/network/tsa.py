"""TSA: temporal-shift attention, the cheap look at the preceding frames."""

# N rows (halves * clips * frames), F frames, L tokens, C channels

import torch
from torch import Tensor, nn

from .attention import SelfAttention, merge_heads, split_heads
from .call import Call


def mosaic(rows: int, columns: int, lags: int, patch: int, device: torch.device | None = None) -> Tensor:
    """l(p) in 1..lags for each of the rows*columns positions: (L,) int64, diagonal bands of patch x patch squares.

    Not in the paper: the pattern.
    """
    row_L1 = torch.arange(rows, device=device)[:, None] // patch
    column_1L = torch.arange(columns, device=device)[None] // patch
    return (1 + (row_L1 + column_1L) % lags).flatten()


def shift(x_BFLC: Tensor, lag_L: Tensor) -> Tensor:
    """h_shift: position p of frame t holds the token of frame t - l(p); before the first frame, the first frame's."""
    frames = torch.arange(x_BFLC.shape[1], device=x_BFLC.device)
    source_FL = (frames[:, None] - lag_L[None]).clamp(min=0)
    return x_BFLC[:, source_FL, torch.arange(x_BFLC.shape[2], device=x_BFLC.device)[None]]


class TSA(nn.Module):
    """Temporal-shift attention (arXiv 2505.16980, sec. 3.3): Q = h, K = V = [h, h_shift] (concatenated over space).

    h_shift is one latent frame whose patches come from the preceding L frames, so the cost is that of 2-D attention
    with twice the keys. Projections act on single tokens, so shifting projected keys and values is the same and
    projects nothing twice.
    Not in the paper: L = 3, the mosaic, own weights copied from the block's self-attention with a zero output
    projection, own norm, residual.
    """

    def __init__(self, channels: int, heads: int, lags: int, patch: int):
        super().__init__()
        self.lags, self.patch = lags, patch
        self.norm = nn.LayerNorm(channels)
        self.attn = SelfAttention(channels, heads)
        self._zero_output()

    def _zero_output(self) -> None:
        for parameter in self.attn.to_out.parameters():
            nn.init.zeros_(parameter)

    @torch.no_grad()
    def start_from(self, norm: nn.Module, attn: nn.Module) -> None:
        """Copy norm, queries, keys and values of the block's self-attention; the output projection is zero."""
        self.norm.load_state_dict(norm.state_dict())
        for name in ("to_q", "to_k", "to_v"):
            getattr(self.attn, name).load_state_dict(getattr(attn, name).state_dict())
        self._zero_output()

    def forward(self, x_NLC: Tensor, call: Call, size: tuple[int, int]) -> Tensor:
        """The layer's output (N, L, C), without the residual.  size: rows and columns of the L tokens."""
        h = self.norm(x_NLC)
        lag_L = mosaic(*size, self.lags, self.patch, h.device)
        heads = self.attn.heads

        def with_shifted(y_NLC: Tensor) -> Tensor:
            shifted = shift(y_NLC.unflatten(0, (-1, call.frames)), lag_L).flatten(0, 1)
            return split_heads(torch.cat([y_NLC, shifted], 1), heads)

        q = split_heads(self.attn.to_q(h), heads)
        out = call.attention(q, with_shifted(self.attn.to_k(h)), with_shifted(self.attn.to_v(h)))
        return self.attn.to_out[0](merge_heads(out))
