"""Validation during training: the loss at fixed noise, and videos sampled as users sample them.

# F frames, H W pixel rows/columns
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from ..config import ScheduleConfig
from ..evaluation.image import psnr, ssim
from ..files import atomic_path
from ..frames.contact_sheet import contact_sheet
from ..frames.video import write_frames
from ..handovers import PoseTrack
from ..network.model import DPIDM
from ..pose.pictures import garment_picture, pose_pictures
from ..sampling.guidance import Guidance
from ..sampling.latents import from_network
from ..sampling.poses import PoseClip
from ..sampling.sampler import SamplerConfig
from ..sampling.tryon import Place, TryOnInputs, sample_tryon
from .batch import Batch, Encoder, agnostic
from .config import TrainConfig
from .data.base import Clip, ClipSet
from .data.samples import Sample
from .phases import IMAGE, VIDEO
from .step import TrainStep

FPS = 8.0  # of the validation videos
LEVELS = (0.95, 0.8, 0.6, 0.35)  # of the timesteps; clip i is measured at level i % 4


def plain_sample(clip: Clip, uniform: float = 0.5, seed: int = 0) -> Sample:
    """A clip as it is: nothing dropped, nothing mirrored."""
    size = (clip.frames_FHW3.shape[2], clip.frames_FHW3.shape[1])
    return Sample(
        clip=clip,
        poses_F3HW=pose_pictures(clip.pose, size),
        garment_pose_3HW=garment_picture(clip.landmarks, size)[0],
        uniform=uniform,
        drop=False,
        noise_seed=seed,
        frames=tuple(range(len(clip.frames_FHW3))),
        flipped=False,
    )


@torch.no_grad()
def dress(
    model: DPIDM,
    schedule: ScheduleConfig,
    batch: Batch,
    poses: PoseTrack,
    *,
    steps: int,
    guidance: float,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Sample the one clip of `batch` (its poses: `poses`) with the project's sampler; VAE latents (F, C, H, W)."""
    config, (height, width) = model.config, batch.poses_BF3HW.shape[-2:]
    inputs = TryOnInputs(
        agnostic_FCHW=from_network(batch.agnostic_BFCHW[0], config).cpu(),
        mask_FYX=batch.mask_BF1HW[0, :, 0].cpu(),
        garment_1CHW=from_network(batch.garment_BCHW, config).cpu(),
        poses=PoseClip(poses, (width, height)),
        garment_image_B3YX=batch.garment_poses_B3HW,
        clip_1E=batch.clip_BE,
    )
    sampler = SamplerConfig(steps=steps, seed=seed, guidance=Guidance(cfg=guidance))
    return sample_tryon(model, schedule, inputs, sampler, Place(device=torch.device(device)))


def to_pictures(decode: Callable[[Tensor], Tensor], latents_FCHW: Tensor, device: torch.device | str) -> np.ndarray:
    """VAE latents -> uint8 (F, H, W, 3)."""
    with torch.no_grad():
        images = torch.cat([decode(x.to(device)).cpu() for x in latents_FCHW.split(8)])
    return (images.permute(0, 2, 3, 1) * 255).round().clamp(0, 255).to(torch.uint8).numpy()


def through_vae(
    decode: Callable[[Tensor], Tensor], batch: Batch, model: DPIDM, device: torch.device | str
) -> np.ndarray:
    """The true frames of the one clip of `batch` as the autoencoder gives them back: what no network can exceed."""
    return to_pictures(decode, from_network(batch.x0_BFCHW[0], model.config), device)


def paste(result_FHW3: np.ndarray, clip: Clip) -> np.ndarray:
    """The result inside the mask, the source outside: what a user gets."""
    return np.where(clip.mask_FHW[..., None] > 127, result_FHW3, agnostic(clip.frames_FHW3, clip.mask_FHW))


