"""From what a user gives to clean latents: check, condition, sample.

F frames, C channels, H W latent rows/columns, E CLIP width.
"""

import logging
from dataclasses import dataclass

import torch
from torch import Tensor

from ..config import DPIDMConfig, ScheduleConfig
from ..errors import InputError
from ..network.call import FULL, Strengths
from ..network.conditions import TryOnConditions
from ..network.model import DPIDM
from .denoise import ClipConditions, NetworkDenoise, Place
from .latents import check_latents, from_network, garment_cells, latent_mask, to_network
from .memory import Predictor, do_without_onednn, first_line, is_out_of_memory, too_much
from .poses import PoseClip
from .resume import StateFile
from .sampler import SamplerConfig, sample
from .watch import Watcher

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TryOnInputs:
    """What a generation works on; latents as the VAE gives them.

    agnostic_FCHW: latents of the clothing-agnostic frames.  mask_FYX: 1 where to dress, any size, one frame or F.
    garment_1CHW: latent of the garment picture (the first of a batch is used).
    poses: the person's, of F frames.  garment_image_B3YX: the garment's drawn pose, 0..1, of the same size.
    garment_mask_BYX: where the garment is in its picture, any size, for networks with compat.garment_mask; None = the
    whole picture.  clip_1E: CLIP image embedding of the garment, or None.  source_FCHW: latents to start from, or None.
    strengths: how much of each pose module is used.
    """

    agnostic_FCHW: Tensor
    mask_FYX: Tensor
    garment_1CHW: Tensor
    poses: PoseClip
    garment_image_B3YX: Tensor
    garment_mask_BYX: Tensor | None = None
    clip_1E: Tensor | None = None
    source_FCHW: Tensor | None = None
    strengths: Strengths = FULL

    def check(self, model: DPIDMConfig, length: int | None = None) -> None:
        """Raise InputError, before anything is computed, if this cannot be sampled with that model.

        length: frames per window, if known.
        """
        for name, latents in (
            ("agnostic_latents", self.agnostic_FCHW),
            ("garment_latent", self.garment_1CHW),
            ("source_latents", self.source_FCHW),
        ):
            if latents is not None:
                check_latents(latents, name, model.latent_channels)
        frames, _, height, width = self.agnostic_FCHW.shape
        self._check_lengths(frames)
        self._check_sizes(height, width)
        if length and model.temporal != "none" and min(frames, length) > model.temporal_max_frames:
            raise InputError(
                f"context_length={length}, but this model's temporal layers know at most "
                f"{model.temporal_max_frames} frames; lower context_length"
            )

    def _check_lengths(self, frames: int) -> None:
        lengths = {"poses": len(self.poses)}
        if self.source_FCHW is not None:
            lengths["source_latents"] = len(self.source_FCHW)
        if len(self.mask_FYX) != 1:
            lengths["mask"] = len(self.mask_FYX)
        for name, found in lengths.items():
            if found != frames:
                raise InputError(
                    f"{name} has {found} frames, agnostic_latents {frames}; connect parts of the same clip"
                )

    def _check_sizes(self, height: int, width: int) -> None:
        if self.poses.size != (width * 8, height * 8):
            raise InputError(
                f"poses were drawn at {self.poses.size[0]}x{self.poses.size[1]} pixels, agnostic_latents are of "
                f"{width * 8}x{height * 8}; give DPIDM Encode Poses the size of the frames"
            )
        for name, latents in (("garment_latent", self.garment_1CHW), ("source_latents", self.source_FCHW)):
            if latents is not None and tuple(latents.shape[-2:]) != (height, width):
                raise InputError(
                    f"{name} is of {latents.shape[-1] * 8}x{latents.shape[-2] * 8} pixels, agnostic_latents of "
                    f"{width * 8}x{height * 8}; bring both to the same size (DPIDM Fit Garment does)"
                )
        if self.mask_FYX.ndim != 3 or not self.mask_FYX.isfinite().all():
            raise InputError(
                f"mask has shape {tuple(self.mask_FYX.shape)} or holds NaN; expected finite numbers of shape "
                "(frames, height, width)"
            )


@torch.no_grad()
def make_conditions(network: DPIDM, inputs: TryOnInputs, place: Place) -> ClipConditions:
    """Encode the garment and put everything the steps need together; per-frame parts stay where they are."""
    config, place_of = network.config, {"device": place.device, "dtype": place.dtype}
    frames, _, height, width = inputs.agnostic_FCHW.shape
    garment = network.encode_garment(
        to_network(inputs.garment_1CHW[:1], config).to(**place_of),
        inputs.garment_image_B3YX[:1].to(**place_of),
        None if inputs.clip_1E is None else inputs.clip_1E[:1].to(**place_of),
        mask_B1HW=garment_cells(inputs.garment_mask_BYX, (height, width)).to(**place_of),
        strengths=inputs.strengths,
        attention=place.attention,
    )
    still = TryOnConditions(
        agnostic_BFCHW=to_network(inputs.agnostic_FCHW, config)[None],
        mask_BF1HW=latent_mask(inputs.mask_FYX, (height, width)).expand(frames, -1, -1, -1)[None],
        garment=garment,
        strengths=inputs.strengths,
    )
    return ClipConditions(network, still, inputs.poses, place.temporary)


def sample_tryon(
    network: DPIDM,
    schedule: ScheduleConfig,
    inputs: TryOnInputs,
    config: SamplerConfig,
    place: Place,
    *,
    watcher: Watcher | None = None,
    store: StateFile | None = None,
) -> Tensor:
    """Dress the clip; returns VAE latents (F, C, H, W), float32 on the CPU.

    network: with its weights ready on place.device.  The rest as in `sample`.
    """
    watcher = watcher or Watcher()
    try:
        denoise = NetworkDenoise(network, make_conditions(network, inputs, place), place)
    except Exception as error:
        if is_out_of_memory(error):
            do_without_onednn(error)
            raise too_much("out of memory while the garment was encoded", first_line(error), place.need) from error
        raise
    predictor = Predictor(
        denoise,
        config.guidance,
        place.batch,
        watcher.check,
        watcher.release,
        place.need,
        place.sequential,
    )
    source = None if inputs.source_FCHW is None else to_network(inputs.source_FCHW, network.config).float().cpu()
    shape = tuple(inputs.agnostic_FCHW.shape)
    clean = sample(predictor, config, schedule, shape, source_FCHW=source, watcher=watcher, store=store)  # type: ignore[arg-type]
    return from_network(clean, network.config)
