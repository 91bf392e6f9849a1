"""The optimiser: Adam or AdamW over groups of parameters that learn in one phase, or in both."""

from collections.abc import Callable
from typing import Any

import torch

from .config import OptimSection
from .phases import Trainable


class _OfPhase:
    """Leaves out, with their moments, the groups that do not learn in the present phase.

    Parameters without gradient are left out anyway; but DeepSpeed flattens each group, gradients or not.
    """

    param_groups: list[dict[str, Any]]

    def step(self, closure: Callable | None = None) -> Any:
        every = self.param_groups
        self.param_groups = [group for group in every if group["learns"]]
        try:
            return super().step(closure)  # pyright: ignore[reportAttributeAccessIssue]
        finally:
            self.param_groups = every


class Adam(_OfPhase, torch.optim.Adam):
    """torch's Adam by phases."""


class AdamW(_OfPhase, torch.optim.AdamW):
    """torch's AdamW by phases."""


def make_optimizer(trainable: Trainable, optim: OptimSection) -> torch.optim.Optimizer:
    """The optimiser of a run; `enter_phase` says which groups learn."""
    kind = {"adam": Adam, "adamw": AdamW}[optim.name]
    groups = [
        {"params": parameters, "phases": phases, "learns": True} for phases, parameters in trainable.by_phases().items()
    ]
    return kind(groups, lr=optim.lr, betas=optim.betas, weight_decay=optim.weight_decay, fused=True)


def enter_phase(optimizer: torch.optim.Optimizer, phase: str, rate: float) -> None:
    """Before a step of `phase`: its groups learn, with this learning rate."""
    for group in optimizer.param_groups:
        group["lr"], group["learns"] = rate, phase in group["phases"]
