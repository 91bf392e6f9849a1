"""Everything that decides a training run: a YAML file, checked as a whole, recorded in every checkpoint.

Defaults are the paper's (arXiv 2505.16980, sec. 4.1) or, where it is silent, ours; such fields say "not in the paper".
"""

from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError, MissingFileError
from ..files import atomic_write_text
from .losses import WEIGHTINGS
from .typed import from_plain, override, to_plain

KINDS = ("vitonhd", "vvt", "vivid", "folder", "synthetic")
PRECISIONS = ("no", "bf16", "fp16")
# Groups of parameters a phase may train; "adapters" and "pose_encoder" cut finer than the network's own groups.
GROUPS = ("pasa", "ca", "tsa", "pata", "pose_encoder", "garment_unet", "rest", "adapters")


@dataclass(frozen=True, kw_only=True)
class ModelSection:
    """Which network, and where its weights start.

    preset: a name of dpidm_model.config.PRESETS; used when init is null.  init: a DPIDM .safetensors file (for
    example one that convert.py made from SwiftTry, ViViD or Stable Diffusion), with its own config and schedule.
    config: fields to change in that DPIDMConfig; parts that init lacks start fresh.  schedule: fields to change in the
    preset's ScheduleConfig (not with init).
    """

    preset: str = "sd15"
    init: str | None = None
    config: dict = field(default_factory=dict)
    schedule: dict = field(default_factory=dict)
    name: str = "dpidm"
    licence: str = "unspecified: that of the starting weights and of the training data"


@dataclass(frozen=True, kw_only=True)
class Source:
    """One data set of the mixture.

    kind: one of KINDS.  root: its folder ("synthetic" has none).  split: train, val or test.  weight: its share of the
    draws.  prepared: the folder prepare_dataset.py wrote for it.  clips: use this many clips only (0 = all; for
    "synthetic" 0 = endless).  categories: of ViViD and "folder"; empty = all.  frames, garments, first: of "synthetic"
    only: length of a clip, garments per motion when clips > 0, and the place of its first motion in the split, so that
    a later run can go on with motions and garments not seen before (see data/synthetic.py).
    """

    kind: str
    root: str | None = None
    split: str = "train"
    weight: float = 1.0
    prepared: str | None = None
    clips: int = 0
    categories: tuple[str, ...] = ()
    frames: int = 16
    garments: int = 1
    first: int = 0

    def __post_init__(self):
        if self.kind not in KINDS:
            raise InputError(f"data source kind {self.kind!r} is not one of {', '.join(KINDS)}")
        if self.kind != "synthetic" and not self.root:
            raise InputError(f"data source {self.kind!r} needs root: the folder the data set was unpacked to")
        if self.split not in ("train", "val", "test"):
            raise InputError(f"split {self.split!r} is not one of train, val, test")
        if self.weight <= 0:
            raise InputError(
                f"weight={self.weight} of source {self.kind!r} must be positive; remove the source instead"
            )


@dataclass(frozen=True, kw_only=True)
class DataSection:
    """What is read.

    height, width: pixels, multiples of 64 for sd15 (multiples of 8 x the network's down-sampling in general).
    flip: share of mirrored clips (paper: 0.5).  keypoint_drop: chance that a joint is not drawn (paper: 0.05).
    vae: "tiny", a .safetensors file in TAESD's layout, a diffusers AutoencoderKL folder, or "patches" (linear,
    fitted to the data; for studies).  encode_batch: frames the VAE takes at once.  clip_vision: folder of a
    transformers CLIP vision model with projection, whose garment embedding feeds cross-attention; null = zeros.
    cached: keep clips and latents in memory (data sets of a few clips).  latents: read those that prepare_dataset.py
    cached on disk instead of encoding frames (not for "synthetic"; validation still shows frames).
    workers: loader processes.
    unreadable: how many samples in a row may be broken before the run stops.
    """

    sources: tuple[Source, ...] = (Source(kind="synthetic"),)
    validation: Source | None = None
    height: int = 512
    width: int = 384
    flip: float = 0.5
    keypoint_drop: float = 0.05
    vae: str = "tiny"
    encode_batch: int = 16
    clip_vision: str | None = None
    cached: bool = False
    latents: bool = False
    workers: int = 0
    unreadable: int = 8

    def __post_init__(self):
        if not self.sources:
            raise InputError("data.sources is empty; name at least one data set")
        if self.height % 8 or self.width % 8 or min(self.height, self.width) < 16:
            raise InputError(f"data size {self.width}x{self.height} must be multiples of 8, at least 16")
        for name in ("flip", "keypoint_drop"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"data.{name}={getattr(self, name)} must be in 0..1")


