"""From a configuration to the parts of a run: network, VAE, data."""

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .. import config as network_config
from ..checkpoint.file import ModelInfo, build_model, load_model
from ..checkpoint.grown import with_config
from ..config import DPIDMConfig
from ..errors import InputError, MissingFileError
from ..network.model import DPIDM
from . import patches
from .config import DataSection, ModelSection, Source, TrainConfig
from .data.base import ClipSet
from .data.files import FileClips
from .data.layouts import list_entries

TINY_VAE = Path(__file__).parents[1] / "weights" / "vae" / "dpidm-tiny-vae.safetensors"


def network(section: ModelSection, seed: int) -> tuple[DPIDM, ModelInfo]:
    """The network to train, in float32, and what it is. Its info is that of the start: not trained."""
    if section.init:
        model, info = load_model(section.init, dtype=torch.float32)
        if section.schedule:
            raise InputError("model.schedule does not go with model.init: the file's own is used")
        config = _changed(info.config, section.config, "config")
        return with_config(model, config, seed), replace(info, config=config)
    if section.preset not in network_config.PRESETS:
        raise InputError(f"model.preset {section.preset!r} is not one of {', '.join(network_config.PRESETS)}")
    config, schedule = network_config.PRESETS[section.preset]
    config, schedule = _changed(config, section.config, "config"), _changed(schedule, section.schedule, "schedule")
    info = ModelInfo(name=section.name, trained=False, config=config, schedule=schedule, licence=section.licence)
    return build_model(config, seed), info


def _changed(base, changes: dict, name: str):
    known = [f.name for f in fields(base)]
    unknown = sorted(set(changes) - set(known))
    if unknown:
        raise InputError(f"unknown field model.{name}.{unknown[0]}; known fields: {', '.join(known)}")
    return replace(base, **{k: tuple(v) if isinstance(v, list) else v for k, v in changes.items()})


def trained_info(start: ModelInfo, config: TrainConfig, step: int) -> ModelInfo:
    """The info of the exported model after `step` steps, with the size and the sampling it is meant for."""
    section, data, run = config.model, config.data, config.run
    sources = ", ".join(s.kind for s in data.sources)
    lines = [start.origin] if start.origin else []
    lines.append(f"trained {step} steps on {sources} at {data.width}x{data.height}")
    size = {"width": str(data.width), "height": str(data.height)}
    sampling = {"sample_steps": str(run.sample_steps), "guidance": str(run.guidance)}
    extra = {**dict(start.extra), "step": str(step), **size, **sampling}
    return replace(
        start, name=section.name, trained=True, origin="\n".join(lines), licence=section.licence, extra=extra
    )


def vae(
    name: str, config: DPIDMConfig, device: torch.device | str, clips: ClipSet, folder: Path
) -> tuple[Callable, Callable]:
    """(encode, decode) of the frozen VAE: images (N, 3, H, W) in 0..1 <-> unscaled latents.

    name: "tiny", a .safetensors file in TAESD's layout, a folder with a diffusers AutoencoderKL, or "patches": a linear
    one, fitted to `clips` and kept in `folder`.
    """
    if name == "patches":
        if not (folder / "patches.safetensors").is_file():
            patches.fit(clips, config.latent_channels).save(folder / "patches.safetensors")
        linear = patches.Patches.load(folder / "patches.safetensors", device)
        return linear.encode, linear.decode
    return fixed_vae(name, config.latent_channels, device)


def fixed_vae(name: str, latent_channels: int, device: torch.device | str) -> tuple[Callable, Callable]:
    """(encode, decode) of a VAE that needs no fitting; see `vae`."""
    path = TINY_VAE if name == "tiny" else Path(name)
    if not path.exists():
        raise MissingFileError(f"no VAE at {path}; data.vae is 'tiny', a TAESD .safetensors or a diffusers VAE folder")
    if path.is_dir():
        return _autoencoder_kl(path, device)
    from .. import vae as small

    module, _ = small.load_vae(path)
    if module.config["latent_channels"] != latent_channels:
        raise InputError(
            f"VAE {path.name} has {module.config['latent_channels']} latent channels, the network takes "
            f"{latent_channels}; set data.vae to the one the network was made for"
        )
    module.to(device, memory_format=torch.channels_last)  # pyright: ignore  (a quarter faster on CPUs)

    def encode(images: Tensor) -> Tensor:
        return small.encode(module, images)

    return patches.projection(encode, device) or encode, lambda latents: small.decode(module, latents)


def _autoencoder_kl(path: Path, device: torch.device | str) -> tuple[Callable, Callable]:
    from diffusers import AutoencoderKL

    module: Any = AutoencoderKL.from_pretrained(path, local_files_only=True)
    module = module.to(device).eval().requires_grad_(False)

    def encode(images: Tensor) -> Tensor:
        return module.encode(images * 2 - 1, return_dict=False)[0].mode()

    def decode(latents: Tensor) -> Tensor:
        return (module.decode(latents, return_dict=False)[0] / 2 + 0.5).clamp(0, 1)

    return encode, decode


def clip_embedding(folder: str, device: torch.device | str) -> Callable[[Tensor], Tensor]:
    """Garment pictures (B, 3, H, W) in 0..1 -> image_embeds (B, E) of a CLIP vision model with projection."""
    from torch.nn.functional import interpolate
    from transformers import CLIPVisionModelWithProjection

    if not Path(folder).is_dir():
        raise MissingFileError(f"no CLIP vision model folder at {folder}; data.clip_vision is a transformers folder")
    module: Any = CLIPVisionModelWithProjection.from_pretrained(folder, local_files_only=True)
    module = module.to(device).eval().requires_grad_(False)
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073], device=device).view(1, 3, 1, 1)
    std = torch.tensor([0.26862954, 0.26130258, 0.27577711], device=device).view(1, 3, 1, 1)
    side = module.config.image_size

    def embed(images_B3HW: Tensor) -> Tensor:
        h, w = images_B3HW.shape[-2:]
        scale = side / min(h, w)
        size = (max(side, round(h * scale)), max(side, round(w * scale)))
        x = interpolate(images_B3HW, size=size, mode="bicubic", antialias=True).clamp(0, 1)
        top, left = (size[0] - side) // 2, (size[1] - side) // 2
        return module((x[..., top : top + side, left : left + side] - mean) / std).image_embeds

    return embed


def clip_set(source: Source, data: DataSection, origin: bool = False) -> ClipSet:
    """The clips of one source.  origin: with what the correspondence loss needs, where it is known."""
    size = (data.width, data.height)
    if source.kind == "synthetic":
        from .data.synthetic import SyntheticClips

        return SyntheticClips(
            split=source.split,
            clips=source.clips,
            size=size,
            frames=source.frames,
            garments=source.garments,
            first=source.first,
            origin=origin,
        )
    assert source.root is not None
    entries = list_entries(source.kind, source.root, source.split, source.prepared, source.categories)
    return FileClips(source.kind, entries[: source.clips or None], size, latents=data.latents)
