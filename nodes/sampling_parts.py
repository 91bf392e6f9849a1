"""What the sampling nodes share: the host's types to the library's, and where the network runs."""

import functools
import logging

import torch

from ..dpidm_model.network.attention import Attend, attend
from ..dpidm_model.network.call import FULL
from ..dpidm_model.sampling.denoise import Place
from ..dpidm_model.sampling.estimate import describe, fit_memory, window_bytes
from ..dpidm_model.sampling.guidance import Guidance
from ..dpidm_model.sampling.resume import StateFile, fingerprint, remove_old, weights_fingerprint
from ..dpidm_model.sampling.sampler import SamplerConfig
from ..dpidm_model.sampling.schedulers import training_sigmas
from ..dpidm_model.sampling.tryon import TryOnInputs
from ..dpidm_model.sampling.windows import WindowConfig
from . import host
from .types import EncodedPoses, LoadedModel
from .watcher import latent_rgb

log = logging.getLogger(__name__)

BATCH = {"cpu": 1}  # windows at once beyond which nothing is gained; other devices: 4


def sampler_config(
    steps, cfg, seed, sampler, context_length, context_overlap, context_schedule, fuse_method, fuse_at,
    denoise=1.0, cfg_start=0.0, cfg_end=1.0, context_stride=1, closed_loop=False,
) -> SamplerConfig:  # fmt: skip
    """The node's widgets as a checked config; with one window's worth of frames the overlap does not matter."""
    windows = WindowConfig(
        length=context_length,
        overlap=context_overlap,
        schedule=context_schedule,
        stride=context_stride,
        closed_loop=closed_loop,
    )
    return SamplerConfig(
        steps=steps,
        seed=seed,
        sampler=sampler,
        denoise=denoise,
        windows=windows,
        fuse_method=fuse_method,
        fuse_at=fuse_at,
        guidance=Guidance(cfg=cfg, start=cfg_start, end=cfg_end),
    )


def tryon_inputs(
    model: LoadedModel,
    poses: EncodedPoses,
    garment_latent: dict,
    agnostic_latents: dict,
    mask,
    clip_vision_output=None,
    source_latents=None,
    garment_mask=None,
) -> TryOnInputs:
    """The node's inputs as the library's."""
    if garment_mask is None and model.info.config.compat.garment_mask:
        log.warning("%s was trained with the garment's mask; connect the mask of DPIDM Fit Garment", model.info.label)
    return TryOnInputs(
        agnostic_FCHW=agnostic_latents["samples"],
        mask_FYX=mask if mask.ndim == 3 else mask.reshape(-1, *mask.shape[-2:]),
        garment_1CHW=garment_latent["samples"],
        poses=poses.human,
        garment_image_B3YX=poses.garment_image_B3HW,
        garment_mask_BYX=None if garment_mask is None else garment_mask.reshape(-1, *garment_mask.shape[-2:]),
        clip_1E=None if clip_vision_output is None else clip_vision_output["image_embeds"],
        source_FCHW=None if source_latents is None else source_latents["samples"],
        strengths=model.strengths or FULL,
    )


def open_place(model: LoadedModel, inputs: TryOnInputs, config: SamplerConfig | None = None) -> Place:
    """Make room, load the network, and decide how much of a window is run at once. Raises OutOfMemoryError.

    config: None to encode the garment only.
    """
    device, dtype = host.compute_device(), model.dtype
    if config is None:
        host.load(model.patcher)
        return Place(device=device, dtype=dtype, attention=attention_on(device), temporary=host.temp_folder())
    frames, _, height, width = inputs.agnostic_FCHW.shape
    frames = min(frames, config.windows.length)
    shape = (model.info.config, frames, height, width, config.guidance.cfg, dtype)
    _, _, wanted = fit_memory(*shape, free=2**62, most=1)
    host.load(model.patcher, wanted)
    batch, sequential, need = fit_memory(*shape, free=host.free_memory(), most=BATCH.get(device.type, 4))
    log.info("DPIDM Video Sampler: %s; %d at once", describe(frames, need // batch), batch)
    return Place(
        device=device,
        dtype=dtype,
        attention=attention_on(device),
        batch=batch,
        sequential=sequential,
        need=describe(frames, need // batch),
        temporary=host.temp_folder(),
    )


def attention_on(device: torch.device) -> Attend:
    """The host's attention; on a CPU, unless the user chose one on the host's command line, torch's own."""
    if device.type != "cpu" or host.attention_chosen():
        return host.attention()
    _say_torch_attention()
    return attend


@functools.cache
def _say_torch_attention() -> None:
    log.info(
        "DPIDM: attention on this CPU is torch's own, as frugal as ComfyUI's default there and over three times as "
        "fast; start ComfyUI with --use-quad-cross-attention for the default"
    )


def native_parts(model: LoadedModel) -> dict:
    """What host.native_model has to know of a model."""
    config, schedule = model.info.config, model.info.schedule
    frames = 8  # memory grows in proportion to the frames

    def row_bytes(height: int, width: int) -> int:
        return window_bytes(config, frames, height, width, 1, "cond", model.dtype) // frames

    return {
        "prediction_type": schedule.prediction_type,
        "sigmas": training_sigmas(schedule),
        "unit_start": schedule.timestep_spacing == "leading",
        "latent": {
            "scale": config.latent_scale,
            "shift": config.latent_shift,
            "channels": config.latent_channels,
            "rgb": latent_rgb(config.latent_channels),
        },
        "row_bytes": row_bytes,
    }


def open_store(model: LoadedModel, inputs: TryOnInputs, config: SamplerConfig) -> StateFile:
    """The state file of a run with these inputs."""
    folder = host.unfinished_folder()
    remove_old(folder)
    key = fingerprint(
        config,
        model.info.schedule,
        model.dtype,
        inputs.strengths,
        weights_fingerprint(model.network),
        inputs.agnostic_FCHW,
        inputs.mask_FYX,
        inputs.garment_1CHW,
        inputs.garment_image_B3YX,
        inputs.garment_mask_BYX,
        inputs.clip_1E,
        inputs.source_FCHW,
        inputs.poses.size,
        inputs.poses.guider_FYX3,
        torch.from_numpy(inputs.poses.track.scaled(inputs.poses.size).keypoints_FK3),
    )
    return StateFile(folder, key)
