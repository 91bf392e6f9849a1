"""Classifier-free guidance by the garment: the unconditional half sees no garment and no CLIP token."""

from dataclasses import dataclass

from torch import Tensor

from ..errors import InputError


@dataclass(frozen=True, kw_only=True)
class Guidance:
    """How much the garment is emphasised, and in which part of the steps.

    cfg: 1.5 in the paper (arXiv 2505.16980, sec. 4); 1 turns guidance off, 0 samples without the garment.
    start, end: the interval of the run, 0 = first step, 1 = after the last, in which guidance acts (not in the paper:
    the whole run). Outside it the garment-conditioned prediction is used alone, at half the cost.
    """

    cfg: float = 1.5
    start: float = 0.0
    end: float = 1.0

    def __post_init__(self):
        if not self.cfg >= 0:
            raise InputError(f"cfg={self.cfg} must not be negative; the paper uses 1.5, 1 turns guidance off")
        if not 0 <= self.start <= self.end <= 1:
            raise InputError(
                f"guidance interval {self.start}..{self.end} must lie within 0..1, start <= end; use 0 and 1 for all"
            )

    def half(self, step: int, steps: int) -> str:
        """Which predictions step `step` of `steps` needs: "cond", "uncond" or "both"."""
        if not self.start <= step / steps < self.end or self.cfg == 1:
            return "cond"
        return "uncond" if self.cfg == 0 else "both"

    def combine(self, cond: Tensor, uncond: Tensor) -> Tensor:
        """uncond + cfg * (cond - uncond), in whatever space the network predicts."""
        return uncond + self.cfg * (cond - uncond)
