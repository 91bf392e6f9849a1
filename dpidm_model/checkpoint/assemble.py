"""Put a network together from several sources, fill in the rest, and account for every key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..config import DPIDMConfig
from ..errors import CheckpointError
from ..network.adapter import PoseAdapter
from ..network.block import TryOnBlock
from ..network.model import DPIDM
from ..network.pata import PATA, frame_embedding
from .file import assign, build_model, check_finite, shorten
from .names import POSITIONS, POSITIONS_COMPUTED, LeftOut, Rename
from .sources import Weights

PE_TOLERANCE = 1e-2  # frame positions stored as bf16 or fp16


@dataclass
class Row:
    """One line of the report: a source, how many of its keys were loaded, and how many were left out and why."""

    source: str
    into: str
    loaded: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


class Assembly:
    """A network that is filled from sources; nothing has memory until it is loaded or initialised.

    Later sources win over earlier ones. `finish` initialises what no source filled, and returns network and report.
    """

    def __init__(self, config: DPIDMConfig, dtype: torch.dtype, meta: bool = False):
        """meta: keep everything without memory, to see what an import would do."""
        self.model = build_model(config, seed=None)
        self.dtype, self.meta = dtype, meta
        self.expected = {name: tuple(x.shape) for name, x in self.model.state_dict().items()}
        self.filled: set[str] = set()
        self.rows: list[Row] = []

    def load(
        self,
        weights: Weights,
        into: str,
        rename: Rename,
        change: Mapping[str, Callable[[Tensor], Tensor]] | None = None,
    ) -> None:
        """Load every tensor of `weights` that has a place.

        rename: their name -> ours, or LeftOut.  change: our name -> what to do to that tensor first.
        Raises CheckpointError naming keys without a place and keys of another shape; nothing is dropped silently.
        """
        row = Row(weights.name, into)
        places = {key: rename(key) for key in weights.shapes}
        self._check(weights, places)
        for key, place in places.items():
            if isinstance(place, LeftOut):
                if key.endswith(POSITIONS) and place is POSITIONS_COMPUTED:
                    check_positions(weights, key)
                row.left_out[place.why] += 1
                continue
            x = weights.get(key)
            check_finite(weights.name, key, x)
            x = (change or {}).get(place, lambda x: x)(x).to(self.dtype, copy=not x.is_meta)
            check_finite(f"{weights.name} (as {self.dtype})", key, x)
            assign(self.model, place, x)
            self.filled.add(place)
            row.loaded += 1
        self.rows.append(row)

    def _check(self, weights: Weights, places: Mapping[str, str | LeftOut]) -> None:
        named = {key: place for key, place in places.items() if isinstance(place, str)}
        unknown = [key for key, place in named.items() if place not in self.expected]
        misshaped = [
            f"{key} is {list(weights.shapes[key])}, expected {list(self.expected[place])}"
            for key, place in named.items()
            if place in self.expected and weights.shapes[key] != self.expected[place]
        ]
        found = []
        if unknown:
            found.append(f"{len(unknown)} keys have no place: {shorten(unknown)}")
        if misshaped:
            found.append(f"{len(misshaped)} have another shape: {shorten(misshaped)}")
        if found:
            raise CheckpointError(
                f"{weights.name} does not fit the network ({'; '.join(found)}); "
                "check that it is the file this import is for"
            )

    def require(self, groups: Mapping[str, str]) -> None:
        """Raise CheckpointError when keys that the sources must bring are missing.

        groups: start of our names -> where they should have come from.
        """
        for prefix, source in groups.items():
            missing = [k for k in self.expected if k.startswith(prefix) and k not in self.filled and not _added(k)]
            if missing:
                raise CheckpointError(
                    f"{source} lacks {len(missing)} of the weights needed for {prefix}* (as ours: {shorten(missing)}); "
                    "the file is incomplete or of another kind"
                )

    def finish(self, seed: int) -> tuple[DPIDM, list[Row], Counter[str]]:
        """Initialise what is still empty, as the config says.

        seed: of the random start.  Returns the network, the report, and how many tensors were initialised by part.
        """
        empty = [name for name in self.expected if name not in self.filled]
        if not self.meta:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                initialise(self.model, set(empty), self.dtype)
        return self.model.eval(), self.rows, Counter(_part(name) for name in empty)


def _added(name: str) -> bool:
    """Whether these are layers that base checkpoints do not have."""
    return any(f".{part}." in name for part in ("tsa", "pata", "adapter", "after"))


def _part(name: str) -> str:
    if ".adapter." in name:
        return "pose adapters"
    for part, title in (("tsa", "TSA"), ("pata", "PATA"), ("after", "frame attention (peer)")):
        if f".{part}." in name:
            return title
    return {"pose_encoder": "pose encoder", "pose_guider": "pose guider"}.get(name.split(".")[0], name.split(".")[0])


def check_positions(weights: Weights, key: str) -> None:
    """Raise CheckpointError when stored frame positions are not the sinusoids that we compute."""
    stored = weights.get(key)
    if stored.is_meta:
        return
    frames, channels = stored.shape[-2:]
    ours = frame_embedding(torch.arange(frames)[None], channels)
    error = (stored.float() - ours).abs().max().item()
    if not error <= PE_TOLERANCE:
        raise CheckpointError(
            f"{weights.name}: {key} differs by {error:.3g} from sinusoidal frame positions; "
            "learnt positions are not supported"
        )


@torch.no_grad()
def initialise(model: DPIDM, empty: set[str], dtype: torch.dtype) -> None:
    """Give memory and start values to the parameters named in `empty`, as a fresh DPIDM(config) would have."""
    started: list[nn.Module] = []
    for name, module in model.named_modules():
        own = [k for k, _ in module.named_parameters(prefix=name, recurse=False)]
        if not own or not empty.intersection(own):
            continue
        if not empty.issuperset(own):
            raise CheckpointError(f"{name} is only partly in the sources: {', '.join(own)}; the file is damaged")
        module.to_empty(device="cpu")
        module.reset_parameters()  # pyright: ignore[reportCallIssue]
        module.to(dtype)
        started.append(module)
    fresh = set(map(id, started))
    for module in model.modules():
        if isinstance(module, PoseAdapter) and id(module.up) in fresh:
            module.start(model.config.adapter_init)
        if isinstance(module, PATA) and id(module.proj_out) in fresh:
            module.start()
        if isinstance(module, TryOnBlock) and module.tsa is not None and id(module.tsa.norm) in fresh:
            module.tsa.start_from(module.pasa.norm, module.pasa.attn)
