"""The paper's start: Stable Diffusion 1.5 as garment U-Net, 1.5 inpainting as main U-Net, optionally AnimateDiff."""

from __future__ import annotations

import json
import os
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch

from ..config import DPIDMConfig, ScheduleConfig
from ..errors import CheckpointError
from .assemble import Assembly
from .file import ModelInfo
from .imported import Imported
from .names import garment_name, main_name, motion_name
from .sources import Weights, open_any, open_unet

LICENCE = "CreativeML Open RAIL-M (Stable Diffusion 1.5 and 1.5 inpainting)"
MOTION_LICENCE = "Apache-2.0 (AnimateDiff)"


def import_sd15(
    garment: str | os.PathLike,
    main: str | os.PathLike,
    motion: str | os.PathLike | None = None,
    *,
    config: DPIDMConfig | None = None,
    dtype: torch.dtype = torch.float16,
    seed: int = 0,
) -> Imported:
    """Start a DPIDM as the paper does (arXiv 2505.16980, sec. 4.1).

    garment: SD 1.5, main: SD 1.5 inpainting: diffusers folders or single files, fp16 or fp32.
    motion: AnimateDiff's mm_sd_v15_v2 for the temporal layers (not in the paper), else they start at zero.
    config: the network to build, default the paper's.  seed: of the layers that no source has.
    """
    config = config or DPIDMConfig()
    sources = {"garment": open_unet(garment), "main": open_unet(main)}
    result = assemble_sd15(
        sources["garment"], sources["main"], None if motion is None else open_any(motion), config, dtype, seed
    )
    schedule = read_schedule(main)
    return result if schedule is None else replace(result, info=replace(result.info, schedule=schedule))


def assemble_sd15(
    garment: Weights,
    main: Weights,
    motion: Weights | None,
    config: DPIDMConfig,
    dtype: torch.dtype,
    seed: int,
    meta: bool = False,
) -> Imported:
    """import_sd15 on sources that are already open; meta: without memory."""
    _check_inputs(garment, config.latent_channels, "the garment U-Net", "plain Stable Diffusion 1.5")
    _check_inputs(main, config.in_channels, "the main U-Net", "Stable Diffusion 1.5 inpainting")
    assembly = Assembly(config, dtype, meta)
    assembly.load(garment, "garment U-Net", garment_name)
    assembly.load(main, "main U-Net", main_name(config.pose_input == "encoder", config.temporal))
    origin = [f"garment U-Net: {Path(garment.name).name}", f"main U-Net: {Path(main.name).name}"]
    if motion is not None:
        assembly.load(motion, "PATA", _motion_places(assembly, config))
        origin.append(f"temporal layers: {Path(motion.name).name}")
    assembly.require({"garment_unet.": garment.name, "main_unet.": main.name})
    model, rows, started = assembly.finish(seed)
    info = ModelInfo(
        name="dpidm-sd15-start",
        trained=False,
        config=config,
        schedule=ScheduleConfig(),
        origin="; ".join(origin),
        licence=LICENCE if motion is None else f"{LICENCE}; {MOTION_LICENCE}",
    )
    return Imported(model, info, rows, started)


def _motion_places(assembly: Assembly, config: DPIDMConfig) -> Any:
    """AnimateDiff names; in_block there is no place at the levels without attention."""
    from .names import LeftOut

    if config.temporal == "none":
        raise CheckpointError("motion weights were given, but config.temporal is 'none'; leave one of them out")
    rename = motion_name(config.temporal)

    def place(key: str) -> str | LeftOut:
        name = rename(key)
        if isinstance(name, str) and config.temporal == "in_block" and name not in assembly.expected:
            return LeftOut("in_block has no temporal layer at levels without spatial attention")
        return name

    return place


def _check_inputs(weights: Weights, channels: int, part: str, wanted: str) -> None:
    found = weights.shapes["conv_in.weight"][1]
    if found != channels:
        raise CheckpointError(
            f"{weights.name} takes {found} input channels, {part} needs {channels}; give {wanted} there"
        )


def read_schedule(path: str | os.PathLike) -> ScheduleConfig | None:
    """The noise schedule a diffusers pipeline folder says, None for single files and bare U-Nets."""
    file = Path(path) / "scheduler" / "scheduler_config.json"
    if not file.is_file():
        return None
    said = json.loads(file.read_text())
    known = {f.name for f in fields(ScheduleConfig)}
    return ScheduleConfig(**{k: v for k, v in said.items() if k in known})
