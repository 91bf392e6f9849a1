"""Weight files of other projects: safetensors, diffusers folders, single-file checkpoints and pickles, read lazily."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..errors import CheckpointError, MissingFileError

PICKLES = (".ckpt", ".pth", ".pt", ".bin")
# files of a diffusers U-Net folder, best first
FOLDER_FILES = (
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.fp16.safetensors",
    "diffusion_pytorch_model.bin",
    "diffusion_pytorch_model.fp16.bin",
)
LDM_PREFIX = "model.diffusion_model."


class Weights(Protocol):
    """Named tensors of one source.  name: what to call it in messages.  shapes: of every tensor in it."""

    name: str
    shapes: dict[str, tuple[int, ...]]

    def get(self, key: str) -> Tensor:
        """The tensor, on the CPU."""
        ...


class SafetensorsWeights:
    """One or several (sharded) safetensors files; tensors are read when asked for."""

    def __init__(self, paths: list[Path], name: str | None = None):
        self.name = name or str(paths[0])
        self._files = [open_safetensors(path) for path in paths]
        self._file_of = {key: file for file in self._files for key in file.keys()}  # noqa: SIM118 (not a dict)
        self.shapes = {key: tuple(file.get_slice(key).get_shape()) for key, file in self._file_of.items()}

    def get(self, key: str) -> Tensor:
        """Read one tensor."""
        return self._file_of[key].get_tensor(key)


class TensorWeights:
    """Tensors already in memory (or mapped into it)."""

    def __init__(self, tensors: Mapping[str, Tensor], name: str):
        self.name, self._tensors = name, tensors
        self.shapes = {key: tuple(x.shape) for key, x in tensors.items()}

    def get(self, key: str) -> Tensor:
        """The tensor itself."""
        return self._tensors[key]


class ListedWeights:
    """Names and shapes without values (meta tensors): to see what an import would do."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...] | list[int]], name: str):
        self.name = name
        self.shapes = {key: tuple(shape) for key, shape in shapes.items()}

    def get(self, key: str) -> Tensor:
        """A tensor of that shape without memory."""
        return torch.empty(self.shapes[key], device="meta")


class RenamedWeights:
    """Another source under other names; `names` maps new to old."""

    def __init__(self, weights: Weights, names: Mapping[str, str]):
        self.name, self._weights, self._names = weights.name, weights, names
        self.shapes = {new: weights.shapes[old] for new, old in names.items()}

    def get(self, key: str) -> Tensor:
        """The tensor behind the new name."""
        return self._weights.get(self._names[key])


def open_safetensors(path: str | os.PathLike):
    """safetensors' reader for `path`; raises clear errors for missing and broken files."""
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f"no weight file at {path}; check the path")
    try:
        return safe_open(path, framework="pt", device="cpu")
    except SafetensorError as error:
        raise CheckpointError(
            f"{path} ({path.stat().st_size} bytes) is truncated or no safetensors file ({error}); "
            "download or convert it again"
        ) from error


def is_pickle(path: Path) -> bool:
    """Whether the file is a Python pickle (by its first bytes, or its ending)."""
    with path.open("rb") as file:
        start = file.read(9)
    if start[8:] == b"{":  # safetensors: eight bytes of length, which may look like anything, then JSON
        return False
    return start[:2] == b"PK" or start[:1] == b"\x80" or path.suffix in PICKLES


def open_pickle(path: Path) -> TensorWeights:
    """Tensors of a .ckpt/.pth file, through torch's weights_only reader, which runs no code of the file."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=_is_zip(path))
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(
            f"{path} cannot be read as plain weights ({reason}); it is truncated, or holds more than tensors: "
            "download it again, or get a .safetensors version"
        ) from error
    for wrapper in ("state_dict", "model_state_dict", "module"):
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    tensors = {k: v for k, v in content.items() if isinstance(v, Tensor)} if isinstance(content, dict) else {}
    if not tensors:
        raise CheckpointError(f"{path} holds no weights by name; expected a state dict")
    return TensorWeights(tensors, str(path))


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"PK"


def open_any(path: str | os.PathLike) -> Weights:
    """The weights at `path`: a safetensors file, a pickle, or a diffusers folder (the pipeline's or the U-Net's)."""
    path = Path(path)
    if path.is_dir():
        return _open_folder(path)
    if not path.is_file():
        raise MissingFileError(f"no weights at {path}; check the path")
    weights = open_pickle(path) if is_pickle(path) else SafetensorsWeights([path])
    return _without_wrapper(weights)


def _open_folder(path: Path) -> Weights:
    folder = path / "unet" if (path / "unet").is_dir() else path
    index = folder / "diffusion_pytorch_model.safetensors.index.json"
    if index.is_file():
        shards = sorted(set(json.loads(index.read_text())["weight_map"].values()))
        return SafetensorsWeights([folder / shard for shard in shards], str(path))
    for file in FOLDER_FILES:
        if (folder / file).is_file():
            weights = open_any(folder / file)
            weights.name = str(path)
            return weights
    raise MissingFileError(f"no U-Net weights in {folder}; expected one of {', '.join(FOLDER_FILES)}")


def _without_wrapper(weights: Weights) -> Weights:
    """The same without the "module." that distributed training puts before every name."""
    if weights.shapes and all(key.startswith("module.") for key in weights.shapes):
        return RenamedWeights(weights, {key.removeprefix("module."): key for key in weights.shapes})
    return weights


def open_unet(path: str | os.PathLike) -> Weights:
    """The U-Net at `path` under diffusers' names; raises CheckpointError when it is not of the SD 1.5 family."""
    weights = open_any(path)
    if any(key.startswith(LDM_PREFIX) for key in weights.shapes):
        weights = RenamedWeights(weights, ldm_names(weights.shapes))
    require_sd15(weights)
    return weights


def ldm_names(shapes: Mapping[str, object]) -> dict[str, str]:
    """diffusers name -> name in a single-file checkpoint, by diffusers' own converter run on the names alone."""
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint

    if any(".label_emb." in key for key in shapes):
        # the converter would drop it; keep it so that the architecture is recognised
        return {"add_embedding.linear_1.weight": next(k for k in shapes if ".label_emb." in k)}
    names = {key: key for key in shapes if key.startswith(LDM_PREFIX)}
    return convert_ldm_unet_checkpoint(names, {"layers_per_block": 2})


def require_sd15(weights: Weights) -> None:
    """Raise CheckpointError unless these are the weights of a U-Net of the SD 1.5 family (any width)."""
    shapes = weights.shapes
    if any(key.startswith("add_embedding.") for key in shapes):
        raise CheckpointError(f"{weights.name} is SDXL; this network is built on Stable Diffusion 1.5, use that")
    if "conv_in.weight" not in shapes or not any(key.startswith("down_blocks.") for key in shapes):
        found = ", ".join(sorted(shapes)[:3]) or "nothing"
        raise CheckpointError(
            f"{weights.name} holds no Stable Diffusion U-Net (found {found}, ...); "
            "use a Stable Diffusion 1.5 checkpoint"
        )
    width = next((s[1] for k, s in shapes.items() if k.endswith("attn2.to_k.weight")), None)
    if width in (1024, 2048):
        kind = "Stable Diffusion 2" if width == 1024 else "SDXL"
        raise CheckpointError(
            f"{weights.name} is {kind} (cross-attention width {width}, expected 768); use Stable Diffusion 1.5"
        )
