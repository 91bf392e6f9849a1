"""Small real networks and inputs for the sampler's tests. F frames, C channels, H W latent rows/columns."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from dpidm_model.checkpoint.file import build_model
from dpidm_model.config import DPIDMConfig, ScheduleConfig
from dpidm_model.handovers import DETECTED, JOINTS, PoseTrack
from dpidm_model.network.model import DPIDM
from dpidm_model.sampling.denoise import Place
from dpidm_model.sampling.poses import PoseClip
from dpidm_model.sampling.sampler import SamplerConfig
from dpidm_model.sampling.tryon import TryOnInputs, sample_tryon
from dpidm_model.sampling.windows import WindowConfig

H, W, C = 6, 5, 4
V_ZERO_SNR = ScheduleConfig(prediction_type="v_prediction", rescale_betas_zero_snr=True, timestep_spacing="trailing")
SCHEDULES = {
    "epsilon": ScheduleConfig(),
    "v": ScheduleConfig(prediction_type="v_prediction"),
    "zero-snr": V_ZERO_SNR,
    "sample": ScheduleConfig(
        prediction_type="sample", rescale_betas_zero_snr=True, timestep_spacing="trailing", set_alpha_to_one=True
    ),
}
SMALL = {
    "latent_scale": 0.5,
    "latent_shift": 0.1,
    "block_out_channels": (16, 32),
    "attention_levels": (True, True),
    "heads": (2, 2),
    "layers_per_block": 1,
    "norm_groups": 8,
    "cross_attention_dim": 12,
    "pose_channels": 16,
    "adapter_bottleneck": 8,
    "adapter_init": "random",
    "temporal_heads": 2,
    "temporal_norm_groups": 8,
}


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    torch.set_num_threads(1)


@dataclass
class Setup:
    """A network with random weights (its zero-initialised layers too) and random inputs."""

    network: DPIDM
    inputs: TryOnInputs
    schedule: ScheduleConfig = V_ZERO_SNR

    def run(self, config: SamplerConfig, inputs: TryOnInputs | None = None, batch: int = 1, **options) -> torch.Tensor:
        place = Place(device=torch.device("cpu"), batch=batch)
        return sample_tryon(self.network, self.schedule, inputs or self.inputs, config, place, **options)


def small_network(**changes) -> DPIDM:
    network = build_model(DPIDMConfig(**{**SMALL, **changes}), seed=1)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for weight in network.parameters():
            if not weight.any():
                weight.add_(torch.randn(weight.shape, generator=generator) * 0.05)
    return network


def make_inputs(network: DPIDM, frames: int, seed: int = 0, constant: bool = False) -> TryOnInputs:
    generator = torch.Generator().manual_seed(seed)

    def random(count: int, *shape: int) -> torch.Tensor:
        values = torch.rand(1 if constant else count, *shape, generator=generator)
        return values.expand(count, *shape).clone()

    joints_FK3 = random(frames, JOINTS, 3) * torch.tensor([W * 8.0, H * 8.0, 1])
    joints_FK3[:, 18:] = 0
    track = PoseTrack(joints_FK3.numpy(), (W * 8, H * 8), np.full(frames, DETECTED, np.uint8))
    return TryOnInputs(
        agnostic_FCHW=random(frames, C, H, W) * 4 - 2,
        mask_FYX=random(frames, H * 8, W * 8).round(),
        garment_1CHW=random(1, C, H, W) * 4 - 2,
        poses=PoseClip(track, (W * 8, H * 8)),
        garment_image_B3YX=random(1, 3, H * 8, W * 8),
        clip_1E=random(1, 12),
    )


@pytest.fixture(scope="session")
def network() -> DPIDM:
    return small_network()


@pytest.fixture(scope="session")
def setup(network) -> Setup:
    """12 frames: with windows of 5 and overlap 2, four windows (from frames 0, 3, 6, 7)."""
    return Setup(network, make_inputs(network, 12))


@pytest.fixture(scope="session")
def windows() -> WindowConfig:
    return WindowConfig(length=5, overlap=2)
