"""What a DPIDM network and its noise schedule are: frozen, self-checking, stored in every checkpoint's metadata."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from .errors import CheckpointError, InputError

CHANNEL_ORDERS = ("noise_mask_agnostic", "noise_agnostic_mask")
TEMPORAL_PLACES = ("in_block", "after_block", "none")
ADAPTER_INITS = ("zero", "random")
ATTENTION_STARTS = ("default", "keys_equal_queries")
POSE_INPUTS = ("none", "encoder")
PREDICTIONS = ("epsilon", "v_prediction", "sample")
BETA_SCHEDULES = ("linear", "scaled_linear", "squaredcos_cap_v2")
SPACINGS = ("leading", "trailing", "linspace")


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(f"{name}={value!r} is not known; use one of {', '.join(known)}")


def _positive(**values: int) -> None:
    for name, value in values.items():
        if value < 1:
            raise InputError(f"{name}={value} must be at least 1")


def _known_fields(cls: type, values: dict[str, Any]) -> dict[str, Any]:
    """`values`, checked against the fields of `cls`; lists become tuples (JSON has none)."""
    unknown = sorted(set(values) - {f.name for f in fields(cls)})
    if unknown:
        raise CheckpointError(
            f"{cls.__name__} holds unknown fields {', '.join(unknown)}; the file is of a newer version, "
            "update this project to read it"
        )
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}


@dataclass(frozen=True, kw_only=True)
class CompatConfig:
    """Parts only the peers' checkpoints have (see network/compat.py); all off in the paper's network.

    frame_attention: SwiftTry's extra attention over frames after the feed-forward.
    guider_widths: channels of the peers' pose guider, added after conv_in; () = no guider.
    guider_range: value range the guider expects of pose images.
    garment_mask: the garment U-Net takes the garment's mask as a fifth channel (ViViD).
    garment_residual: the garment layer's attention output is added to the conditional half, per position (ViViD).
    no_cross_attention: the main U-Net has no cross-attention (ViViD throws its result away).
    """

    frame_attention: bool = False
    guider_widths: tuple[int, ...] = ()
    guider_range: tuple[float, float] = (0.0, 1.0)
    garment_mask: bool = False
    garment_residual: bool = False
    no_cross_attention: bool = False


@dataclass(frozen=True, kw_only=True)
class DPIDMConfig:
    """Shape of both U-Nets, the pose encoder and the temporal layers (defaults: SD 1.5 and the paper).

    latent_channels: channels of the VAE's latents.  latent_scale, latent_shift: model latents = (vae - shift) * scale.
    channel_order: order of the main U-Net's input channels (CHANNEL_ORDERS).
    block_out_channels, attention_levels, heads: per level, finest first; heads is the number of heads of a level.
    layers_per_block, norm_groups: as in diffusers.  cross_attention_dim: width of the CLIP image token.
    pasa_pose, pata_pose: pose adapters in PASA, PATA (paper).
    pose_channels: P of the pose encoder - not in the paper: 320.
    adapter_bottleneck: width inside a pose adapter - not in the paper: 64.
    adapter_init: "zero" (paper, for pretrained weights) or "random" - not in the paper: for training from scratch.
    attention_start: "keys_equal_queries" starts every self-attention with equal key and query weights - not in the
        paper: for training from scratch.
    pose_input: "encoder" adds the encoded pose after conv_in too (PoseGuider style; alone the ablation's control).
    garment_timestep: t at which the garment U-Net runs, once per generation - not in the paper: 0.
    tsa, tsa_frames, tsa_patch: temporal-shift attention, L preceding frames (not in the paper: 3), side in tokens of
        the mosaic's patches (not in the paper: 1).
    temporal: where PATA's temporal layer stands: "in_block" (paper: after CA), "after_block" (AnimateDiff's 21
        places), "none". With pata_pose off it is the standard temporal attention of ablation arm (a).
    temporal_max_frames, temporal_heads, temporal_norm_groups: the temporal layer - not in the paper: AnimateDiff's.
    """

    latent_channels: int = 4
    latent_scale: float = 0.18215
    latent_shift: float = 0.0
    channel_order: str = "noise_mask_agnostic"
    block_out_channels: tuple[int, ...] = (320, 640, 1280, 1280)
    attention_levels: tuple[bool, ...] = (True, True, True, False)
    heads: tuple[int, ...] = (8, 8, 8, 8)
    layers_per_block: int = 2
    norm_groups: int = 32
    cross_attention_dim: int = 768
    pasa_pose: bool = True
    pata_pose: bool = True
    pose_channels: int = 320
    adapter_bottleneck: int = 64
    adapter_init: str = "zero"
    attention_start: str = "default"
    pose_input: str = "none"
    garment_timestep: int = 0
    tsa: bool = True
    tsa_frames: int = 3
    tsa_patch: int = 1
    temporal: str = "in_block"
    temporal_max_frames: int = 32
    temporal_heads: int = 8
    temporal_norm_groups: int = 32
    compat: CompatConfig = field(default_factory=CompatConfig)

    def __post_init__(self):
        for name, known in (
            ("channel_order", CHANNEL_ORDERS),
            ("adapter_init", ADAPTER_INITS),
            ("attention_start", ATTENTION_STARTS),
            ("pose_input", POSE_INPUTS),
            ("temporal", TEMPORAL_PLACES),
        ):
            _one_of(name, getattr(self, name), known)
        _positive(
            latent_channels=self.latent_channels,
            layers_per_block=self.layers_per_block,
            pose_channels=self.pose_channels,
            adapter_bottleneck=self.adapter_bottleneck,
            tsa_frames=self.tsa_frames,
            tsa_patch=self.tsa_patch,
            temporal_max_frames=self.temporal_max_frames,
        )
        self._check_levels()

    def _check_levels(self) -> None:
        widths, levels = self.block_out_channels, len(self.block_out_channels)
        for name in ("attention_levels", "heads"):
            if len(getattr(self, name)) != levels:
                raise InputError(f"{name}={getattr(self, name)} must have one entry for each of the {levels} levels")
        for width, heads in zip(widths, self.heads):
            if width % heads or width % self.norm_groups:
                raise InputError(f"width {width} must be divisible by heads={heads} and norm_groups={self.norm_groups}")
            if self.temporal != "none" and (width % self.temporal_heads or width % self.temporal_norm_groups):
                raise InputError(
                    f"width {width} must be divisible by temporal_heads={self.temporal_heads} and "
                    f"temporal_norm_groups={self.temporal_norm_groups}"
                )
        if self.pose_input == "encoder" and self.pose_channels != widths[0]:
            raise InputError(
                f"pose_input='encoder' adds pose_channels={self.pose_channels} to {widths[0]} channels; make them equal"
            )

    @property
    def in_channels(self) -> int:
        """Input channels of the main U-Net: noise, mask, agnostic latents."""
        return 2 * self.latent_channels + 1

    @property
    def uses_pose_encoder(self) -> bool:
        """Whether the network has the paper's pose encoder."""
        return self.pasa_pose or (self.pata_pose and self.temporal != "none") or self.pose_input == "encoder"

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> DPIDMConfig:
        """The config of `text`; raises CheckpointError on unknown fields."""
        values = _known_fields(cls, json.loads(text))
        values["compat"] = CompatConfig(**_known_fields(CompatConfig, values.get("compat", {})))
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """The noise schedule a model was trained with; field names are diffusers' scheduler arguments.

    Defaults are those of the SD 1.5 inpainting checkpoint.
    """

    prediction_type: str = "epsilon"
    beta_schedule: str = "scaled_linear"
    beta_start: float = 0.00085
    beta_end: float = 0.012
    num_train_timesteps: int = 1000
    rescale_betas_zero_snr: bool = False
    timestep_spacing: str = "leading"
    steps_offset: int = 1
    clip_sample: bool = False
    clip_sample_range: float = 1.0
    set_alpha_to_one: bool = False

    def __post_init__(self):
        _one_of("prediction_type", self.prediction_type, PREDICTIONS)
        _one_of("beta_schedule", self.beta_schedule, BETA_SCHEDULES)
        _one_of("timestep_spacing", self.timestep_spacing, SPACINGS)
        _positive(num_train_timesteps=self.num_train_timesteps)
        if not 0 < self.beta_start < self.beta_end < 1:
            raise InputError(f"betas {self.beta_start} .. {self.beta_end} must rise within 0..1")
        if self.rescale_betas_zero_snr and self.prediction_type == "epsilon":
            raise InputError("zero terminal SNR has no noise to predict from; use v_prediction or sample, not epsilon")

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ScheduleConfig:
        """The schedule of `text`; raises CheckpointError on unknown fields."""
        return cls(**_known_fields(cls, json.loads(text)))


# name -> (network, schedule). "tiny" is trained from scratch: 16-channel latents at 1/8 of 128x96 pixels and up.
PRESETS: dict[str, tuple[DPIDMConfig, ScheduleConfig]] = {
    "sd15": (DPIDMConfig(), ScheduleConfig()),
    "tiny": (
        DPIDMConfig(
            latent_channels=16,
            latent_scale=1.0,
            block_out_channels=(64, 80, 112),
            attention_levels=(True, True, True),
            heads=(2, 2, 4),
            layers_per_block=1,
            norm_groups=16,
            pose_channels=64,
            adapter_init="random",
            attention_start="keys_equal_queries",
            temporal_heads=4,
            temporal_norm_groups=16,
        ),
        ScheduleConfig(
            prediction_type="sample",
            rescale_betas_zero_snr=True,
            timestep_spacing="trailing",
        ),
    ),
}
