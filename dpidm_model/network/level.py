"""One level of the main U-Net: the modules of a diffusers block, with a temporal layer after each where asked for."""

# N rows, C channels, H W rows/columns

from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .call import Call


class TryOnLevel(nn.Module):
    """Base of the three kinds of levels; takes over resnets, attentions and samplers of `block` under their names.

    It passes the call on to the attentions, and to the temporal layers of the after_block layout (arXiv 2307.04725),
    which diffusers' blocks without attention could not receive. Rows common to both halves of classifier-free
    guidance stay common until the first attention.
    """

    has_cross_attention = True  # makes the U-Net hand over cross_attention_kwargs
    gradient_checkpointing = False

    def __init__(self, block: nn.Module, pata: nn.ModuleList | None):
        super().__init__()
        self.resnets: Any = block.resnets
        attentions = getattr(block, "attentions", None)
        self.attentions: Any = attentions if isinstance(attentions, nn.ModuleList) else None
        self.pata: Any = pata
        self._replaced = (block,)  # in a tuple: not a child, its children are these very modules

    def original(self) -> nn.Module:
        """The diffusers block this level stands for."""
        return self._replaced[0]

    def _run(self, layer: Any, *args: Any) -> Tensor:
        if self.gradient_checkpointing and torch.is_grad_enabled():
            return checkpoint(layer, *args, use_reentrant=False)  # pyright: ignore[reportReturnType]
        return layer(*args)

    def _resnet(self, i: int, x_NCHW: Tensor, temb: Tensor) -> Tensor:
        rows = len(x_NCHW) // len(temb)
        return self._run(self.resnets[i], x_NCHW, temb if rows == 1 else temb.repeat(rows, 1))

    def _attend(self, i: int, x_NCHW: Tensor, call: Call) -> Tensor:
        if self.attentions is not None:
            x_NCHW = self._run(self._attention, i, call.split_halves(x_NCHW), call)
        if self.pata is not None and call.temporal and call.strengths.pata:
            x_NCHW = self._run(self._temporal, i, x_NCHW, call)
        return x_NCHW

    def _attention(self, i: int, x_NCHW: Tensor, call: Call) -> Tensor:
        given = {"call": call, "size": tuple(x_NCHW.shape[-2:])}
        return self.attentions[i](x_NCHW, cross_attention_kwargs=given, return_dict=False)[0]

    def _temporal(self, i: int, x_NCHW: Tensor, call: Call) -> Tensor:
        size = (x_NCHW.shape[-2], x_NCHW.shape[-1])
        out = self.pata[i](rearrange(x_NCHW, "n c h w -> n (h w) c"), call, call.pose.get(size))
        return x_NCHW + call.strengths.pata * rearrange(out, "n (h w) c -> n c h w", h=size[0])


class DownLevel(TryOnLevel):
    """(resnet, attention, temporal layer) per layer, then the downsampler."""

    def __init__(self, block: nn.Module, pata: nn.ModuleList | None):
        super().__init__(block, pata)
        self.downsamplers: Any = block.downsamplers

    def forward(
        self, hidden_states: Tensor, temb: Tensor, cross_attention_kwargs: dict, **_: object
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Returns the output and all intermediate results for the skips."""
        x, skips, call = hidden_states, [], cross_attention_kwargs["call"]
        for i in range(len(self.resnets)):
            x = self._attend(i, self._resnet(i, x, temb), call)
            skips.append(x)
        for downsampler in self.downsamplers or ():
            x = downsampler(x)
            skips.append(x)
        return x, tuple(skips)


class MidLevel(TryOnLevel):
    """resnet, then (attention, temporal layer, resnet)."""

    def forward(self, hidden_states: Tensor, temb: Tensor, cross_attention_kwargs: dict, **_: object) -> Tensor:
        """Returns the output (N, C, H, W)."""
        x = self._resnet(0, hidden_states, temb)
        for i in range(len(self.resnets) - 1):
            x = self._resnet(i + 1, self._attend(i, x, cross_attention_kwargs["call"]), temb)
        return x


class UpLevel(TryOnLevel):
    """(skip, resnet, attention, temporal layer) per layer, then the upsampler."""

    def __init__(self, block: nn.Module, pata: nn.ModuleList | None):
        super().__init__(block, pata)
        self.upsamplers: Any = block.upsamplers

    def forward(
        self,
        hidden_states: Tensor,
        temb: Tensor,
        res_hidden_states_tuple: tuple[Tensor, ...],
        cross_attention_kwargs: dict,
        upsample_size: tuple[int, int] | None = None,
        **_: object,
    ) -> Tensor:
        """Returns the output (N, C, H, W)."""
        x, call = hidden_states, cross_attention_kwargs["call"]
        for i, skip in enumerate(reversed(res_hidden_states_tuple)):
            if len(skip) < len(x):
                skip = call.split_halves(skip)
            x = self._attend(i, self._resnet(i, torch.cat([x, skip], 1), temb), call)
        for upsampler in self.upsamplers or ():
            x = upsampler(x, upsample_size)
        return x
