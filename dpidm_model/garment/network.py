"""The garment landmark network: one picture in, heat maps, mask and labels out. Not in the paper (arXiv 2505.16980),
whose authors trained YOLOv8 on hand labels that they did not publish.

B pictures, C channels, H W input rows/columns, h w map rows/columns = H/4 W/4, K the 13 slots.
"""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..errors import CheckpointError, MissingFileError
from ..files import atomic_path
from ..handovers import CATEGORIES, GARMENT_SLOTS, SLEEVES

MAP_STRIDE = 4
FORMAT = "dpidm-garment-pose-1"
SHIPPED = Path(__file__).resolve().parents[1] / "weights" / "garment_pose.safetensors"


@dataclass(frozen=True, kw_only=True)
class GarmentNetConfig:
    """Widths (channels at strides 2, 4, 8, 16, 32) and residual blocks a level (strides 4 to 32).

    input_size: (width, height) that it was trained at, multiples of 32.
    """

    widths: tuple[int, int, int, int, int] = (24, 32, 64, 128, 208)
    blocks: tuple[int, int, int, int] = (1, 1, 2, 2)
    neck: int = 48
    input_size: tuple[int, int] = (128, 160)

    def __post_init__(self):
        if any(side < 32 or side % 32 for side in self.input_size):
            raise CheckpointError(f"input size {self.input_size} must be multiples of 32; for example 96 and 128")
        if len(self.widths) != 5 or len(self.blocks) != 4 or min(*self.widths, *self.blocks, self.neck) < 1:
            raise CheckpointError(
                f"garment network config {self} is invalid; expected 5 widths, 4 block counts, all >= 1"
            )


@dataclass(frozen=True, kw_only=True)
class GarmentMaps:
    """Raw outputs.

    heat_BKhw: logits, softmax over h*w is where the point is.  mask_Bhw: logits of "garment here".
    visibility_BK3: logits of absent, inferred, seen.  category_B3, sleeve_B3: logits.  single_B: logit of "exactly one
    garment, lying free".
    """

    heat_BKhw: Tensor
    mask_Bhw: Tensor
    visibility_BK3: Tensor
    category_B3: Tensor
    sleeve_B3: Tensor
    single_B: Tensor


def _conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    """Two 3x3 convolutions added to their input."""

    def __init__(self, channels: int):
        super().__init__()
        self.first = _conv(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return F.relu(x_BCHW + self.second(self.first(x_BCHW)))


class GarmentNet(nn.Module):
    """A small residual encoder, a top-down path back to stride 4, and heads for maps and labels."""

    def __init__(self, config: GarmentNetConfig | None = None):
        super().__init__()
        self.config = config = config or GarmentNetConfig()
        w, n = config.widths, config.neck
        self.stem = _conv(3, w[0], 3, 2)
        self.levels = nn.ModuleList(
            nn.Sequential(_conv(w[i], w[i + 1], 3, 2), *(Residual(w[i + 1]) for _ in range(config.blocks[i])))
            for i in range(4)
        )
        self.context = nn.Sequential(nn.Linear(w[4], w[4]), nn.ReLU(inplace=True), nn.Linear(w[4], w[4]))
        self.laterals = nn.ModuleList(nn.Conv2d(width, n, 1) for width in w[1:])
        self.merges = nn.ModuleList(_conv(n, n) for _ in range(3))
        self.maps = nn.Conv2d(n, len(GARMENT_SLOTS) + 1, 1)
        labels = 3 * len(GARMENT_SLOTS) + len(CATEGORIES) + len(SLEEVES) + 1
        self.labels = nn.Sequential(nn.Linear(w[4] + n, 160), nn.ReLU(inplace=True), nn.Linear(160, labels))

    def forward(self, x_B3HW: Tensor) -> GarmentMaps:
        """x_B3HW: RGB, (value/255 - 0.5) * 4; height and width multiples of 32."""
        x, features = self.stem(x_B3HW), []
        for level in self.levels:
            x = level(x)
            features.append(x)
        pooled_BC = x.mean((2, 3))
        context_BC = self.context(pooled_BC)
        up = self.laterals[3](x + context_BC[:, :, None, None])
        for i in (2, 1, 0):
            side = self.laterals[i](features[i])
            up = self.merges[i](F.interpolate(up, size=side.shape[-2:], mode="nearest") + side)
        maps_BMhw = self.maps(up)
        labels = self.labels(torch.cat([pooled_BC + context_BC, up.mean((2, 3))], 1))
        k = len(GARMENT_SLOTS)
        visibility, category, sleeve, single = labels.split([3 * k, 3, 3, 1], 1)
        return GarmentMaps(
            heat_BKhw=maps_BMhw[:, :k],
            mask_Bhw=maps_BMhw[:, k],
            visibility_BK3=visibility.unflatten(1, (k, 3)),
            category_B3=category,
            sleeve_B3=sleeve,
            single_B=single[:, 0],
        )


def save_garment_net(path: str | Path, net: GarmentNet, info: dict[str, str]) -> None:
    """Write weights in fp16 with the config and `info` (data, recipe, scores: strings) as metadata."""
    state = {
        name: v.detach().cpu().half().contiguous() if v.is_floating_point() else v.cpu()
        for name, v in net.state_dict().items()
    }
    metadata = {"format": FORMAT, "config": json.dumps(asdict(net.config)), **info}
    with atomic_path(path) as temporary:
        save_file(state, temporary, metadata)


def load_garment_net(path: str | Path = SHIPPED) -> tuple[GarmentNet, dict[str, str]]:
    """The network in eval mode, fp32 on CPU, and its metadata. Raises MissingFileError or CheckpointError."""
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f"garment landmark weights {path} are missing; reinstall the pack or give another file")
    try:
        with safe_open(path, framework="pt") as file:
            info = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path.name} cannot be read ({error}); download it again") from error
    if info.get("format") != FORMAT:
        raise CheckpointError(
            f"{path.name} is of format {info.get('format')!r}; expected {FORMAT!r}, a garment landmark file"
        )
    values = json.loads(info["config"])
    known = {f.name for f in fields(GarmentNetConfig)}
    settings: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in known}
    net = GarmentNet(GarmentNetConfig(**settings))
    try:
        net.load_state_dict({name: v.float() if v.is_floating_point() else v for name, v in state.items()})
    except RuntimeError as error:
        raise CheckpointError(f"{path.name} does not fit its own config: {error}") from error
    return net.eval(), info
