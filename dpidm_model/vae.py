"""The small VAE that goes with dpidm-tiny: diffusers' AutoencoderTiny, stored in TAESD's layout.

TAESD's key names are what ComfyUI's own Load VAE reads. Deterministic, downsampling 8, latents in about -3..3.
B images, C channels, H W pixel rows/columns.
"""

from pathlib import Path

import torch
from diffusers import AutoencoderTiny
from safetensors import safe_open
from safetensors.torch import save_file

from .errors import CheckpointError
from .files import atomic_path

DOWNSAMPLING = 8
LATENT_CHANNELS = 16


def build_vae(latent_channels: int = LATENT_CHANNELS, seed: int = 0) -> AutoencoderTiny:
    """An untrained AutoencoderTiny; the same seed gives the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return AutoencoderTiny(latent_channels=latent_channels)


def save_vae(path: str | Path, vae: AutoencoderTiny, metadata: dict[str, str], dtype=torch.float16) -> None:
    """Write the VAE in TAESD's layout, atomically. metadata: name, trained, licence, recipe, scores."""
    state = {_to_taesd(key): value.to(dtype).contiguous() for key, value in vae.state_dict().items()}
    state |= {"vae_scale": torch.ones(()), "vae_shift": torch.zeros(())}
    with atomic_path(path) as temporary:
        save_file(state, temporary, metadata=metadata)


def load_vae(path: str | Path) -> tuple[AutoencoderTiny, dict[str, str]]:
    """Read a VAE in TAESD's layout as float32. Returns it and its metadata; raises CheckpointError for another file."""
    try:
        with safe_open(path, "pt") as file:
            state = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118 (not a dict)
            metadata = file.metadata() or {}
    except Exception as error:
        raise CheckpointError(
            f"{Path(path).name} cannot be read as safetensors ({error}); download or copy it again"
        ) from error
    if "taesd_decoder.1.weight" not in state:
        raise CheckpointError(
            f"{Path(path).name} holds keys like {sorted(state)[:2]}; expected a VAE in TAESD's layout (taesd_encoder.*)"
        )
    vae = build_vae(state["taesd_decoder.1.weight"].shape[1])
    vae.load_state_dict({_from_taesd(k): v for k, v in state.items() if k.startswith("taesd_")})
    return vae.eval().requires_grad_(False), metadata


def encode(vae: AutoencoderTiny, images_BCHW: torch.Tensor) -> torch.Tensor:
    """Images in 0..1 with sides divisible by 8 -> latents (B, latent channels, H/8, W/8)."""
    return vae.encode(images_BCHW * 2 - 1, return_dict=False)[0]


def decode(vae: AutoencoderTiny, latents_BCHW: torch.Tensor) -> torch.Tensor:
    """Latents -> images in 0..1 (clamped)."""
    return (vae.decode(latents_BCHW, return_dict=False)[0] / 2 + 0.5).clamp(0, 1)


# TAESD's decoder starts with its clamp as layer 0; AutoencoderTiny keeps the clamp outside its layers.
def _to_taesd(key: str) -> str:
    part, _, rest = key.partition(".layers.")
    index, _, tail = rest.partition(".")
    return f"taesd_{part}.{int(index) + (part == 'decoder')}.{tail}"


def _from_taesd(key: str) -> str:
    part, index, tail = key.removeprefix("taesd_").split(".", 2)
    return f"{part}.layers.{int(index) - (part == 'decoder')}.{tail}"
