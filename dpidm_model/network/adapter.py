"""The pose adapter: how pose enters an attention layer."""

# N rows, L tokens, P pose channels, C channels

import torch.nn.functional as F
from torch import Tensor, nn


class PoseAdapter(nn.Module):
    """Adpt(p) = W_up(act(W_down(p))) (arXiv 2505.16980, sec. 3.3), one per place of use.

    W_up starts at zero, so an untrained adapter changes nothing. Not in the paper: act = GELU, the bottleneck's width,
    and `init="random"`, the ordinary start of W_up, for networks trained from scratch.
    """

    def __init__(self, pose_channels: int, channels: int, bottleneck: int, init: str = "zero"):
        super().__init__()
        self.down = nn.Linear(pose_channels, bottleneck)
        self.up = nn.Linear(bottleneck, channels)
        self.start(init)

    def start(self, init: str) -> None:
        """Set the up-projection to zero, or leave it as it is ("random")."""
        if init == "zero":
            nn.init.zeros_(self.up.weight)
            nn.init.zeros_(self.up.bias)

    def forward(self, pose_NLP: Tensor) -> Tensor:
        """pose_NLP: pose tokens of this level; returns (N, L, C), to be added to the layer's features."""
        return self.up(F.gelu(self.down(pose_NLP)))
