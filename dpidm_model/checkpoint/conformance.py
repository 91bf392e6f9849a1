"""Run recorded inputs of a peer's own model through its import, and compare with the recorded outputs."""

# B clips, F frames, C channels, H W latent rows/columns, N rows; recorded videos are (B, C, F, H, W)

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from einops import rearrange
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ..errors import InputError, MissingFileError
from ..network.attention import attend
from ..network.block import GarmentFeatures
from ..network.conditions import TryOnConditions
from ..network.model import DPIDM
from .imported import Imported
from .peers import find_peer, import_peer

BANK = ".tap.ref.bank."
FILES = ("config.json", "denoiser.safetensors", "reference.safetensors", "pose_guider.safetensors", "io.safetensors")


ELSEWHERE = (".scheduler.", BANK)  # recorded values that are not results of one run's main U-Net


def check_vectors(source: str, folder: Path) -> dict[str, Any]:
    """Import the weights in `folder` as `source` and compare every run recorded there, in fp32.

    Returns {"max_abs_err": over predictions and the DDIM step, "max_abs_err_taps": over the intermediate results,
    "errors": each of them}.
    """
    find_peer(source)
    for file in FILES:
        if not (folder / file).is_file():
            raise MissingFileError(f"no {file} in {folder}; expected {', '.join(FILES)}")
    said = json.loads((folder / "config.json").read_text())
    if said["peer"] != source:
        raise InputError(f"{folder} was recorded from {said['peer']}, not from {source}; use --source {said['peer']}")
    imported = import_vectors(source, folder, said)
    io = load_file(folder / "io.safetensors")
    errors: dict[str, float] = {}
    taps: dict[str, float] = reference_errors(imported.model, io, [run["name"] for run in said["runs"]])
    for run in said["runs"]:
        found = run_vector(imported, {k: v for k, v in io.items() if k.startswith(run["name"] + ".")}, run)
        for name, (ours, theirs) in found.items():
            (taps if ".tap" in name else errors)[name] = (ours - theirs.float()).abs().max().item()
    return {
        "max_abs_err": max(errors.values()),
        "max_abs_err_taps": max(taps.values(), default=0.0),
        "errors": {**errors, **taps},
    }


def import_vectors(source: str, folder: Path, said: dict[str, Any]) -> Imported:
    """Import the small peer in `folder`; what shapes do not show is taken from its config.json."""
    unet = said["denoiser"]
    heads = unet["attention_head_dim"]
    levels = len(unet["block_out_channels"])
    changes = {
        "heads": tuple(heads) if isinstance(heads, list) else (heads,) * levels,
        "norm_groups": unet["norm_num_groups"],
        "temporal_heads": unet["motion_module_kwargs"]["num_attention_heads"],
        "temporal_max_frames": unet["motion_module_kwargs"]["temporal_position_encoding_max_len"],
    }
    paths = [folder / f"{part}.safetensors" for part in ("denoiser", "reference", "pose_guider")]
    return import_peer(source, *paths, changes=changes, dtype=torch.float32)


@torch.no_grad()
def run_vector(imported: Imported, io: dict[str, Tensor], run: dict[str, Any]) -> dict[str, tuple[Tensor, Tensor]]:
    """One recorded call; name -> (ours, theirs), in the recorded axes."""
    model, name = imported.model, run["name"]
    given = {k.removeprefix(f"{name}.in."): v.float() for k, v in io.items() if ".in." in k}
    low, high = model.config.compat.guider_range
    images = frames_first((given["pose_images"] - low) / (high - low))
    pose = model.encode_pose(images)
    mask = given.get("garment_mask")
    garment = model.encode_garment(given["garment_latents"], None, given["clip_embed"], mask_B1HW=mask)
    conditions = TryOnConditions(
        agnostic_BFCHW=frames_first(given["masked_latents"]),
        mask_BF1HW=frames_first(given["mask"]),
        pose=pose,
        garment=garment,
    )
    with Taps(model, io, name) as taps:
        cond, uncond = model(frames_first(given["latents"]), given["timestep"].long(), conditions, half="both")
    ours = {
        f"{name}.out_fp32bank.pred_cond": frames_third(cond),
        f"{name}.out_fp32bank.pred_uncond": frames_third(uncond),
        f"{name}.out_fp32bank.ddim_prev": ddim_previous(imported, cond, uncond, given, run),
        **taps.ours,
    }
    if pose.input_BFCHW is not None:
        ours[f"{name}.tap.pose_feature"] = frames_third(pose.input_BFCHW)
    missing = sorted(k for k in io if not any(part in k for part in (".in.", *ELSEWHERE)) and k not in ours)
    if missing:
        raise InputError(f"recorded {', '.join(missing)} are not known to this check; update it")
    return {key: (ours[key], io[key]) for key in ours if key in io}


