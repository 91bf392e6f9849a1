"""A linear autoencoder over 8x8 patches, fitted in seconds: for studies where no learned VAE is at hand.

# N pictures, C latent channels, H W latent rows/cols, P = 192 numbers of a patch
"""

from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..files import atomic_path
from .data.base import ClipSet

SIDE = 8
FITTED_CLIPS = 64


class Patches:
    """Latents are the first C principal components of each patch, divided by one number to unit mean spread."""

    def __init__(self, mean_P: Tensor, basis_PC: Tensor, spread: float):
        self.mean_P, self.basis_PC, self.spread = mean_P, basis_PC, spread

    def encode(self, images_N3HW: Tensor) -> Tensor:
        """Pictures in 0..1 -> latents (N, C, H, W)."""
        patches = rearrange(images_N3HW, "n c (h p) (w q) -> n h w (c p q)", p=SIDE, q=SIDE)
        return rearrange((patches - self.mean_P) @ self.basis_PC / self.spread, "n h w c -> n c h w")

    def decode(self, latents_NCHW: Tensor) -> Tensor:
        """Latents -> pictures in 0..1."""
        patches = rearrange(latents_NCHW, "n c h w -> n h w c") * self.spread @ self.basis_PC.T + self.mean_P
        return rearrange(patches, "n h w (c p q) -> n c (h p) (w q)", p=SIDE, q=SIDE).clamp(0, 1)

    def save(self, path: Path) -> None:
        """Write the fitted numbers."""
        with atomic_path(path) as temporary:
            spread = torch.tensor(self.spread)
            save_file({"mean": self.mean_P, "basis": self.basis_PC.contiguous(), "spread": spread}, temporary)

    @classmethod
    def load(cls, path: Path, device: torch.device | str) -> "Patches":
        """Read what `save` wrote."""
        state = {k: v.to(device) for k, v in load_file(path).items()}
        return cls(state["mean"], state["basis"], float(state["spread"]))


def fit(clips: ClipSet, channels: int) -> Patches:
    """Principal components of the patches of the first clips' frames and garments."""
    pictures = []
    for index in range(min(len(clips), FITTED_CLIPS)):
        clip = clips.read(index, list(range(0, clips.frames_of(index), 4)))
        pictures += [*clip.frames_FHW3, clip.garment_HW3]
    images_NHW3 = np.stack(pictures)
    patches = rearrange(images_NHW3, "n (h p) (w q) c -> (n h w) (c p q)", p=SIDE, q=SIDE).astype(np.float64) / 255
    mean_P = patches.mean(0)
    _, vectors = np.linalg.eigh(np.cov((patches - mean_P).T))
    basis_PC = vectors[:, ::-1][:, :channels].copy()
    spread = float(((patches - mean_P) @ basis_PC).std())
    return Patches(torch.from_numpy(mean_P).float(), torch.from_numpy(basis_PC).float(), spread)
