"""Confidence intervals and distances between distributions.  # N samples, D features, F frames, H W rows/columns"""

from itertools import pairwise

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn

RESAMPLES = 2000
FEATURES = 32  # fewer than the clips of a small test set, so that the covariance has full rank


def bootstrap(values_N: np.ndarray, seed: int = 0) -> dict[str, float]:
    """Mean of one number per clip with its 95 % bootstrap interval: {"mean", "low", "high", "n"}; nan are left out."""
    known = np.asarray(values_N, float)
    known = known[np.isfinite(known)]
    if not len(known):
        return {"mean": float("nan"), "low": float("nan"), "high": float("nan"), "n": 0}
    draws = np.random.default_rng(seed).integers(len(known), size=(RESAMPLES, len(known)))
    low, high = np.percentile(known[draws].mean(1), [2.5, 97.5])
    return {"mean": float(known.mean()), "low": float(low), "high": float(high), "n": len(known)}


def bootstrap_ratio(over_N: np.ndarray, under_N: np.ndarray, seed: int = 0) -> dict[str, float]:
    """Ratio of the two means with its 95 % bootstrap interval over clips."""
    pairs = np.stack([over_N, under_N], 1).astype(float)
    pairs = pairs[np.isfinite(pairs).all(1)]
    if not len(pairs):
        return {"mean": float("nan"), "low": float("nan"), "high": float("nan"), "n": 0}
    draws = np.random.default_rng(seed).integers(len(pairs), size=(RESAMPLES, len(pairs)))
    sums = pairs[draws].sum(1)
    low, high = np.percentile(sums[:, 0] / sums[:, 1], [2.5, 97.5])
    return {
        "mean": float(pairs[:, 0].sum() / pairs[:, 1].sum()),
        "low": float(low),
        "high": float(high),
        "n": len(pairs),
    }


def frechet_distance(a_ND: np.ndarray, b_ND: np.ndarray) -> float:
    """Squared Frechet distance of two Gaussians fitted to the samples (arXiv 1706.08500)."""
    from scipy.linalg import sqrtm

    mean_a, mean_b = a_ND.mean(0), b_ND.mean(0)
    cov_a, cov_b = np.cov(a_ND, rowvar=False), np.cov(b_ND, rowvar=False)
    root = np.real(sqrtm(cov_a @ cov_b))
    return float(((mean_a - mean_b) ** 2).sum() + np.trace(cov_a + cov_b - 2 * root))


class FixedVideoFeatures(nn.Module):
    """A small 3-D convolutional network with weights from one seed, never trained: clips -> FEATURES numbers.

    Random features tell distributions of pictures and of motions apart, but not as people do: a distance on them is NOT
    a VFID, and only comparable with itself.
    """

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(20250516)
            widths = (3, 16, 32, FEATURES)
            self.layers = nn.ModuleList(nn.Conv3d(a, b, 3, stride=(1, 2, 2), padding=1) for a, b in pairwise(widths))

    @torch.no_grad()
    def forward(self, frames_FHW3: np.ndarray) -> np.ndarray:
        """uint8 (F, H, W, 3), F >= 2 -> (FEATURES,): mean over space and time of what the layers say."""
        x: Tensor = torch.from_numpy(frames_FHW3.astype(np.float32) / 127.5 - 1)
        x = rearrange(x, "f h w c -> 1 c f h w")
        for layer in self.layers:
            x = torch.relu(layer(x)) * 2.0
        return x.mean((0, 2, 3, 4)).numpy()