@dataclass(frozen=True, kw_only=True)
class PhaseSection:
    """The alternation (paper): image_steps steps of phase (i), then video_steps of phase (ii), and again.

    Phase (i): `image_clips` clips, `image_frames` random frames of each (paper: one), TSA and PATA out of the graph.
    Phase (ii): `video_clips` clips, `video_frames` consecutive frames.  Clips are per process and micro-batch.
    image_groups, video_groups: which parameters learn (paper: PASA and CA; TSA and PATA). The pose encoder must learn
    somewhere and the paper does not say where: our default puts it into phase (i), which feeds PASA.
    """

    image_steps: int = 1
    video_steps: int = 1
    image_clips: int = 2
    image_frames: int = 1
    video_clips: int = 2
    video_frames: int = 24
    image_groups: tuple[str, ...] = ("pasa", "ca", "pose_encoder")
    video_groups: tuple[str, ...] = ("tsa", "pata")

    def __post_init__(self):
        if min(self.image_steps, self.video_steps) < 0 or self.image_steps + self.video_steps == 0:
            raise InputError(f"phases.image_steps={self.image_steps}, video_steps={self.video_steps}: one must be > 0")
        if min(self.image_clips, self.image_frames, self.video_clips) < 1:
            raise InputError("phases.image_clips, image_frames and video_clips must be at least 1")
        if self.video_frames < 2:
            raise InputError(
                f"phases.video_frames={self.video_frames} must be at least 2; for images set video_steps: 0"
            )
        for name in (*self.image_groups, *self.video_groups):
            if name not in GROUPS:
                raise InputError(f"parameter group {name!r} is not one of {', '.join(GROUPS)}")


@dataclass(frozen=True, kw_only=True)
class LossSection:
    """garment_drop: share of clips without garment, for guidance (not in the paper: 0.1).  weighting, snr_gamma: see
    losses.loss_weights.  timestep_bias: see losses.draw_timesteps.  background, channel_weights: see
    losses.denoising_loss (not in the paper; () = all channels alike).
    tra_weight: lambda (paper: 1e-3 on video, 0 on images).  tra_gamma, tra_layers: paper, 0.5 and the last two.
    correspondence_weight: of correspondence.correspondence_loss in the last correspondence_layers decoder layers, in
    both phases (not in the paper: 0, off); only the generated world knows where worn cloth lies on the garment."""

    garment_drop: float = 0.1
    weighting: str = "uniform"
    snr_gamma: float = 5.0
    timestep_bias: float = 1.0
    background: float = 1.0
    channel_weights: tuple[float, ...] = ()
    tra_weight: float = 1e-3
    tra_gamma: float = 0.5
    tra_layers: int = 2
    correspondence_weight: float = 0.0
    correspondence_layers: int = 4

    def __post_init__(self):
        if self.weighting not in WEIGHTINGS:
            raise InputError(f"loss.weighting {self.weighting!r} is not one of {', '.join(WEIGHTINGS)}")
        if any(w < 0 for w in self.channel_weights) or (self.channel_weights and not sum(self.channel_weights)):
            raise InputError(f"loss.channel_weights={self.channel_weights} must be >= 0, and not all of them 0")
        if not 0 <= self.garment_drop < 1:
            raise InputError(f"loss.garment_drop={self.garment_drop} must be in 0..1")


