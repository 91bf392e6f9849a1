"""The pose encoder: a drawn pose becomes a map at the resolution of the noise latent."""

# B clips, F frames, N images, H W rows/columns, P pose channels, L tokens

import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn


class PoseEncoder(nn.Module):
    """Four convolutions from a drawn pose image to the latent's resolution (arXiv 2505.16980, sec. 3.2).

    One encoder serves human and garment poses. Not in the paper: widths, SiLU between, three strides of 2.
    """

    def __init__(self, pose_channels: int):
        super().__init__()
        widths = (
            3,
            max(pose_channels // 8, 8),
            max(pose_channels // 4, 16),
            max(pose_channels // 2, 32),
            pose_channels,
        )
        strides = (2, 2, 2, 1)
        self.convs = nn.ModuleList(
            nn.Conv2d(i, o, 3, stride, padding=1) for i, o, stride in zip(widths[:-1], widths[1:], strides)
        )

    def forward(self, image_N3HW: Tensor) -> Tensor:
        """image_N3HW: drawn poses, 0..1; returns (N, P, H/8, W/8)."""
        x = image_N3HW * 2 - 1
        for conv in self.convs[:-1]:
            x = F.silu(conv(x))
        return self.convs[-1](x)


def level_sizes(height: int, width: int, levels: int) -> list[tuple[int, int]]:
    """(rows, columns) of every U-Net level for a latent of height x width: a stride-2 convolution rounds up."""
    sizes = [(height, width)]
    for _ in range(levels - 1):
        h, w = sizes[-1]
        sizes.append(((h + 1) // 2, (w + 1) // 2))
    return sizes


def pyramid(map_NPHW: Tensor, levels: int) -> tuple[Tensor, ...]:
    """Tokens (N, L, P) of the pose map, area-resized to every U-Net level (not in the paper: area)."""
    sizes = level_sizes(map_NPHW.shape[-2], map_NPHW.shape[-1], levels)
    return tuple(rearrange(F.adaptive_avg_pool2d(map_NPHW, size), "n p h w -> n (h w) p") for size in sizes)
