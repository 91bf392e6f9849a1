"""What the denoiser is conditioned on: made once per generation, sliced by frames for each window."""

# B clips, F frames, G garments (1, or one per clip), C channels, P pose channels, H W latent rows/columns, L tokens

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..errors import InputError
from .call import FULL, LayerGarment, Strengths

T = TypeVar("T")


def _map(value: T, change: Callable[[Tensor], Tensor]) -> T:
    """`value` with every tensor in it (dataclasses, dicts, tuples) changed."""
    if isinstance(value, Tensor):
        return change(value)  # pyright: ignore[reportReturnType]
    if isinstance(value, dict):
        return {k: _map(v, change) for k, v in value.items()}  # pyright: ignore[reportReturnType]
    if isinstance(value, tuple):
        return tuple(_map(v, change) for v in value)  # pyright: ignore[reportReturnType]
    if is_dataclass(value) and not isinstance(value, (type, Strengths)):
        return replace(value, **{f.name: _map(getattr(value, f.name), change) for f in fields(value)})
    return value


def _cat(values: Sequence[Any]) -> Any:
    """Concatenate the tensors of equally built values along their first axis."""
    first = values[0]
    if isinstance(first, Tensor):
        return torch.cat(list(values))
    if isinstance(first, dict):
        return {k: _cat([v[k] for v in values]) for k in first}
    if isinstance(first, tuple):
        return tuple(_cat(column) for column in zip(*values, strict=True))
    if is_dataclass(first) and not isinstance(first, (type, Strengths)):
        return replace(first, **{f.name: _cat([getattr(v, f.name) for v in values]) for f in fields(first)})
    if any(v != first for v in values):
        raise InputError(f"conditions differ in {first!r}; batch only windows of equally built conditions")
    return first


@dataclass(frozen=True, kw_only=True)
class GarmentConditions:
    """All the denoiser needs of the garment; made by DPIDM.encode_garment.

    layers: by layer name of the main U-Net.  pasa_strength: strength of PASA's adapter in the garment's keys.
    """

    layers: dict[str, LayerGarment]
    pasa_strength: float = 1.0

    @property
    def garments(self) -> int:
        """G: 1 for all clips, or one per clip."""
        return len(next(iter(self.layers.values())).k_GLC)

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> "GarmentConditions":
        """The same on another device or in another precision."""
        return _map(self, lambda x: x.to(device=device, dtype=dtype))


@dataclass(frozen=True, kw_only=True)
class PoseFeatures:
    """Encoded poses; made by DPIDM.encode_pose.

    levels_BFLP: pose tokens for each U-Net level, finest first; () without pose adapters.
    input_BFCHW: map added after conv_in, None without one.
    """

    levels_BFLP: tuple[Tensor, ...] = ()
    input_BFCHW: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class TryOnConditions:
    """Conditions of B clips of F frames.

    agnostic_BFCHW: latents of the clothing-agnostic frames, scaled as the model expects.
    mask_BF1HW: 1 where the garment is to be generated, at latent resolution, 0..1.
    pose: human pose features, None for a network without pose.  garment: None allows the unconditional half only.
    strengths: see Strengths; strengths.pasa must be that of the garment.
    """

    agnostic_BFCHW: Tensor
    mask_BF1HW: Tensor
    pose: PoseFeatures | None = None
    garment: GarmentConditions | None = None
    strengths: Strengths = FULL

    def __post_init__(self):
        a, m = self.agnostic_BFCHW.shape, self.mask_BF1HW.shape
        if len(a) != 5 or m != (*a[:2], 1, *a[3:]):
            raise InputError(
                f"agnostic latents {tuple(a)} and mask {tuple(m)} do not fit; expected (clips, frames, channels, H, W) "
                "and (clips, frames, 1, H, W)"
            )
        if self.pose is not None:
            maps = [*self.pose.levels_BFLP, *([] if self.pose.input_BFCHW is None else [self.pose.input_BFCHW])]
            if any(x.shape[:2] != a[:2] for x in maps):
                raise InputError(
                    f"pose has {tuple(maps[0].shape[:2])} clips and frames, the agnostic clip {tuple(a[:2])}; "
                    "encode the pose of the same frames"
                )
        if self.garment is not None:
            if self.garment.garments not in (1, a[0]):
                raise InputError(f"{self.garment.garments} garments for {a[0]} clips; give one, or one per clip")
            if self.garment.pasa_strength != self.strengths.pasa:
                raise InputError(
                    f"garment was encoded with PASA strength {self.garment.pasa_strength}, conditions ask for "
                    f"{self.strengths.pasa}; encode the garment again with the same strength"
                )

    @property
    def frames(self) -> int:
        """F."""
        return self.agnostic_BFCHW.shape[1]

    def window(self, frames: Sequence[int]) -> "TryOnConditions":
        """The conditions of the frames with these indices, in this order; the garment is shared, not copied."""
        index = torch.as_tensor(list(frames), dtype=torch.long)
        return replace(
            self,
            agnostic_BFCHW=self.agnostic_BFCHW[:, index.to(self.agnostic_BFCHW.device)],
            mask_BF1HW=self.mask_BF1HW[:, index.to(self.mask_BF1HW.device)],
            pose=_map(self.pose, lambda x: x[:, index.to(x.device)]),
        )

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> "TryOnConditions":
        """The same on another device or in another precision."""
        return _map(self, lambda x: x.to(device=device, dtype=dtype))

    @staticmethod
    def batch(items: Sequence["TryOnConditions"]) -> "TryOnConditions":
        """Several windows (or clips) as one batch; a garment they share stays one."""
        garments = [c.garment for c in items]
        shared = all(g is garments[0] for g in garments) and (garments[0] is None or garments[0].garments == 1)
        if not shared and any(g is None for g in garments):
            raise InputError("some windows have a garment and some have none; give all the same")
        one = _cat([replace(c, garment=None) for c in items])
        return replace(one, garment=garments[0] if shared else _cat(garments))
