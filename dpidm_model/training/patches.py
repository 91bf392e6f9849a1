"""A linear autoencoder over 8x8 patches, fitted in seconds: for studies where no learned VAE is at hand.

# N pictures, C latent channels, H W latent rows/cols, P = 192 numbers of a patch
"""

from collections.abc import Callable
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
PROBE = 3 * SIDE  # pixels of the pictures that `projection` looks at
EQUAL = 1e-3


@torch.no_grad()
def projection(encode: Callable[[Tensor], Tensor], device: torch.device | str) -> Callable[[Tensor], Tensor] | None:
    """The same encoder as one matrix product, if it is an affine map of each 8x8 patch by itself; None if it is not.

    dpidm-tiny-vae's encoder is one (a PCA, see vae_start.py): as a matrix it is hundreds of times cheaper.
    encode: pictures (N, 3, H, W) in 0..1 -> latents (N, C, H/8, W/8).
    """
    inside = slice(SIDE, 2 * SIDE)
    probes = torch.zeros(3 * SIDE * SIDE, 3, PROBE, PROBE, device=device)
    eye = torch.eye(3 * SIDE * SIDE, device=device)
    probes[:, :, inside, inside] = rearrange(eye, "n (c p q) -> n c p q", p=SIDE, q=SIDE)
    bias_C = encode(torch.zeros(1, 3, PROBE, PROBE, device=device))[0, :, 1, 1]
    weight_PC = torch.cat([encode(x) for x in probes.split(16)])[:, :, 1, 1] - bias_C

    def project(images_N3HW: Tensor) -> Tensor:
        patches = rearrange(images_N3HW, "n c (h p) (w q) -> n h w (c p q)", p=SIDE, q=SIDE)
        return rearrange(patches @ weight_PC + bias_C, "n h w c -> n c h w")

    noise = torch.rand(4, 3, PROBE, PROBE, generator=torch.Generator().manual_seed(0)).to(device)
    wanted = encode(noise)
    return project if float((project(noise) - wanted).abs().max()) <= EQUAL * float(wanted.abs().max()) else None


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
