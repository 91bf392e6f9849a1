"""Cached latents of a clip, both ways round: training then needs neither VAE nor video decoding.

# F frames, C latent channels, H W latent rows/cols, O orientation (0 as it is, 1 mirrored)
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ...files import atomic_path
from .base import ClipLatents, UnreadableError
from .entries import Entry, count_frames, read_frames

CHUNK = 16  # frames encoded at a time


def latents_path(folder: Path, size: tuple[int, int]) -> Path:
    """Where a clip's latents for pictures of size (width, height) are."""
    return folder / f"latents-{size[0]}x{size[1]}.safetensors"


def write_latents(
    entry: Entry, size: tuple[int, int], encode: Callable[[Tensor], Tensor], device: torch.device | str, vae: str
) -> None:
    """Encode frames, agnostic frames and garment (unscaled VAE latents, float16).

    encode: images (N, 3, H, W) in 0..1 -> latents.  vae: its name, kept in the file.
    """
    from ..batch import agnostic, pixels
    from .files import FileClips

    clips = FileClips(entry.name, [entry], size)
    count = count_frames(entry.frames) if not entry.ranges else clips.frames_of(0)

    @torch.no_grad()
    def both(pictures_FHW3: np.ndarray) -> Tensor:
        images = pixels(list(pictures_FHW3), device)
        ways = [torch.cat([encode(x) for x in way.split(CHUNK)]) for way in (images, images.flip(-1))]
        return rearrange(ways, "o f c h w -> o f c h w").half().cpu()

    parts: dict[str, list[Tensor]] = {"x0": [], "agnostic": []}
    garment = None
    for start in range(0, count, CHUNK):
        clip = clips.read(0, list(range(start, min(start + CHUNK, count))))
        parts["x0"].append(both(clip.frames_FHW3))
        parts["agnostic"].append(both(agnostic(clip.frames_FHW3, clip.mask_FHW)))
        garment = both(clip.garment_HW3[None])[:, 0] if garment is None else garment
    assert garment is not None
    assert entry.prepared is not None
    tensors = {name: torch.cat(found, 1).contiguous() for name, found in parts.items()}
    with atomic_path(latents_path(entry.prepared, size)) as temporary:
        first = read_frames(entry.frames, [0])
        notes = {"vae": vae, "canvas": json.dumps([first.shape[2], first.shape[1]])}
        save_file({**tensors, "garment": garment.contiguous()}, temporary, metadata=notes)


def read_latents(entry: Entry, size: tuple[int, int], frames: list[int]) -> tuple[ClipLatents, tuple[int, int]]:
    """Latents of the given frames, and (width, height) of the source frames. Raises UnreadableError."""
    if entry.prepared is None or not latents_path(entry.prepared, size).is_file():
        raise UnreadableError(
            f"{entry.name}: no latents for {size[0]}x{size[1]}; run prepare_dataset.py, stage latents"
        )
    path = latents_path(entry.prepared, size)
    try:
        with safe_open(path, "pt") as file:
            rows = {name: file.get_slice(name) for name in ("x0", "agnostic")}
            first, last = min(frames), max(frames) + 1
            picked = {n: s[:, first:last][:, [f - first for f in frames]].numpy() for n, s in rows.items()}
            garment_OCHW = file.get_tensor("garment").numpy()
            width, height = json.loads(file.metadata()["canvas"])
            latents = ClipLatents(x0_OFCHW=picked["x0"], agnostic_OFCHW=picked["agnostic"], garment_OCHW=garment_OCHW)
            return latents, (width, height)
    except (SafetensorError, OSError, IndexError, KeyError, ValueError) as error:
        raise UnreadableError(f"{path}: not readable latents ({error}); delete the file and prepare again") from error
