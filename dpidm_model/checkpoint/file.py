"""One model, one .safetensors: weights of all parts, and in the metadata what they are."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ..config import DPIDMConfig, ScheduleConfig
from ..errors import CheckpointError, InputError, MissingFileError
from ..files import atomic_path
from ..network.model import DPIDM
from .sources import is_pickle, open_safetensors

FORMAT = "dpidm/1"
SHOWN_KEYS = 8  # names shown per kind of mismatch in an error


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """What a model file is; stored as its metadata.

    name: shown to the user.  trained: False for random or merely assembled weights that no one should expect a try-on
    from.  origin: where the weights come from, one line each.  licence: of the weights.  extra: further notes.
    """

    name: str
    trained: bool
    config: DPIDMConfig
    schedule: ScheduleConfig
    origin: str = ""
    licence: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The name, with a clear mark on a model that was not trained."""
        return self.name if self.trained else f"{self.name} (UNTRAINED)"

    def to_metadata(self) -> dict[str, str]:
        """The metadata of the file."""
        return {
            "format": FORMAT,
            "name": self.name,
            "trained": json.dumps(self.trained),
            "config": self.config.to_json(),
            "schedule": self.schedule.to_json(),
            "origin": self.origin,
            "licence": self.licence,
            "extra": json.dumps(dict(self.extra)),
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], source: str) -> ModelInfo:
        """The info in `metadata`; raises CheckpointError when it is not of this project or broken."""
        if metadata.get("format") != FORMAT:
            raise CheckpointError(
                f"{source} is no DPIDM model file (metadata format {metadata.get('format')!r}, expected {FORMAT!r}); "
                "weights of other projects are imported first: python convert.py --help"
            )
        try:
            return cls(
                name=metadata["name"],
                trained=bool(json.loads(metadata["trained"])),
                config=DPIDMConfig.from_json(metadata["config"]),
                schedule=ScheduleConfig.from_json(metadata["schedule"]),
                origin=metadata["origin"],
                licence=metadata["licence"],
                extra=json.loads(metadata["extra"]),
            )
        except (KeyError, json.JSONDecodeError, TypeError, AttributeError, InputError) as error:
            raise CheckpointError(
                f"{source} has broken metadata ({type(error).__name__}: {error}); convert or download it again"
            ) from error


def build_model(config: DPIDMConfig, seed: int | None = 0, dtype: torch.dtype = torch.float32) -> DPIDM:
    """A network with random start weights.

    seed: fixes the weights without touching the global random state.  None: no memory and no values (meta device).
    """
    if seed is None:
        with torch.device("meta"):
            return DPIDM(config).to(dtype).eval()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return DPIDM(config).to(dtype).eval()


def save_model(path: str | os.PathLike, model: DPIDM, info: ModelInfo, dtype: torch.dtype | None = None) -> None:
    """Write weights (in precision `dtype`, default the one they have) and metadata to `path`, atomically."""
    if info.config != model.config:
        raise InputError("info.config is not the model's config; make the ModelInfo from model.config")
    weights = {name: x.detach().to("cpu", dtype).contiguous() for name, x in model.state_dict().items()}
    with atomic_path(path) as temporary:
        save_file(weights, temporary, metadata=info.to_metadata())


def read_info(path: str | os.PathLike) -> ModelInfo:
    """The metadata of a model file, without reading weights."""
    with open_weights(path) as weights:
        return ModelInfo.from_metadata(weights.metadata() or {}, str(path))


def load_model(
    path: str | os.PathLike, dtype: torch.dtype | None = None, device: str | torch.device = "cpu"
) -> tuple[DPIDM, ModelInfo]:
    """Read a model file; strict about every key.

    dtype: precision of the weights, default that of the file.  The network is built without memory of its own and
    takes over each tensor as it is read, so there is no second copy.
    Raises MissingFileError or CheckpointError with what was found and what to do.
    """
    with open_weights(path) as weights:
        info = ModelInfo.from_metadata(weights.metadata() or {}, str(path))
        model = build_model(info.config, seed=None)
        names = set(weights.keys())
        shapes = {name: tuple(weights.get_slice(name).get_shape()) for name in names}
        check_keys(str(path), model, shapes)
        for name in model.state_dict():
            x = weights.get_tensor(name).to(device=device, dtype=dtype)
            check_finite(str(path), name, x)
            assign(model, name, x)
    return model.eval(), info


def open_weights(path: str | os.PathLike):
    """safetensors' reader for `path`; raises clear errors for missing, broken and foreign files."""
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f"no model file at {path}; check the path, or convert one: python convert.py --help")
    if is_pickle(path):
        raise CheckpointError(
            f"{path} is a pickle, which can run code when it is loaded; only .safetensors files are loaded here. "
            "Convert it first: python convert.py --help"
        )
    return open_safetensors(path)


def check_keys(source: str, model: nn.Module, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise CheckpointError naming missing, unexpected and mis-shaped keys; pass when all fit."""
    expected = {name: tuple(x.shape) for name, x in model.state_dict().items()}
    missing = [k for k in expected if k not in shapes]
    unexpected = sorted(k for k in shapes if k not in expected)
    misshaped = [
        f"{k} is {list(shapes[k])}, expected {list(expected[k])}"
        for k in expected
        if k in shapes and shapes[k] != expected[k]
    ]
    kinds = {"missing": missing, "unexpected": unexpected, "of another shape": misshaped}
    found = [f"{len(keys)} {kind}: {shorten(keys)}" for kind, keys in kinds.items() if keys]
    if found:
        raise CheckpointError(
            f"{source} does not fit the network its config describes ({'; '.join(found)}); "
            "the file is damaged or was edited, convert or download it again"
        )


def shorten(keys: Iterable[str]) -> str:
    """The first names of `keys` and how many more there are."""
    keys = list(keys)
    more = f" and {len(keys) - SHOWN_KEYS} more" if len(keys) > SHOWN_KEYS else ""
    return ", ".join(keys[:SHOWN_KEYS]) + more


def check_finite(source: str, name: str, x: Tensor) -> None:
    """Raise CheckpointError when a weight holds NaN or infinite numbers."""
    if x.is_meta or not x.numel():
        return
    smallest, largest = torch.aminmax(x)  # needs no memory, and carries NaN through
    if not (torch.isfinite(smallest) and torch.isfinite(largest)):
        raise CheckpointError(
            f"{source}: weight {name} holds NaN or infinite numbers (as {x.dtype}); the file is damaged or its "
            "training diverged: use another file, or fp32/bf16 if the numbers are too large for fp16"
        )


def assign(model: nn.Module, name: str, x: Tensor) -> None:
    """Make `x` the parameter or buffer `name` of `model` without copying it."""
    parent, _, child = name.rpartition(".")
    owner = model.get_submodule(parent)
    if child in owner._parameters:
        owner._parameters[child] = nn.Parameter(x, requires_grad=x.is_floating_point())
    else:
        owner._buffers[child] = x
