"""The attention blocks that take the place of diffusers' BasicTransformerBlock in the two U-Nets."""

# N rows, L tokens, C channels, G garments, E CLIP width

from dataclasses import dataclass
from typing import Any

from diffusers.models.attention import BasicTransformerBlock
from torch import Tensor, nn

from .attention import Attend, attend, merge_heads, split_heads
from .ca import CA
from .call import Call
from .pasa import PASA
from .pata import PATA
from .tsa import TSA


class TryOnBlock(nn.Module):
    """PASA -> TSA -> CA -> PATA -> feed-forward (arXiv 2505.16980, fig. 2), each a residual.

    pasa, ca and the feed-forward hold the very modules of the diffusers block; tsa, pata are additions (None = absent),
    and so is `after`, a layer only the peers have.
    """

    def __init__(
        self,
        block: BasicTransformerBlock,
        name: str,
        pasa: PASA,
        tsa: TSA | None,
        ca: CA,
        pata: PATA | None,
        after: nn.Module | None,
    ):
        super().__init__()
        self.name = name
        self.pasa, self.tsa, self.ca, self.pata = pasa, tsa, ca, pata
        self.norm3: Any = block.norm3
        self.ff, self.after = block.ff, after
        self._replaced = (block,)  # in a tuple: not a child, its children are these very modules

    def original(self) -> BasicTransformerBlock:
        """The diffusers block this one stands for."""
        return self._replaced[0]

    def forward(self, hidden_states: Tensor, *, cross_attention_kwargs: dict, **_: object) -> Tensor:
        """hidden_states: (N, L, C).  cross_attention_kwargs: {"call": Call, "size": (rows, columns)}."""
        x, call, size = hidden_states, cross_attention_kwargs["call"], cross_attention_kwargs["size"]
        pose = call.pose.get(size)
        garment = None if call.garment is None else call.garment[self.name]
        strengths = call.strengths
        x = self.pasa(x, call, pose, garment, self.name) + x
        if garment is not None and garment.residual_GLC is not None and strengths.compat:
            x = _add_reference_output(x, call, strengths.compat * garment.residual_GLC)
        if self.tsa is not None and call.temporal and strengths.tsa:
            x = x + strengths.tsa * self.tsa(x, call, size)
        x = self.ca(x, call, garment)
        if self.pata is not None and call.temporal and strengths.pata:
            x = x + strengths.pata * self.pata(x, call, pose)
        x = self.ff(self.norm3(x)) + x
        if self.after is not None and call.temporal and strengths.compat:
            x = x + strengths.compat * self.after(x, call)
        return x


def _add_reference_output(x_NLC: Tensor, call: Call, residual_GLC: Tensor) -> Tensor:
    x = x_NLC.clone()
    x[call.free_rows :] += call.per_frame(residual_GLC)
    return x


@dataclass(frozen=True)
class GarmentFeatures:
    """f_GLC: normalised input of one spatial self-attention of the garment U-Net.  attended_GLC: its output."""

    f_GLC: Tensor
    attended_GLC: Tensor


class GarmentBlock(nn.Module):
    """Self-attention -> cross-attention to the CLIP token -> feed-forward, handing out its features.

    The block's own modules under their diffusers names; computes what diffusers' block computes for one token.
    """

    def __init__(self, name: str, block: BasicTransformerBlock):
        super().__init__()
        self.name = name
        self.norm1, self.attn1 = block.norm1, block.attn1
        self.ca = CA(block.norm2, block.attn2)
        self.norm3: Any = block.norm3
        self.ff = block.ff

    def forward(self, hidden_states: Tensor, *, cross_attention_kwargs: dict, **_: object) -> Tensor:
        """cross_attention_kwargs: {"clip": (G, E), "features": dict filled by layer name, "attention": Attend}."""
        x, attention = hidden_states, cross_attention_kwargs["attention"]
        f = self.norm1(x)
        attended = self_attention(self.attn1, f, attention)
        cross_attention_kwargs["features"][self.name] = GarmentFeatures(f, attended)
        x = attended + x
        x = x + self.ca.constant(cross_attention_kwargs["clip"])
        return self.ff(self.norm3(x)) + x


def self_attention(attn: Any, x_NLC: Tensor, attention: Attend = attend) -> Tensor:
    """Self-attention through the projections of a diffusers Attention; returns (N, L, C)."""
    q, k, v = (split_heads(project(x_NLC), attn.heads) for project in (attn.to_q, attn.to_k, attn.to_v))
    return attn.to_out[0](merge_heads(attention(q, k, v)))
