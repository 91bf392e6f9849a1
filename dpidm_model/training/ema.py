"""Averaged weights: what is validated and saved."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from .sharded import assign, local, whole


class Ema:
    """Exponential moving average of the parameters that learn; the others need none.

    Decay at update n is min(decay, (1 + n) / (20 + n)), so that early averages are not the random start.
    decay 0: no average is kept, the weights themselves are used.
    """

    def __init__(self, parameters: dict[str, nn.Parameter], decay: float):
        self.decay, self.updates = decay, 0
        self._live = parameters if decay else {}
        self.average: dict[str, Tensor] = {n: p.detach().clone().float() for n, p in self._live.items()}

    @torch.no_grad()
    def update(self) -> None:
        """After an optimiser step."""
        self.updates += 1
        if not self._live:
            return
        decay = min(self.decay, (1 + self.updates) / (20 + self.updates))
        averages = [local(x) for x in self.average.values()]
        torch._foreach_lerp_(averages, [local(self._live[n].detach()).float() for n in self.average], 1 - decay)

    @contextmanager
    @torch.no_grad()
    def applied(self) -> Iterator[None]:
        """The network holds the averaged weights inside this block, and its own again afterwards."""
        kept = {name: p.detach().clone() for name, p in self._live.items()}
        for name, p in self._live.items():
            p.copy_(self.average[name].to(p.dtype))
        try:
            yield
        finally:
            for name, p in self._live.items():
                p.copy_(kept[name])

    def state_dict(self) -> dict:
        """For the checkpoint: whole tensors, whatever the number of processes."""
        return {"updates": self.updates, "average": {n: whole(x) for n, x in self.average.items()}}

    def load_state_dict(self, state: dict) -> None:
        """From the checkpoint; in place, so devices stay."""
        self.updates = state["updates"]
        for name, value in self.average.items():
            assign(value, state["average"][name])
