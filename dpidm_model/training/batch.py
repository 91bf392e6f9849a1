"""Samples to what the network is trained on: latents, masks, poses, noise, timesteps.

# B clips, F frames, C latent channels, H W latent rows/cols, E CLIP width
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from ..config import DPIDMConfig, ScheduleConfig
from ..sampling.latents import latent_mask, to_network
from .data.base import Clip
from .data.samples import Sample
from .losses import draw_timesteps

GREY = 127  # the agnostic area's colour


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One micro-batch of one process, on the device. Latents are scaled; pictures are 0..1, 8x the latents' size.

    t_B: timesteps.  drop_B: clips to be denoised without garment.  origin_BF3HW: see correspondence_loss.
    """

    x0_BFCHW: Tensor
    noise_BFCHW: Tensor
    agnostic_BFCHW: Tensor
    mask_BF1HW: Tensor
    poses_BF3HW: Tensor
    garment_BCHW: Tensor
    garment_poses_B3HW: Tensor
    t_B: Tensor
    drop_B: Tensor
    clip_BE: Tensor | None = None
    origin_BF3HW: Tensor | None = None

    def __len__(self) -> int:
        return len(self.t_B)

    def rows(self, index_B: Tensor) -> "Batch":
        """The clips of a boolean or integer index."""
        chosen = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{n: v[index_B] for n, v in chosen.items() if v is not None})


def pixels(images: Sequence[np.ndarray], device: torch.device | str) -> Tensor:
    """uint8 (..., H, W, 3) pictures, stacked -> float (N, ..., 3, H, W) in 0..1."""
    stacked = torch.from_numpy(np.stack(images)).to(device)
    return rearrange(stacked, "... h w c -> ... c h w").float() / 255


def agnostic(frames_FHW3: np.ndarray, mask_FHW: np.ndarray) -> np.ndarray:
    """Frames with the masked area grey."""
    return np.where(mask_FHW[..., None] > 127, np.uint8(GREY), frames_FHW3)


class Encoder:
    """Pictures to latents with a frozen VAE, and samples to batches.

    encode: images (N, 3, H, W) in 0..1 -> VAE latents.  embed: garment pictures -> CLIP embeddings, or None.
    cached: keep latents by (clip, frame, mirrored) in memory; for data sets of a few clips.
    """

    def __init__(
        self,
        config: DPIDMConfig,
        schedule: ScheduleConfig,
        encode: Callable[[Tensor], Tensor],
        *,
        device: torch.device | str,
        chunk: int,
        timestep_bias: float,
        embed: Callable[[Tensor], Tensor] | None = None,
        cached: bool = False,
    ):
        self.config, self.schedule, self.device = config, schedule, device
        self._encode, self._embed, self._chunk, self._bias = encode, embed, chunk, timestep_bias
        self._cache: dict[tuple, Tensor] | None = {} if cached else None

    @torch.no_grad()
    def latents(self, images_N3HW: Tensor) -> Tensor:
        """Scaled latents (N, C, H/8, W/8) float32."""
        parts = [self._encode(x).float() for x in images_N3HW.split(self._chunk)]
        return to_network(torch.cat(parts), self.config)

    def _three(self, samples: Sequence[Sample], garments_B3HW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Latents of frames, agnostic frames (B, F, C, H, W) and garments (B, C, H, W)."""
        clips = [s.clip for s in samples]
        if all(c.latents for c in clips):
            parts = [
                (c.latents.x0_OFCHW[0], c.latents.agnostic_OFCHW[0], c.latents.garment_OCHW[0])
                for c in clips
                if c.latents
            ]
            stacked = [torch.from_numpy(np.stack(part)).to(self.device).float() for part in zip(*parts)]
            x0, masked, worn = (to_network(part, self.config) for part in stacked)
            return x0, masked, worn
        x0 = self._stack("x0", samples, [c.frames_FHW3 for c in clips])
        masked = self._stack("agnostic", samples, [agnostic(c.frames_FHW3, c.mask_FHW) for c in clips])
        return x0, masked, self.latents(garments_B3HW)

    def _stack(self, kind: str, samples: Sequence[Sample], pictures: Sequence[np.ndarray]) -> Tensor:
        """Latents (B, F, C, H, W) of each sample's pictures (F, H, W, 3), from the cache where they are known."""
        names = [(kind, s.clip.name, f, s.flipped) for s in samples for f in s.frames]
        flat = [picture for clip in pictures for picture in clip]
        if self._cache is None:
            encoded = self.latents(pixels(flat, self.device))
        else:
            new = {name: picture for name, picture in zip(names, flat) if name not in self._cache}
            if new:
                self._cache.update(zip(new, self.latents(pixels(list(new.values()), self.device))))
            encoded = torch.stack([self._cache[name] for name in names])
        return encoded.unflatten(0, (len(samples), -1))

    @torch.no_grad()
    def batch(self, samples: Sequence[Sample]) -> Batch:
        """Encode a micro-batch. Noise is drawn on the CPU from each sample's seed."""
        clips = [s.clip for s in samples]
        garments = pixels([c.garment_HW3 for c in clips], self.device)
        x0, masked, worn = self._three(samples, garments)
        noise = [torch.randn(x0.shape[1:], generator=torch.Generator().manual_seed(s.noise_seed)) for s in samples]
        uniform = torch.tensor([s.uniform for s in samples], dtype=torch.float64)
        size = (x0.shape[-2], x0.shape[-1])
        masks = torch.stack([latent_mask(torch.from_numpy(c.mask_FHW / np.float32(255)), size) for c in clips])
        steps = self.schedule.num_train_timesteps
        return Batch(
            x0_BFCHW=x0,
            noise_BFCHW=torch.stack(noise).to(self.device),
            agnostic_BFCHW=masked,
            mask_BF1HW=masks.to(self.device),
            poses_BF3HW=torch.stack([s.poses_F3HW for s in samples]).to(self.device),
            garment_BCHW=worn,
            garment_poses_B3HW=torch.stack([s.garment_pose_3HW for s in samples]).to(self.device),
            t_B=draw_timesteps(uniform, steps, self._bias).to(self.device),
            drop_B=torch.tensor([s.drop for s in samples]).to(self.device),
            clip_BE=self._embed(garments) if self._embed else None,
            origin_BF3HW=_origins(clips, self.device),
        )


def _origins(clips: Sequence[Clip], device: torch.device | str) -> Tensor | None:
    """What is known of where worn cloth lies on the garment: no cover for clips that do not know; None if none does."""
    known = [c.origin_FHW3 for c in clips if c.origin_FHW3 is not None]
    if not known:
        return None
    parts = [np.zeros_like(known[0]) if c.origin_FHW3 is None else c.origin_FHW3 for c in clips]
    return rearrange(torch.from_numpy(np.stack(parts)).to(device).float(), "b f h w c -> b f c h w")
