"""A start for the small VAE with colour from step 0: the encoder is a patch PCA, the decoder paints patch means.

AutoencoderTiny trained from its ordinary random start stays colour-blind for a long while (measured: still grey after
1,000 steps of 8 crops). Its layers can express a PCA of 8x8 patches exactly: stride-2 convolutions that move pixels
into channels, residual blocks that start as the identity on positive values, and pairs of channels for plus and minus.
N patches, C channels.
"""

from collections.abc import Iterator

import numpy as np
import torch
from diffusers import AutoencoderTiny
from einops import rearrange
from torch import Tensor, nn

PATCH = 8
COLOURS = 3


@torch.no_grad()
def start_from_pca(vae: AutoencoderTiny, images: Iterator[Tensor], seed: int = 0) -> None:
    """Set the weights of `vae` in place.  images: batches (B, 3, H, W) in 0..1 that the PCA is taken of.

    seed: of the small random weights that are neither PCA nor zero.
    """
    mean_C, basis_CK, std_K = patch_pca(images, latent_channels=_latent_channels(vae))
    for module in vae.modules():
        if type(module).__name__ == "AutoencoderTinyBlock":
            last = module.get_submodule("conv")[-1]  # type: ignore[index]
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        _encoder(vae.encoder.layers, mean_C, basis_CK / std_K)
        _decoder(vae.decoder.layers, mean_C, basis_CK * std_K)


def patch_pca(images: Iterator[Tensor], latent_channels: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mean (192,), the first directions (192, K) and their standard deviations (K,) of 8x8 patches.

    A patch's 192 numbers are ordered as three stride-2 convolutions stack them: (y2 x2 (y1 x1 (y0 x0 colour))).
    """
    patches_NC = torch.cat([_patches(batch) for batch in images]).double().numpy()
    mean_C = patches_NC.mean(0)
    values, vectors = np.linalg.eigh(np.cov(patches_NC, rowvar=False))
    order = np.argsort(values)[::-1][:latent_channels]
    as_tensor = lambda x: torch.from_numpy(np.ascontiguousarray(x)).float()  # noqa: E731
    return as_tensor(mean_C), as_tensor(vectors[:, order]), as_tensor(np.sqrt(values[order]))


def _patches(images_BCHW: Tensor) -> Tensor:
    pattern = "b c (h y2 y1 y0) (w x2 x1 x0) -> (b h w) (y2 x2 y1 x1 y0 x0 c)"
    return rearrange(images_BCHW, pattern, y2=2, y1=2, y0=2, x2=2, x1=2, x0=2)


def _latent_channels(vae: AutoencoderTiny) -> int:
    return vae.encoder.layers[-1].out_channels  # pyright: ignore[reportReturnType]


def _encoder(layers: nn.Sequential, mean_C: Tensor, project_CK: Tensor) -> None:
    first, *downs, last = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    _copy_channels(first, COLOURS)
    _space_to_depth(downs[0], COLOURS)
    _space_to_depth(downs[1], COLOURS * 4)
    # third: the 2x2 neighbourhood of 48 channels to +- each direction
    latent = project_CK.shape[1]
    taps = rearrange(project_CK, "(y x c) k -> k c y x", y=2, x=2)
    nn.init.normal_(downs[2].weight, std=0.02)
    downs[2].weight[: 2 * latent] = 0
    downs[2].weight[:latent, : taps.shape[1], 1:, 1:] = taps
    downs[2].weight[latent : 2 * latent, : taps.shape[1], 1:, 1:] = -taps
    _join_pairs(last, latent)
    _set_bias(last, -mean_C @ project_CK)


def _decoder(layers: nn.Sequential, mean_C: Tensor, paint_CK: Tensor) -> None:
    first, *ups, last = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    latent = paint_CK.shape[1]
    nn.init.normal_(first.weight, std=0.1)
    first.weight[: 2 * latent] = 0
    _set_bias(first, torch.zeros(first.out_channels))
    for index in range(latent):
        first.weight[index, index, 1, 1] = 1
        first.weight[latent + index, index, 1, 1] = -1
    for up in ups:
        nn.init.normal_(up.weight, std=0.02)
        up.weight[: 2 * latent] = 0
        for index in range(2 * latent):
            up.weight[index, index, 1, 1] = 1
    # each patch in its mean colour
    colour_3K = rearrange(paint_CK, "(p c) k -> c k p", c=COLOURS).mean(-1)
    nn.init.normal_(last.weight, std=0.001)
    last.weight[:, : 2 * latent] = 0
    last.weight[:, :latent, 1, 1] = colour_3K
    last.weight[:, latent : 2 * latent, 1, 1] = -colour_3K
    _set_bias(last, rearrange(mean_C, "(p c) -> c p", c=COLOURS).mean(-1))


def _set_bias(conv: nn.Conv2d, value_C: Tensor) -> None:
    if conv.bias is not None:
        conv.bias.copy_(value_C)


def _copy_channels(conv: nn.Conv2d, channels: int) -> None:
    """The first `channels` outputs are the inputs; the others keep a random start."""
    conv.weight[:channels] = 0
    conv.bias[:channels] = 0  # pyright: ignore[reportOptionalSubscript]
    for index in range(channels):
        conv.weight[index, index, 1, 1] = 1


def _space_to_depth(conv: nn.Conv2d, channels: int) -> None:
    """Output (y x c): the pixel at (y, x) of each 2x2 square; the others keep a random start."""
    conv.weight[: 4 * channels] = 0
    for index in range(4 * channels):
        y, x, c = index // (2 * channels), index // channels % 2, index % channels
        conv.weight[index, c, 1 + y, 1 + x] = 1


def _join_pairs(conv: nn.Conv2d, latent: int) -> None:
    conv.weight.zero_()
    for index in range(latent):
        conv.weight[index, index, 1, 1] = 1
        conv.weight[index, latent + index, 1, 1] = -1