@dataclass(frozen=True, kw_only=True)
class OptimSection:
    """Adam at a constant 2e-5 (paper); the rest is not in the paper.  schedule: constant or cosine (to lr_end at the
    last step), after `warmup` steps.  clip: gradient norm, 0 = off.  accumulate: micro-batches a step.
    ema: decay of the averaged weights that are saved and used, 0 = off; rises as (1 + step) / (20 + step)."""

    name: str = "adamw"
    lr: float = 2e-5
    lr_end: float = 0.0
    schedule: str = "constant"
    warmup: int = 0
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    clip: float = 1.0
    accumulate: int = 1
    ema: float = 0.9999

    def __post_init__(self):
        if self.name not in ("adam", "adamw"):
            raise InputError(f"optim.name {self.name!r} is not one of adam, adamw")
        if self.schedule not in ("constant", "cosine"):
            raise InputError(f"optim.schedule {self.schedule!r} is not one of constant, cosine")
        if self.lr <= 0 or self.accumulate < 1 or not 0 <= self.ema < 1:
            raise InputError("optim: lr must be > 0, accumulate >= 1 and ema in 0..1")


@dataclass(frozen=True, kw_only=True)
class RunSection:
    """steps: optimiser steps in all (paper: 80,000).  checkpoint_minutes, keep: how often, and how many stay.
    max_skipped: non-finite steps in a row before the run stops.  validate_every: steps between validations, 0 = never.
    sample_steps, guidance: of the validation videos, and what the model file recommends.  trackers: names accelerate
    knows, for example tensorboard."""

    steps: int = 80_000
    seed: int = 0
    precision: str = "no"
    gradient_checkpointing: bool = False
    checkpoint_minutes: float = 10.0
    keep: int = 3
    max_skipped: int = 20
    log_every: int = 10
    validate_every: int = 1000
    validate_clips: int = 4
    validate_frames: int = 8
    sample_steps: int = 20
    guidance: float = 1.0
    trackers: tuple[str, ...] = ("tensorboard",)

    def __post_init__(self):
        if self.precision not in PRECISIONS:
            raise InputError(f"run.precision {self.precision!r} is not one of {', '.join(PRECISIONS)}")
        if self.steps < 1 or self.keep < 1 or self.max_skipped < 1 or self.log_every < 1:
            raise InputError("run.steps, keep, max_skipped and log_every must be at least 1")
        if self.checkpoint_minutes <= 0:
            raise InputError(f"run.checkpoint_minutes={self.checkpoint_minutes} must be positive")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """A whole run. `output` is its folder: checkpoints, logs, validation videos, model.safetensors."""

    output: str = "runs/dpidm"
    model: ModelSection = field(default_factory=ModelSection)
    data: DataSection = field(default_factory=DataSection)
    phases: PhaseSection = field(default_factory=PhaseSection)
    loss: LossSection = field(default_factory=LossSection)
    optim: OptimSection = field(default_factory=OptimSection)
    run: RunSection = field(default_factory=RunSection)

    def to_dict(self) -> dict:
        """Plain data; TrainConfig.from_dict gives the equal object back."""
        return to_plain(self)

    @classmethod
    def from_dict(cls, data: dict) -> "TrainConfig":
        """Checked; raises InputError naming the field."""
        return from_plain(cls, data)


def load_config(path: str | Path, assignments: list[str] | None = None) -> TrainConfig:
    """Read a YAML file, apply `section.field=value` assignments, check everything."""
    import yaml

    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f"no training configuration at {path}; see configs/ for examples")
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not YAML: {error}") from error
    if not isinstance(data, dict):
        raise InputError(f"{path} holds {type(data).__name__}; expected sections such as model:, data:, phases:")
    return TrainConfig.from_dict(override(data, assignments or []))


def save_config(config: TrainConfig, path: str | Path) -> None:
    """Write YAML that load_config reads back."""
    import yaml

    atomic_write_text(path, yaml.safe_dump(config.to_dict(), sort_keys=False))
