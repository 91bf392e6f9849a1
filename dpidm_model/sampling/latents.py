"""Latents and masks as the network takes them.

F frames, C channels, H W latent rows/columns (Y X pixels of a mask). A VAE's latents and the network's differ by a
shift and a factor that the network's config holds.
"""

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from ..config import DPIDMConfig
from ..errors import InputError


def to_network(latents: Tensor, config: DPIDMConfig) -> Tensor:
    """VAE latents in the network's scaling."""
    return (latents - config.latent_shift) * config.latent_scale


def from_network(latents: Tensor, config: DPIDMConfig) -> Tensor:
    """The network's latents as the VAE decodes them."""
    return latents / config.latent_scale + config.latent_shift


def latent_mask(mask_FYX: Tensor, size: tuple[int, int]) -> Tensor:
    """A mask at latent resolution, (F, 1, H, W) in 0..1; size is (H, W).

    A latent cell takes the largest value of the pixels under it, so that what is painted over in pixels is never
    taken for known in latents.
    """
    mask_F1YX = rearrange(mask_FYX.float(), "f y x -> f 1 y x")
    return F.adaptive_max_pool2d(mask_F1YX, size).clamp(0, 1)


def garment_cells(mask_BYX: Tensor | None, size: tuple[int, int]) -> Tensor:
    """The first garment mask at latent resolution, (1, 1, H, W) of 0 and 1; None covers the whole picture.

    A cell belongs to the garment if most pixels under it do; the peers' recordings hold such binary masks.
    """
    if mask_BYX is None:
        return torch.ones(1, 1, *size)
    return (F.adaptive_avg_pool2d(mask_BYX[:1, None].float(), size) > 0.5).float()


def check_latents(latents_FCHW: Tensor, name: str, channels: int) -> None:
    """Raise InputError unless these are finite image latents with that many channels."""
    shape = tuple(latents_FCHW.shape)
    if latents_FCHW.ndim != 4 or shape[0] < 1:
        raise InputError(f"{name} has shape {shape}; expected image latents (frames, {channels}, height, width)")
    if shape[1] != channels:
        raise InputError(
            f"{name} has {shape[1]} channels, this model works on {channels}: encode with the VAE that DPIDM Load VAE "
            "gives for this model"
        )
    for index, latent_CHW in enumerate(latents_FCHW):
        if not latent_CHW.isfinite().all():
            raise InputError(
                f"{name}: frame {index} contains NaN or infinite numbers; a VAE in fp16 can do that: start "
                "ComfyUI with --fp32-vae or check the pictures before VAE Encode"
            )
