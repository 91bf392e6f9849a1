"""Parameters of which each process keeps a part (FSDP 2's DTensors): the part, the whole, and back.

`whole` and `assign` exchange data: every process must call them, in the same order. Plain tensors pass through.
"""

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor


def local(x: Tensor) -> Tensor:
    """This process's part, sharing memory."""
    return x.to_local() if isinstance(x, DTensor) else x


def whole(x: Tensor) -> Tensor:
    """All processes' parts together."""
    return x.full_tensor() if isinstance(x, DTensor) else x


@torch.no_grad()
def assign(target: Tensor, value: Tensor) -> None:
    """Copy the whole `value` into `target`, in place."""
    if isinstance(target, DTensor):
        value = distribute_tensor(value.to(target.device), target.device_mesh, target.placements)
    target.copy_(value)
