"""Run recorded inputs of a peer's own model through its import, and compare with the recorded outputs."""

# B clips, F frames, C channels, H W latent rows/columns, N rows; recorded videos are (B, C, F, H, W)

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from einops import rearrange
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ..config import ScheduleConfig
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

    Returns max_abs_err: largest difference over predictions, the DDIM step and the schedule.  max_abs_err_taps: over
    the intermediate results;  max_rel_err_taps: the same in units of each tap's largest value.  recording_err,
    recording_err_taps: how far the recorded fp32 values are from the same network in fp64, so what fp32 itself costs.
    errors: every difference by name.
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
    found = run_all(imported, io, said["runs"], torch.float32)
    exact = run_all(replace(imported, model=copy.deepcopy(imported.model).double()), io, said["runs"], torch.float64)
    outputs = [name for name in found if ".tap" not in name]
    taps = [name for name in found if ".tap" in name]
    errors = {name: largest(ours - theirs) for name, (ours, theirs) in found.items()}
    return {
        "max_abs_err": max(errors[name] for name in outputs),
        "max_abs_err_taps": max((errors[name] for name in taps), default=0.0),
        "max_rel_err_taps": max((errors[name] / largest(found[name][1]) for name in taps), default=0.0),
        "recording_err": max(largest(exact[name][0] - exact[name][1]) for name in outputs),
        "recording_err_taps": max((largest(exact[name][0] - exact[name][1]) for name in taps), default=0.0),
        "errors": errors,
    }


def largest(x: Tensor) -> float:
    """Largest absolute value."""
    return x.abs().max().item()


def run_all(
    imported: Imported, io: Mapping[str, Tensor], runs: list[dict[str, Any]], dtype: torch.dtype
) -> dict[str, tuple[Tensor, Tensor]]:
    """Every recorded value: name -> (ours, theirs), in `dtype`, which the model must have."""
    found = reference_values(imported.model, io, [run["name"] for run in runs], dtype)
    found |= schedule_values(imported.info.schedule, io, runs)
    for run in runs:
        found |= run_vector(imported, {k: v for k, v in io.items() if k.startswith(run["name"] + ".")}, run, dtype)
    return {name: (ours, theirs.to(dtype)) for name, (ours, theirs) in found.items()}


def inputs_of(io: Mapping[str, Tensor], run: str, dtype: torch.dtype) -> dict[str, Tensor]:
    """The recorded inputs of a run by their short names."""
    return {k.removeprefix(f"{run}.in."): v.to(dtype) for k, v in io.items() if k.startswith(f"{run}.in.")}


def import_vectors(source: str, folder: Path, said: dict[str, Any]) -> Imported:
    """Import the small peer in `folder`; what shapes do not show is taken from its config.json."""
    unet = said["denoiser"]
    heads = unet["attention_head_dim"]
    levels = len(unet["block_out_channels"])
    changes = {
        "heads": tuple(heads) if isinstance(heads, list) else (heads,) * levels,
        "norm_groups": unet["norm_num_groups"],
        "garment_timestep": said["reference_timestep"],
        "temporal_heads": unet["motion_module_kwargs"]["num_attention_heads"],
        "temporal_max_frames": unet["motion_module_kwargs"]["temporal_position_encoding_max_len"],
    }
    paths = [folder / f"{part}.safetensors" for part in ("denoiser", "reference", "pose_guider")]
    return import_peer(source, *paths, changes=changes, dtype=torch.float32)


@torch.no_grad()
def run_vector(
    imported: Imported, io: Mapping[str, Tensor], run: dict[str, Any], dtype: torch.dtype
) -> dict[str, tuple[Tensor, Tensor]]:
    """One recorded call; name -> (ours, theirs), in the recorded axes."""
    model, name = imported.model, run["name"]
    given = inputs_of(io, name, dtype)
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


def schedule_values(
    schedule: ScheduleConfig, io: Mapping[str, Tensor], runs: list[dict[str, Any]]
) -> dict[str, tuple[Tensor, Tensor]]:
    """Noise levels and timesteps of the import's schedule: name -> (ours, theirs)."""
    scheduler = DDIMScheduler(**asdict(schedule))
    ours = {"scheduler.alphas_cumprod": scheduler.alphas_cumprod}
    for run in runs:
        scheduler.set_timesteps(run["num_inference_steps"])
        ours[f"{run['name']}.scheduler.timesteps"] = scheduler.timesteps
    return {name: (value.double(), io[name].double()) for name, value in ours.items() if name in io}


@torch.no_grad()
def reference_values(
    model: DPIDM, io: Mapping[str, Tensor], runs: list[str], dtype: torch.dtype
) -> dict[str, tuple[Tensor, Tensor]]:
    """The recorded garment features, `RUN.tap.ref.bank.LAYER`: name -> (ours, theirs).

    The recordings keep them under the first run's name although they may be a later run's: the run they agree with
    best counts.
    """
    keys = [k for k in io if BANK in k]
    best: dict[str, tuple[Tensor, Tensor]] = {}
    for run in runs if keys else ():
        for key, ours in reference_features(model, inputs_of(io, run, dtype), keys).items():
            theirs = io[key].to(dtype)
            if ours.shape != theirs.shape:
                continue
            if key not in best or largest(ours - theirs) < largest(best[key][0] - theirs):
                best[key] = (ours, theirs)
    if len(best) < len(keys):
        raise InputError(
            f"recorded {', '.join(sorted(set(keys) - set(best)))} have the shape of no run; re-record them"
        )
    return best


def reference_features(model: DPIDM, given: dict[str, Tensor], keys: list[str]) -> dict[str, Tensor]:
    """The garment U-Net's features with zero and given CLIP token for the recorded keys."""
    latent, clip = given["garment_latents"], given["clip_embed"]
    if model.config.compat.garment_mask:
        latent = torch.cat([latent, given["garment_mask"]], 1)
    banks = []
    for token in (torch.zeros_like(clip), clip):
        bank: dict[str, GarmentFeatures] = {}
        model.garment_unet(
            latent,
            model.config.garment_timestep,
            None,
            cross_attention_kwargs={"features": bank, "clip": token, "attention": attend},
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
