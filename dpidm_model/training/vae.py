"""Training of the small VAE on generated pictures; see train_vae.py.

The encoder is a whitened PCA of 8x8 patches (vae_start.py) and stays so: known at once, linear and stable, so that
a denoiser can be trained on its latents while the decoder still improves. Only the decoder is trained.

B images, C channels, H W pixels.
"""

import copy
import math
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate, l1_loss

from ..cli import progress
from ..files import atomic_path
from ..vae import build_vae, decode, encode, save_vae
from ..world.clip import TRAIN_SEEDS, make_clip
from .vae_start import start_from_pca

CROP = 64
BATCH = 8
SAVE_EVERY_S = 120
PCA_BATCHES = 100
WORLD_SIZES = ((96, 128), (96, 128), (144, 192))  # (width, height)
WORLD_SEEDS = range(TRAIN_SEEDS.stop - 10**8, TRAIN_SEEDS.stop)
LATENT_NOISE = 0.05  # std of the noise the decoder learns to ignore


def train(run: str, out: str, steps: int, *, latent_channels: int = 16, seed: int = 0) -> dict:
    """Train (or go on training) up to step `steps` and write the VAE. Returns its measured figures."""
    folder = Path(run)
    vae = build_vae(latent_channels, seed)
    start_from_pca(vae, (generate_batch(np.random.default_rng((seed, 10**7, i))) for i in range(PCA_BATCHES)), seed)
    vae.encoder.requires_grad_(False)
    average = copy.deepcopy(vae)
    optimizer = torch.optim.AdamW(vae.decoder.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=1e-4)
    state = {"step": 0, "seconds": 0.0}
    if (folder / "state.pt").exists():
        saved = torch.load(folder / "state.pt", weights_only=True)
        vae.load_state_dict(saved["vae"])
        average.load_state_dict(saved["average"])
        optimizer.load_state_dict(saved["optimizer"])
        state = saved["state"]
        progress(f"resumed at step {state['step']}, {state['seconds'] / 60:.1f} min")

    def save() -> None:
        parts = {"vae": vae, "average": average, "optimizer": optimizer}
        with atomic_path(folder / "state.pt") as temporary:
            torch.save({"state": dict(state)} | {k: v.state_dict() for k, v in parts.items()}, temporary)

    last, shown = time.monotonic(), 0.0
    next_save = state["seconds"] + SAVE_EVERY_S
    while state["step"] < steps:
        for group in optimizer.param_groups:
            group["lr"] = _learning_rate(state["step"], steps)
        images = generate_batch(np.random.default_rng((seed, state["step"])))
        loss = decoder_loss(vae, images, torch.Generator().manual_seed(state["step"]))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.decoder.parameters(), 1.0)
        optimizer.step()
        state["step"] += 1
        _average(average, vae, state["step"])
        now = time.monotonic()
        state["seconds"] += now - last
        last = now
        shown = shown * 0.98 + loss.item() * 0.02 if shown else loss.item()
        if state["seconds"] > next_save:
            next_save = state["seconds"] + SAVE_EVERY_S
            save()
            progress(
                f"{state['seconds'] / 60:6.1f} min  step {state['step']}  loss {shown:.4f}  psnr {psnr(average):.2f}"
            )
    save()
    figures = {"steps": state["step"], "minutes": round(state["seconds"] / 60, 1), "psnr_generated_db": psnr(average)}
    metadata = {
        "name": "dpidm-tiny-vae",
        "trained": "true",
        "licence": "Apache-2.0",
        "origin": "trained on generated pictures",
        "recipe": f"train_vae.py --steps {steps} --channels {latent_channels} --seed {seed}",
        **{k: str(v) for k, v in figures.items()},
    }
    save_vae(out, average, metadata)
    return {**figures, "out": out}


def decoder_loss(vae, images_BCHW: Tensor, generator: torch.Generator) -> Tensor:
    """L1 of the picture, of its gradients and of its coarse colours, with a little noise on the latents."""
    with torch.no_grad():
        latents = encode(vae, images_BCHW)
    noise = torch.randn(latents.shape, generator=generator)
    made = vae.decode(latents + LATENT_NOISE * noise, return_dict=False)[0] / 2 + 0.5
    edges = sum(l1_loss(made.diff(dim=d), images_BCHW.diff(dim=d)) for d in (2, 3))
    return l1_loss(made, images_BCHW) + edges + l1_loss(_coarse(made), _coarse(images_BCHW))


def _coarse(images_BCHW: Tensor) -> Tensor:
    return interpolate(images_BCHW, scale_factor=0.25, mode="area")


@torch.no_grad()
def psnr(vae, batches: int = 4) -> float:
    """Peak signal-to-noise ratio in dB on held-out generated pictures."""
    errors = []
    for index in range(batches):
        images = generate_batch(np.random.default_rng((10**6, index)))
        errors.append(float((decode(vae, encode(vae, images)) - images).square().mean()))
    return round(-10 * math.log10(float(np.mean(errors))), 2)


def _learning_rate(step: int, steps: int) -> float:
    return 1e-3 * min(1.0, (step + 1) / 100) * (0.5 + 0.5 * math.cos(math.pi * step / steps)) + 1e-5


@torch.no_grad()
def _average(average, vae, step: int) -> None:
    keep = min(0.999, (1 + step) / (20 + step))
    torch._foreach_lerp_(list(average.decoder.parameters()), list(vae.decoder.parameters()), 1 - keep)


