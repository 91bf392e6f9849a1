"""One training step's forward pass: conditions, prediction, losses. The module that DDP or FSDP wraps.

# B clips, F frames, C latent channels, H W latent rows/cols
"""

import torch
from diffusers import DDPMScheduler
from einops import rearrange
from torch import Tensor, nn

from ..config import ScheduleConfig
from ..errors import InputError
from ..network.conditions import TryOnConditions
from ..network.model import DPIDM
from .batch import Batch
from .config import LossSection
from .correspondence import correspondence_loss
from .losses import add_noise, denoising_loss, loss_weights, target
from .phases import VIDEO
from .tra import tra_loss


def alphas_cumprod(schedule: ScheduleConfig) -> Tensor:
    """The cumulative alphas (float64) of diffusers' own scheduler for this schedule."""
    betas = DDPMScheduler(
        num_train_timesteps=schedule.num_train_timesteps,
        beta_schedule=schedule.beta_schedule,  # pyright: ignore[reportArgumentType]
        beta_start=schedule.beta_start,
        beta_end=schedule.beta_end,
        rescale_betas_zero_snr=schedule.rescale_betas_zero_snr,
    ).betas
    return torch.cumprod(1 - betas.double(), 0)


def _channel_weights(loss: LossSection, channels: int) -> Tensor | None:
    """loss.channel_weights, scaled to mean 1; None where all count alike."""
    if not loss.channel_weights:
        return None
    if len(loss.channel_weights) != channels:
        raise InputError(f"loss.channel_weights has {len(loss.channel_weights)} numbers for {channels} latent channels")
    weights_C = torch.tensor(loss.channel_weights, dtype=torch.float32)
    return weights_C / weights_C.mean()


class TrainStep(nn.Module):
    """Batch -> losses. Gradients reach whatever parameters have them on (see phases.Trainable).

    every_gradient: parameters that a batch does not use get a gradient of zero instead of none. FSDP and DeepSpeed put
    the processes' gradients together without asking who has which.
    """

    def __init__(self, model: DPIDM, schedule: ScheduleConfig, loss: LossSection, *, every_gradient: bool = False):
        super().__init__()
        self.model, self.schedule, self.loss, self.every_gradient = model, schedule, loss, every_gradient
        self.register_buffer("alphas", alphas_cumprod(schedule).float(), persistent=False)
        self.channels_C: Tensor | None
        self.register_buffer("channels_C", _channel_weights(loss, model.config.latent_channels), persistent=False)

    def forward(self, batch: Batch, phase: str) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Returns (the loss to minimise, each clip's denoising loss (B,), the other losses before their weights).

        Clips whose garment is dropped go through the unconditional half, the others through the conditional one.
        """
        losses_B = torch.zeros(len(batch), device=batch.x0_BFCHW.device)
        others = {name: torch.zeros((), device=losses_B.device) for name in self._other_losses(phase)}
        for half, index_B in (("cond", ~batch.drop_B), ("uncond", batch.drop_B)):
            if bool(index_B.any()):
                part = batch.rows(index_B)
                layers = {n: self._layers(n, part) for n in others} if half == "cond" else {}
                tapped: dict[str, tuple[Tensor, Tensor]] = {}
                losses_B = losses_B.index_put((index_B,), self._denoise(part, half, phase, layers, tapped))
                for name, names in layers.items():
                    if names:
                        maps = [tapped[layer] for layer in names]
                        others[name] = others[name] + self._other(name, maps, part) * (len(part) / len(batch))
        loss = losses_B.mean() + sum(getattr(self.loss, f"{name}_weight") * value for name, value in others.items())
        if self.every_gradient and bool(batch.drop_B.all()):  # the conditional half uses all there are
            loss = loss + 0 * sum(p.flatten()[0] for p in self.parameters() if p.requires_grad)
        return loss, losses_B.detach(), {name: value.detach() for name, value in others.items()}

    def _other_losses(self, phase: str) -> list[str]:
        """Names of the losses on attention that this phase logs: fields of LossSection, less "_weight"."""
        return ["tra"] * (phase == VIDEO) + ["correspondence"] * (self.loss.correspondence_weight > 0)

    def _layers(self, name: str, batch: Batch) -> tuple[str, ...]:
        """The layers such a loss looks at; none where it has no weight or the batch does not know the truth."""
        if getattr(self.loss, f"{name}_weight") <= 0 or (name == "correspondence" and batch.origin_BF3HW is None):
            return ()
        count = getattr(self.loss, f"{name}_layers")
        return tuple(self.model.layer_names()[-count:]) if count else ()

    def _other(self, name: str, maps: list[tuple[Tensor, Tensor]], batch: Batch) -> Tensor:
        if name == "tra":
            return tra_loss(maps, gamma=self.loss.tra_gamma)
        assert batch.origin_BF3HW is not None
        return correspondence_loss(maps, batch.origin_BF3HW)

    def _denoise(self, batch: Batch, half: str, phase: str, layers: dict, tapped: dict) -> Tensor:
        """Each clip's loss (B,); fills `tapped` with the (q, k) of the layers named in the values of `layers`."""
        frames, schedule = batch.x0_BFCHW.shape[1], self.schedule
        alphas_B = self.alphas[batch.t_B]  # type: ignore[index]
        x_BFCHW = add_noise(batch.x0_BFCHW, batch.noise_BFCHW, alphas_B)
        wanted_layers = {layer for names in layers.values() for layer in names}

        def tap(name: str, q: Tensor, k: Tensor) -> None:
            if name in wanted_layers and name not in tapped:  # checkpointing runs layers again
                tapped[name] = tuple(rearrange(y, "(b f) n l d -> b f n l d", f=frames) for y in (q, k))

        prediction = self.model(
            x_BFCHW,
            batch.t_B,
            self.conditions(batch, garment=half == "cond"),
            half=half,
            temporal=phase == VIDEO,
            tap=tap if wanted_layers else None,
        )
        wanted = target(batch.x0_BFCHW, batch.noise_BFCHW, alphas_B, schedule.prediction_type)
        weights = loss_weights(alphas_B, schedule.prediction_type, self.loss.weighting, self.loss.snr_gamma)
        return denoising_loss(prediction, wanted, weights, batch.mask_BF1HW, self.loss.background, self.channels_C)

    def conditions(self, batch: Batch, *, garment: bool) -> TryOnConditions:
        """What the denoiser is conditioned on, made inside the graph so that their networks learn."""
        encoded = None
        if garment:
            encoded = self.model.encode_garment(batch.garment_BCHW, batch.garment_poses_B3HW, batch.clip_BE)
        return TryOnConditions(
            agnostic_BFCHW=batch.agnostic_BFCHW,
            mask_BF1HW=batch.mask_BF1HW,
            pose=self.model.encode_pose(batch.poses_BF3HW),
            garment=encoded,
        )