class Validation:
    """Clips 0..n-1 of the validation set, the same every time."""

    def __init__(
        self,
        config: TrainConfig,
        clips: ClipSet,
        encoder: Encoder,
        decode: Callable[[Tensor], Tensor],
        schedule: ScheduleConfig,
        folder: Path,
    ):
        self.config, self.clips, self.encoder, self.decode = config, clips, encoder, decode
        self.schedule, self.folder = schedule, folder
        self.count = min(config.run.validate_clips, len(clips))

    def run(self, model: DPIDM, step: int) -> tuple[dict[str, float], np.ndarray]:
        """Figures (loss, loss/level*, psnr_in_mask, ssim) and contact sheets (N, H, W, 3).

        Sheets are saved as PNG, and each clip as a video: the truth on the left, the result on the right.
        """
        samples = [plain_sample(self._read(i), seed=i) for i in range(self.count)]
        figures = self._losses(model, samples)
        sheets, psnrs, ssims = [], [], []
        for index, sample in enumerate(samples):
            result = paste(self._sample(model, sample), sample.clip)
            psnrs.append(psnr(result, sample.clip.frames_FHW3, sample.clip.mask_FHW))
            ssims += [ssim(a, b) for a, b in zip(result, sample.clip.frames_FHW3)]
            sheets.append(self._sheet(sample, result, f"step {step}  {sample.clip.name}"))
            name = f"validation/step-{step:08d}-{index}"
            self._save(sheets[-1], f"{name}.png")
            both = np.concatenate([sample.clip.frames_FHW3, result], 2)
            write_frames(self.folder / f"{name}.mp4", both, FPS)
        figures |= {"psnr_in_mask": float(np.mean(psnrs)), "ssim": float(np.mean(ssims))}
        return figures, _same_size(sheets)

    def _read(self, index: int) -> Clip:
        frames = min(self.config.run.validate_frames, self.clips.frames_of(index))
        return self.clips.read(index, list(range(frames)))

    @torch.no_grad()
    def _losses(self, model: DPIDM, samples: Sequence[Sample]) -> dict[str, float]:
        measure = TrainStep(model, self.schedule, replace(self.config.loss, tra_weight=0.0)).to(self.encoder.device)
        values: dict[str, list[float]] = {}
        for index, sample in enumerate(samples):
            level = LEVELS[index % len(LEVELS)]
            batch = self.encoder.batch([sample])
            t = torch.full_like(batch.t_B, int(level * self.schedule.num_train_timesteps))
            phase = VIDEO if len(sample.frames) > 1 and model.config.temporal != "none" else IMAGE
            loss = float(measure(replace(batch, t_B=t), phase)[0])
            values.setdefault("loss", []).append(loss)
            values.setdefault(f"loss/t{level}", []).append(loss)
        return {name: float(np.mean(v)) for name, v in values.items()}

    def _sample(self, model: DPIDM, sample: Sample) -> np.ndarray:
        run = self.config.run
        batch = self.encoder.batch([sample])
        latents = dress(
            model,
            self.schedule,
            batch,
            sample.clip.pose,
            steps=run.sample_steps,
            guidance=run.guidance,
            device=self.encoder.device,
        )
        return to_pictures(self.decode, latents, self.encoder.device)

    def _sheet(self, sample: Sample, result_FHW3: np.ndarray, title: str) -> np.ndarray:
        clip = sample.clip
        rows = {
            "truth": clip.frames_FHW3 / np.float32(255),
            "agnostic": agnostic(clip.frames_FHW3, clip.mask_FHW) / np.float32(255),
            "pose": sample.poses_F3HW.permute(0, 2, 3, 1).numpy(),
            "result": result_FHW3 / np.float32(255),
        }
        return contact_sheet(clip.garment_HW3 / np.float32(255), rows, title=title)

    def _save(self, picture_HW3: np.ndarray, name: str) -> None:
        with atomic_path(self.folder / name) as temporary:
            cv2.imwrite(str(temporary), picture_HW3[:, :, ::-1])


def _same_size(pictures: list[np.ndarray]) -> np.ndarray:
    height, width = (max(p.shape[axis] for p in pictures) for axis in (0, 1))
    padded = [np.pad(p, [(0, height - p.shape[0]), (0, width - p.shape[1]), (0, 0)]) for p in pictures]
    return np.stack(padded)
