"""Imports from SwiftTry and ViViD, the open peers that share the dual-U-Net architecture."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from ..config import CompatConfig, DPIDMConfig, ScheduleConfig
from ..errors import CheckpointError, InputError
from .assemble import Assembly
from .file import ModelInfo
from .imported import Imported
from .names import MOTION, garment_name, guider_name, main_name, motion_name
from .sources import Weights, open_any, require_sd15

SCHEDULE = ScheduleConfig(
    prediction_type="v_prediction",
    beta_schedule="linear",
    rescale_betas_zero_snr=True,
    timestep_spacing="trailing",
    set_alpha_to_one=True,
)


@dataclass(frozen=True)
class Peer:
    """What sets one peer apart.

    mask_last: its conv_in takes [noise, agnostic, mask]; ours [noise, mask, agnostic].
    """

    title: str
    origin: str
    licence: str
    mask_last: bool
    compat: CompatConfig


PEERS = {
    "swifttry": Peer(
        title="swifttry-import",
        origin="SwiftTry (Nguyen et al., AAAI 2025), huggingface NMHung/SwiftTry",
        licence="as stated at huggingface NMHung/SwiftTry and github VinAIResearch/swift-try: check before use",
        mask_last=False,
        compat=CompatConfig(guider_range=(-1.0, 1.0)),
    ),
    "vivid": Peer(
        title="vivid-import",
        origin="ViViD (Fang et al., 2024), huggingface alibaba-yuanjing-aigclab/ViViD",
        licence="MIT (the repository's; its base weights: CreativeML Open RAIL-M)",
        mask_last=True,
        compat=CompatConfig(garment_mask=True, garment_residual=True, no_cross_attention=True),
    ),
}


def find_peer(source: str) -> Peer:
    """The peer called `source`; raises InputError naming the known ones."""
    if source not in PEERS:
        raise InputError(f"source {source!r} is not known; use one of {', '.join(PEERS)}")
    return PEERS[source]


def import_peer(
    source: str,
    denoiser: str | os.PathLike,
    reference: str | os.PathLike,
    guider: str | os.PathLike,
    motion: str | os.PathLike | None = None,
    *,
    changes: Mapping[str, object] | None = None,
    dtype: torch.dtype = torch.float16,
    seed: int = 0,
) -> Imported:
    """Import a peer's model so that it computes exactly what it does there.

    source: a name of PEERS.  motion: motion modules, where they are not in the denoiser's file (its own win).
    changes: config fields that the weights do not show (heads, norm_groups), or additions to train (tsa=True,
    pasa_pose=True, pata_pose=True), which start at zero and so change nothing.
    """
    return assemble_peer(
        source,
        open_any(denoiser),
        open_any(reference),
        open_any(guider),
        None if motion is None else open_any(motion),
        changes=changes or {},
        dtype=dtype,
        seed=seed,
    )


def assemble_peer(
    source: str,
    denoiser: Weights,
    reference: Weights,
    guider: Weights,
    motion: Weights | None = None,
    *,
    changes: Mapping[str, object],
    dtype: torch.dtype,
    seed: int = 0,
    meta: bool = False,
) -> Imported:
    """import_peer on sources that are already open; meta: without memory."""
    peer = find_peer(source)
    for weights in (denoiser, reference):
        require_sd15(weights)
    config = peer_config(peer, denoiser, guider, motion)
    config = replace(config, **changes)  # pyright: ignore[reportArgumentType]
    assembly = Assembly(config, dtype, meta)
    assembly.load(reference, "garment U-Net", garment_name)
    if motion is not None:
        assembly.load(motion, "PATA", motion_name(config.temporal))
    change = {"main_unet.conv_in.conv.weight": lambda w: mask_to_middle(w, config.latent_channels)}
    assembly.load(denoiser, "main U-Net", main_name(True, config.temporal), change if peer.mask_last else None)
    assembly.load(guider, "pose guider", guider_name)
    assembly.require({"garment_unet.": reference.name, "main_unet.": denoiser.name, "pose_guider.": guider.name})
    model, rows, started = assembly.finish(seed)
    info = ModelInfo(
        name=peer.title,
        trained=True,
        config=config,
        schedule=SCHEDULE,
        origin=f"{peer.origin}; files {', '.join(Path(w.name).name for w in (denoiser, reference, guider))}",
        licence=peer.licence,
    )
    return Imported(model, info, rows, started)


def mask_to_middle(weight_OIHW: Tensor, latent: int) -> Tensor:
    """conv_in weights for [noise, agnostic, mask] -> for [noise, mask, agnostic]."""
    noise, agnostic, mask = weight_OIHW.split([latent, latent, 1], 1)
    return torch.cat([noise, mask, agnostic], 1)


def peer_config(peer: Peer, denoiser: Weights, guider: Weights, motion: Weights | None) -> DPIDMConfig:
    """The config that the shapes show; what they do not show (heads, groups) is that of SD 1.5.

    The paper's own additions, which the peers lack, are off: they cost time and start at zero.
    """
    shapes = denoiser.shapes
    temporal_keys = [k for w in (denoiser, motion) if w is not None for k in w.shapes if MOTION.match(k)]
    if not temporal_keys:
        raise CheckpointError(
            f"{denoiser.name} has no motion modules; give the file that has them too (motion_module.pth, mm_sd_v15_v2)"
        )
    levels = 1 + max(int(k.split(".")[1]) for k in shapes if k.startswith("down_blocks."))
    compat = replace(
        peer.compat,
        guider_widths=_guider_widths(guider),
        frame_attention=any(".attn_temp." in k for k in shapes),
    )
    attention = tuple(f"down_blocks.{i}.attentions.0.norm.weight" in shapes for i in range(levels))
    return DPIDMConfig(
        latent_channels=shapes["conv_out.weight"][0],
        block_out_channels=tuple(shapes[f"down_blocks.{i}.resnets.0.conv1.weight"][0] for i in range(levels)),
        attention_levels=attention,
        heads=(8,) * levels,
        layers_per_block=sum(bool(re.fullmatch(r"down_blocks\.0\.resnets\.\d+\.conv1\.weight", k)) for k in shapes),
        cross_attention_dim=next(s[1] for k, s in shapes.items() if k.endswith("attn2.to_k.weight")),
        pasa_pose=False,
        pata_pose=False,
        tsa=False,
        temporal="after_block",
        compat=compat,
    )


def _guider_widths(guider: Weights) -> tuple[int, ...]:
    shapes = guider.shapes
    if "conv_in.weight" not in shapes or "conv_out.weight" not in shapes:
        raise CheckpointError(f"{guider.name} is no pose guider (no conv_in and conv_out); give pose_guider.pth")
    blocks = sum(bool(re.fullmatch(r"blocks\.\d+\.weight", k)) for k in shapes)
    return (shapes["conv_in.weight"][0], *(shapes[f"blocks.{i}.weight"][0] for i in range(1, blocks, 2)))