class Taps:
    """Collects, for as long as it is entered, our value for each recorded `RUN.tap_*.den.LAYER`."""

    def __init__(self, model: DPIDM, recorded: Mapping[str, Tensor], run: str):
        self.ours: dict[str, Tensor] = {}
        self._model, self._recorded, self._run = model, recorded, run
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> Taps:
        for key, theirs in self._recorded.items():
            before, found, layer = key.partition(".den.")
            if not found or not before.startswith(f"{self._run}.tap"):
                continue
            ours = layer.replace("motion_modules", "pata")
            keep = self._keep_temporal if ours != layer else self._keep
            module = self._model.main_unet.get_submodule(ours)
            self._handles.append(module.register_forward_hook(functools.partial(keep, key, theirs)))
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _keep(self, key: str, theirs: Tensor, module: nn.Module, args: tuple, output: Tensor | tuple) -> None:
        rows = output if isinstance(output, Tensor) else output[0]
        self.ours[key] = rearrange(rows, "(s f) c h w -> s c f h w", f=theirs.shape[2])

    def _keep_temporal(self, key: str, theirs: Tensor, module: nn.Module, args: tuple, output: Tensor) -> None:
        with_residual = args[0] + output
        frames, rows = theirs.shape[2:4]
        self.ours[key] = rearrange(with_residual, "(s f) (h w) c -> s c f h w", f=frames, h=rows)


@torch.no_grad()
def reference_errors(model: DPIDM, io: Mapping[str, Tensor], runs: list[str]) -> dict[str, float]:
    """Largest difference of the recorded garment features, `RUN.tap.ref.bank.LAYER`.

    The recordings keep them under the first run's name although they may be a later run's: the run they agree with
    best counts.
    """
    keys = [k for k in io if BANK in k]
    errors: dict[str, float] = dict.fromkeys(keys, float("inf"))
    for run in runs if keys else ():
        given = {k.removeprefix(f"{run}.in."): v.float() for k, v in io.items() if k.startswith(f"{run}.in.")}
        for key, ours in reference_features(model, given, keys).items():
            if ours.shape == io[key].shape:
                errors[key] = min(errors[key], (ours - io[key]).abs().max().item())
    return errors


def reference_features(model: DPIDM, given: dict[str, Tensor], keys: list[str]) -> dict[str, Tensor]:
    """The garment U-Net's features with zero and given CLIP token for the recorded keys."""
    latent, clip = given["garment_latents"], given["clip_embed"]
    if model.config.compat.garment_mask:
        latent = torch.cat([latent, given["garment_mask"]], 1)
    banks = []
    for token in (torch.zeros_like(clip), clip):
        bank: dict[str, GarmentFeatures] = {}
        model.garment_unet(
            latent, 0, None, cross_attention_kwargs={"features": bank, "clip": token, "attention": attend}
        )
        banks.append(bank)
    ours = {}
    for key in keys:
        layer = key.partition(BANK)[2]
        layer = layer if layer in banks[0] else f"{layer}.attentions.0"
        ours[key] = torch.cat([bank[layer].f_GLC for bank in banks])
    return ours


def ddim_previous(
    imported: Imported, cond: Tensor, uncond: Tensor, given: dict[str, Tensor], run: dict[str, Any]
) -> Tensor:
    """Guidance and one DDIM step (eta 0) from the recorded latents, with the schedule of the imported model."""
    scheduler = DDIMScheduler(**asdict(imported.info.schedule))
    scheduler.set_timesteps(run["num_inference_steps"])
    guided = frames_third(uncond + run["guidance_scale"] * (cond - uncond))
    return scheduler.step(guided, run["timestep"], given["latents"], eta=0.0, return_dict=False)[0]


def frames_first(video_BCFHW: Tensor) -> Tensor:
    """(B, C, F, H, W) -> (B, F, C, H, W)."""
    return video_BCFHW.transpose(1, 2)


def frames_third(video_BFCHW: Tensor) -> Tensor:
    """(B, F, C, H, W) -> (B, C, F, H, W)."""
    return video_BFCHW.transpose(1, 2)
