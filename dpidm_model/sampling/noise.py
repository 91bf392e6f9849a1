"""Noise that belongs to a frame, not to a clip: drawn on the CPU, the same for a frame however long the clip gets."""

import hashlib

import torch
from torch import Tensor


def initial_noise(seed: int, frames: int, shape_CHW: tuple[int, int, int]) -> Tensor:
    """(F, C, H, W) standard normal float32: the frames drawn one after the other from one generator.

    A frame's noise depends on seed, frame index and shape alone. It is the noise the host's samplers draw for a latent
    batch with `batch_index` (and for any batch whose frames hold a multiple of 16 numbers).
    """
    generator = torch.Generator("cpu").manual_seed(seed)
    return torch.cat([torch.randn((1, *shape_CHW), generator=generator) for _ in range(frames)])


def step_generators(seed: int, step: int, frames: list[int]) -> list[torch.Generator]:
    """One generator per frame for the noise a stochastic scheduler adds in a step; keyed by (seed, step, frame)."""
    return [torch.Generator("cpu").manual_seed(_key(seed, step, frame)) for frame in frames]


def _key(seed: int, step: int, frame: int) -> int:
    digest = hashlib.blake2b(f"{seed} {step} {frame}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