# ---------------------------------------------------------------------------------------------- pictures


def generate_batch(rng: np.random.Generator) -> Tensor:
    """(BATCH, 3, CROP, CROP) float32 in 0..1: half dead leaves, half crops of the generated try-on world."""
    pictures = [dead_leaves(rng) for _ in range(BATCH // 2)] + world_crops(rng, BATCH - BATCH // 2)
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255


def world_crops(rng: np.random.Generator, count: int) -> list[np.ndarray]:
    """Crops of one try-on clip's frames and of its garment picture; each (CROP, CROP, 3) uint8."""
    size = WORLD_SIZES[rng.integers(len(WORLD_SIZES))]
    seed = int(rng.integers(WORLD_SEEDS.start, WORLD_SEEDS.stop))
    clip = make_clip(seed, frames=count - 1, size=size, flow=False)
    return [_crop(rng, picture) for picture in (*clip.frames_FHW3, clip.garment_HW3)]


def _crop(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    y, x = (int(rng.integers(side - CROP + 1)) for side in picture.shape[:2])
    crop = picture[y : y + CROP, x : x + CROP]
    return crop[:, ::-1] if rng.random() < 0.5 else crop


def dead_leaves(rng: np.random.Generator) -> np.ndarray:
    """Overlapping textured shapes of all sizes, as in natural image statistics; (CROP, CROP, 3) uint8."""
    scale = 2
    side = CROP * scale
    picture = _fabric(rng, side)
    picture = picture.astype(np.uint8)
    for radius in side * np.sort(rng.uniform(0.04, 0.7, rng.integers(2, 14)) ** 1.5)[::-1]:
        mask = _shape(rng, side, radius)
        picture = np.where(mask[..., None] > 0, _fabric(rng, side).astype(np.uint8), picture)
    if rng.random() < 0.2:
        text = "".join(rng.choice(list("AEBHKMRST237x&"), rng.integers(2, 5)))
        at = tuple(int(v) for v in rng.uniform(0, side * 0.7, 2))
        cv2.putText(
            picture,
            text,
            at,
            cv2.FONT_HERSHEY_DUPLEX,
            rng.uniform(0.5, 1.6),
            rng.uniform(0, 255, 3).tolist(),
            2,
            cv2.LINE_AA,
        )
    picture = cv2.resize(picture, (CROP, CROP), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.5:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.2))
    return np.clip(picture + rng.normal(0, rng.uniform(0, 4), picture.shape), 0, 255).astype(np.uint8)


def _shape(rng: np.random.Generator, side: int, radius: float) -> np.ndarray:
    mask = np.zeros((side, side), np.uint8)
    centre = rng.uniform(0, side, 2)
    if rng.random() < 0.5:
        axes = (int(radius), int(radius * rng.uniform(0.2, 1)) + 1)
        cv2.ellipse(mask, centre.astype(int).tolist(), axes, rng.uniform(0, 180), 0, 360, 1, -1)
    else:
        angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 7)))
        corners = centre + radius * rng.uniform(0.4, 1.2, (len(angles), 1)) * np.stack(
            [np.cos(angles), np.sin(angles)], 1
        )
        cv2.fillPoly(mask, [corners.astype(np.int32)], 1)
    return mask


def _fabric(rng: np.random.Generator, side: int) -> np.ndarray:
    """A flat, shaded, striped, checked or cloudy surface; (side, side, 3) float32 in 0..255."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    angle = rng.uniform(0, np.pi)
    u = x * np.cos(angle) + y * np.sin(angle)
    v = y * np.cos(angle) - x * np.sin(angle)
    first, second = _colour(rng), _colour(rng)
    period = rng.uniform(6, 40)
    kind = rng.choice(["flat", "stripes", "checks", "waves", "clouds"], p=[0.4, 0.15, 0.1, 0.15, 0.2])
    if kind == "stripes":
        blend = ((u / period) % 1 < rng.uniform(0.2, 0.7)).astype(np.float32)
    elif kind == "checks":
        blend = 0.5 * ((u / period) % 1 < 0.5) + 0.5 * ((v / period) % 1 < 0.5)
    elif kind == "waves":
        blend = 0.5 + 0.5 * np.sin(2 * np.pi * u / period + np.sin(v / period))
    elif kind == "clouds":
        cells = int(rng.integers(3, 24))
        blend = np.clip(0.5 + cv2.resize(rng.normal(0, 0.3, (cells, cells)).astype(np.float32), (side, side)), 0, 1)
    else:
        blend = np.zeros_like(u)
    surface = first + (second - first) * blend[..., None].astype(np.float32)
    light = 1 + rng.uniform(-0.4, 0.4) * (u - u.mean()) / side + rng.uniform(-0.2, 0.2) * (v - v.mean()) / side
    return np.clip(surface * light[..., None], 0, 255).astype(np.float32)


def _colour(rng: np.random.Generator) -> np.ndarray:
    if rng.random() < 0.35:  # greys, whites and blacks are common in photographs
        return (np.full(3, rng.uniform(0, 255)) + rng.normal(0, 8, 3)).clip(0, 255).astype(np.float32)
    hsv = np.array([[[rng.integers(0, 180), 255 * rng.beta(2, 3), 255 * rng.uniform(0.1, 1)]]], np.uint8)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0].astype(np.float32)
