"""The denoising loss: noising, targets and weights as plain functions of the cumulative alphas.

# B clips, F frames, C latent channels, H W latent rows/cols
"""

import torch
from einops import rearrange
from torch import Tensor

PREDICTIONS = ("epsilon", "v_prediction", "sample")
WEIGHTINGS = ("uniform", "min_snr", "truncated")


def per_clip(values_B: Tensor) -> Tensor:
    """(B,) -> (B, 1, 1, 1, 1), to scale (B, F, C, H, W)."""
    return rearrange(values_B, "b -> b 1 1 1 1")


def add_noise(x0_BFCHW: Tensor, noise_BFCHW: Tensor, alphas_B: Tensor) -> Tensor:
    """x_t = sqrt(a) x_0 + sqrt(1 - a) noise (arXiv 2006.11239, eq. 4).  alphas_B: cumulative alphas in [0, 1]."""
    return per_clip(alphas_B.sqrt()) * x0_BFCHW + per_clip((1 - alphas_B).sqrt()) * noise_BFCHW


def target(x0_BFCHW: Tensor, noise_BFCHW: Tensor, alphas_B: Tensor, prediction_type: str) -> Tensor:
    """What the network should say: the noise, v = sqrt(a) noise - sqrt(1 - a) x_0 (arXiv 2202.00512), or x_0."""
    if prediction_type == "epsilon":
        return noise_BFCHW
    if prediction_type == "v_prediction":
        return per_clip(alphas_B.sqrt()) * noise_BFCHW - per_clip((1 - alphas_B).sqrt()) * x0_BFCHW
    if prediction_type == "sample":
        return x0_BFCHW
    raise ValueError(f"prediction type {prediction_type!r} is not one of {', '.join(PREDICTIONS)}")


def to_sample(prediction_BFCHW: Tensor, x_BFCHW: Tensor, alphas_B: Tensor, prediction_type: str) -> Tensor:
    """The x_0 that a prediction stands for: the inverse of `target`. alphas_B must be > 0 for epsilon."""
    a, b = per_clip(alphas_B.sqrt()), per_clip((1 - alphas_B).sqrt())
    if prediction_type == "epsilon":
        return (x_BFCHW - b * prediction_BFCHW) / a
    if prediction_type == "v_prediction":
        return a * x_BFCHW - b * prediction_BFCHW
    return prediction_BFCHW


def loss_weights(alphas_B: Tensor, prediction_type: str, weighting: str, snr_gamma: float) -> Tensor:
    """The weight of each clip's squared error, (B,).

    uniform: 1.  min_snr: min(snr, gamma) on the x_0 error, expressed for the prediction type (arXiv 2303.09556).
    truncated: min(snr + 1, gamma) on the x_0 error: the v-prediction loss, cut where noise is low (what made training
    from scratch on sample prediction learn; not in the paper). A zero-SNR last step (a = 0) gives finite weights.
    """
    if weighting == "uniform":
        return torch.ones_like(alphas_B)
    snr = alphas_B / (1 - alphas_B).clamp(min=1e-8)
    on_x0 = {"min_snr": snr.clamp(max=snr_gamma), "truncated": (snr + 1).clamp(max=snr_gamma)}[weighting]
    # squared error of the prediction = squared x_0 error times snr (epsilon), snr + 1 (v) or 1 (x_0)
    per_error = {"epsilon": snr, "v_prediction": snr + 1, "sample": torch.ones_like(snr)}[prediction_type]
    return torch.where(per_error > 0, on_x0 / per_error.clamp(min=1e-8), torch.ones_like(snr))


def denoising_loss(
    prediction_BFCHW: Tensor,
    target_BFCHW: Tensor,
    weights_B: Tensor,
    mask_BF1HW: Tensor,
    background: float = 1.0,
    channels_C: Tensor | None = None,
) -> Tensor:
    """Weighted mean squared error of each clip, (B,) float32.

    background: weight of positions outside the agnostic mask relative to inside; 1 = the plain mean (the paper). Below
    1 a small network spends its capacity where it is used: outside the mask the source is pasted anyway.
    channels_C: weights of the latent channels, of mean 1; a VAE with whitened latents needs them, for there an error of
    one in the mean brightness of a patch counts as much as one in its finest pattern.
    """
    error = (prediction_BFCHW.float() - target_BFCHW.float()).square()
    if channels_C is not None:
        error = error * rearrange(channels_C, "c -> c 1 1")
    where = background + (1 - background) * mask_BF1HW.float()
    mean_B = (error * where).sum((1, 2, 3, 4)) / (where.sum((1, 2, 3, 4)) * error.shape[2])
    return mean_B * weights_B.float()


def draw_timesteps(uniform_B: Tensor, steps: int, bias: float = 1.0) -> Tensor:
    """Timesteps 0..steps-1 from uniform numbers in [0, 1): floor(steps * u^bias); bias < 1 favours noise."""
    return (steps * uniform_B.double() ** bias).long().clamp(0, steps - 1)
