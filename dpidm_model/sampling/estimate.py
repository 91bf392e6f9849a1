"""How much memory a window needs, before it is run: the network runs on shapes alone and its live tensors are counted.

Weights are not counted (the host places them). Fused attention is assumed: it keeps no attention matrix.
"""

import weakref
from functools import lru_cache

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ..checkpoint.file import build_model
from ..config import DPIDMConfig
from ..network.conditions import TryOnConditions
from .memory import OutOfMemoryError

MARGIN = 1.3  # workspace of convolutions, fragmentation


class _LiveBytes(TorchDispatchMode):
    """Counts the bytes of all tensor storages made inside it that are still alive."""

    def __init__(self, network: torch.nn.Module):
        super().__init__()
        self.live = self.peak = 0
        weights = (*network.parameters(), *network.buffers())
        self._seen = {weight.untyped_storage()._cdata for weight in weights}  # not counted, nor are views of them

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage())
        return out

    def _count(self, storage) -> None:
        key = storage._cdata
        if key in self._seen:
            return
        self._seen.add(key)
        size = storage.nbytes()
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._free, key, size)

    def _free(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self.live -= size


def _meta_attention(q_NHLD: Tensor, k_NHSD: Tensor, v_NHSD: Tensor) -> Tensor:
    return torch.empty_like(q_NHLD)


@lru_cache(maxsize=32)
def window_bytes(
    config: DPIDMConfig, frames: int, height: int, width: int, batch: int, half: str, dtype: torch.dtype
) -> int:
    """Bytes of activations and conditions while `batch` windows of `frames` frames are denoised.

    height, width: of the latents.  half: "both" needs about twice of "cond".
    """
    network = build_model(config, None, dtype)
    mode = _LiveBytes(network)
    with torch.device("meta"), torch.no_grad(), mode:
        size = (height * 8, width * 8)
        pose = network.encode_pose(torch.empty(batch, frames, 3, *size, dtype=dtype))
        garment = network.encode_garment(
            torch.empty(1, config.latent_channels, height, width, dtype=dtype),
            torch.empty(1, 3, *size, dtype=dtype),
            None,
            mask_B1HW=torch.empty(1, 1, height, width, dtype=dtype),
            attention=_meta_attention,
        )
        x = torch.empty(batch, frames, config.latent_channels, height, width, dtype=dtype)
        conditions = TryOnConditions(agnostic_BFCHW=x, mask_BF1HW=x[:, :, :1], pose=pose, garment=garment)
        mode.peak = mode.live
        network(x, 0, conditions, half=half, attention=_meta_attention)  # type: ignore[call-overload]
    return int(mode.peak * MARGIN)


def fit_memory(
    config: DPIDMConfig, frames: int, height: int, width: int, cfg: float, dtype: torch.dtype, free: int, most: int
) -> tuple[int, bool, int]:
    """How to run a window in `free` bytes: (windows at once, one half of the guidance at a time, bytes needed).

    most: windows at once beyond which nothing is gained.
    Raises OutOfMemoryError, with the need, if not even one half of one window fits.
    """
    half = "both" if cfg not in (0, 1) else "cond"
    need = {h: window_bytes(config, frames, height, width, 1, h, dtype) for h in {half, "cond"}}
    batch = max(1, min(most, int(free / need[half])))
    if need[half] <= free:
        return batch, False, batch * need[half]
    if need["cond"] <= free * MARGIN:
        return 1, half == "both", need["cond"]
    raise OutOfMemoryError(
        f"{describe(frames, need['cond'])}, but {free / 2**30:.1f} GiB are free; lower context_length or the picture "
        "size, or close other programs that use the device"
    )


def describe(frames: int, need: int) -> str:
    """One clause for errors and logs."""
    return f"a window of {frames} frames needs about {need / 2**30:.1f} GiB besides the weights"
