"""Going on after a crash or an interrupt: a small state file, keyed by everything the result depends on.

The file is written atomically, checked when read, and removed when the run has finished.
"""

import hashlib
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..files import atomic_path

logger = logging.getLogger(__name__)

FORMAT = 1
MIN_SECONDS = 2.0  # steps that follow each other faster than this are not all written


def fingerprint(*parts: Any) -> str:
    """A key of what a result depends on: tensors by shape, dtype and content, everything else by its repr."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Tensor):
            digest.update(f"{tuple(part.shape)} {part.dtype}".encode())
            digest.update(part.detach().contiguous().cpu().flatten().view(torch.uint8).numpy().data)
        elif isinstance(part, (list, tuple)):
            digest.update(fingerprint(*part).encode())
        else:
            digest.update(repr(part).encode())
        digest.update(b"|")
    return digest.hexdigest()[:32]


def weights_fingerprint(network: torch.nn.Module) -> str:
    """A key of a network's weights that reads only 64 numbers of each tensor."""
    digest = hashlib.sha256()
    for name, weight in network.state_dict().items():
        flat = weight.detach().flatten()
        sample = flat[:: max(1, flat.numel() // 64)][:64].float().cpu()
        digest.update(f"{name} {tuple(weight.shape)}".encode() + sample.numpy().tobytes())
    return digest.hexdigest()[:32]


class StateFile:
    """Where an unfinished run keeps its state.

    folder: for example the host's temp folder.  key: from `fingerprint`.  A state is a tree of dicts, lists, numbers,
    strings, None and tensors.
    """

    def __init__(self, folder: str | Path, key: str, min_seconds: float = MIN_SECONDS):
        self.path = Path(folder) / f"dpidm_resume_{key}.safetensors"
        self.key, self.min_seconds = key, min_seconds
        self._written = time.monotonic()

    def load(self) -> Any | None:
        """The state of an earlier run with the same key; None if there is none or it is damaged (and removed)."""
        if not self.path.is_file():
            return None
        try:
            with safe_open(self.path, "pt") as file:
                metadata = file.metadata() or {}
                if metadata.get("key") != self.key or metadata.get("format") != str(FORMAT):
                    raise ValueError("it belongs to another run or version")
                tensors = [file.get_tensor(str(i)) for i in range(int(metadata["tensors"]))]
            return _unpack(json.loads(metadata["tree"]), tensors)
        except Exception as error:
            logger.warning("DPIDM: the state file %s cannot be used (%s); starting anew", self.path.name, error)
            self.clear()
            return None

    def save(self, state: Callable[[], Any]) -> None:
        """Write a state, unless the last one was written just now."""
        if time.monotonic() - self._written >= self.min_seconds:
            self.save_now(state())

    def save_now(self, state: Any) -> None:
        """Write a state."""
        tensors: list[Tensor] = []
        tree = _pack(state, tensors)
        named = {str(i): _alone(tensor) for i, tensor in enumerate(tensors)}
        metadata = {"key": self.key, "format": str(FORMAT), "tensors": str(len(named)), "tree": json.dumps(tree)}
        with atomic_path(self.path) as temporary:
            save_file(named, temporary, metadata=metadata)
        self._written = time.monotonic()

    def clear(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)


def remove_old(folder: str | Path, days: float = 14) -> None:
    """Remove the states of runs that nobody went on with."""
    for path in Path(folder).glob("dpidm_resume_*.safetensors"):
        if path.stat().st_mtime < time.time() - days * 86400:
            path.unlink(missing_ok=True)


def _alone(tensor: Tensor) -> Tensor:
    """The tensor on the CPU with a storage of its own, as safetensors demands."""
    shares = tensor.untyped_storage().nbytes() != tensor.numel() * tensor.element_size()
    tensor = tensor.detach().cpu().contiguous()
    return tensor.clone() if shares else tensor


def _pack(value: Any, tensors: list[Tensor]) -> Any:
    if isinstance(value, Tensor):
        known = next((i for i, tensor in enumerate(tensors) if tensor is value), None)
        if known is None:
            tensors.append(value)
        return {"tensor": len(tensors) - 1 if known is None else known}
    if isinstance(value, dict):
        return {"dict": {k: _pack(v, tensors) for k, v in value.items()}}
    if isinstance(value, (list, tuple)):
        return [_pack(v, tensors) for v in value]
    return value


def _unpack(value: Any, tensors: list[Tensor]) -> Any:
    if isinstance(value, dict) and "tensor" in value:
        return tensors[value["tensor"]]
    if isinstance(value, dict):
        return {k: _unpack(v, tensors) for k, v in value["dict"].items()}
    return [_unpack(v, tensors) for v in value] if isinstance(value, list) else value
