"""What travels with one call of the main U-Net: passed down as an argument, never kept on a module."""

# B clips, F frames, L tokens, P pose channels, C channels, H heads, D head width

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from .attention import Attend, attend

# (layer name, q_(B*F)HLD, k_(B*F)HSD): PASA's queries and its keys [human, garment] of the conditional half
Tap = Callable[[str, Tensor, Tensor], None]


@dataclass(frozen=True, kw_only=True)
class Strengths:
    """How much of each addition is used at inference; 0 leaves it out exactly, 1 is the trained network.

    pasa: PASA's pose adapter.  tsa, pata: output of that layer.  compat: what only the peers' checkpoints have.
    """

    pasa: float = 1.0
    tsa: float = 1.0
    pata: float = 1.0
    compat: float = 1.0


FULL = Strengths()


@dataclass(frozen=True, kw_only=True)
class LayerGarment:
    """What one layer needs of the garment, made once per generation (G = 1, or one garment per clip).

    k_GLC, v_GLC: PASA's garment keys and values.  cross_G1C: output of cross-attention to the single CLIP token.
    residual_GLC: ViViD's reference output, None elsewhere.
    """

    k_GLC: Tensor
    v_GLC: Tensor
    cross_G1C: Tensor | None
    residual_GLC: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class Call:
    """One evaluation of the main U-Net.

    clips, frames: B and F.  halves: 2 when rows are [unconditional, conditional], else 1.
    garment: by layer name; None when only the unconditional half is evaluated.
    pose: tokens (B*F, L, P) by (rows, columns) of the level; empty without pose.
    positions: (B, F) frame positions for the temporal layer.
    """

    clips: int
    frames: int
    halves: int = 1
    garment: dict[str, LayerGarment] | None = None
    pose: dict[tuple[int, int], Tensor] = field(default_factory=dict)
    positions: Tensor | None = None
    strengths: Strengths = FULL
    temporal: bool = True
    tap: Tap | None = None
    attention: Attend = attend

    @property
    def rows(self) -> int:
        """Rows of the batch once the halves are apart."""
        return self.halves * self.clips * self.frames

    @property
    def free_rows(self) -> int:
        """Leading rows that see no garment: the unconditional half."""
        if self.garment is None:
            return self.rows
        return (self.halves - 1) * self.clips * self.frames

    def add_to_halves(self, x_NLC: Tensor, addition_MLC: Tensor) -> Tensor:
        """x + addition, where the addition (M = B*F rows) is the same for all halves x holds."""
        if len(x_NLC) == len(addition_MLC):
            return x_NLC + addition_MLC
        return (x_NLC.unflatten(0, (-1, len(addition_MLC))) + addition_MLC).flatten(0, 1)

    def split_halves(self, x_N: Tensor) -> Tensor:
        """Rows as the layers after the first attention need them: those still common to both halves are repeated."""
        return x_N if len(x_N) == self.rows else x_N.repeat(self.halves, *[1] * (x_N.ndim - 1))

    def per_frame(self, x_GLC: Tensor) -> Tensor:
        """One garment's tokens, repeated (as a view where possible) for each clip and frame: (B*F, L, C)."""
        shape = (self.clips, self.frames, *x_GLC.shape[1:])
        return x_GLC[:, None].expand(shape).flatten(0, 1)
