"""The host's side of a run: progress bar with previews, log lines, Cancel. Imported inside `execute` only."""

import logging
import time
from collections.abc import Callable

import torch
from PIL.Image import Image
from torch import Tensor

from ..dpidm_model import vae
from ..dpidm_model.sampling.watch import Progress, Watcher
from . import host

log = logging.getLogger(__name__)

SECONDS_BETWEEN_PREVIEWS = 0.5
SECONDS_BETWEEN_LOGS = 10.0


class NodeWatcher(Watcher):
    """Shows a run in the host. channels: of the latents; preview: whether to show the frame being made."""

    def __init__(self, channels: int, preview: bool):
        self._picture = picture_maker(channels) if preview else None
        self._bar: host.Progress | None = None
        self._previewed = self._logged = 0.0

    def check(self) -> None:
        host.check_interrupt()

    def report(self, progress: Progress) -> None:
        self._bar = self._bar or host.Progress(progress.total)
        now, last = time.monotonic(), progress.done == progress.total
        picture, due = None, now - self._previewed > SECONDS_BETWEEN_PREVIEWS
        if self._picture and progress.clean_CHW is not None and (due or last):
            picture, self._previewed = self._picture(progress.clean_CHW), now
        if now - self._logged > SECONDS_BETWEEN_LOGS or last:
            log.info("DPIDM Video Sampler: %s", progress)
            self._logged = now
        self._bar.step(progress.done, picture)

    def release(self) -> None:
        host.empty_cache()


def picture_maker(channels: int) -> Callable[[Tensor], Image] | None:
    """Turns one latent (C, H, W), in the model's scaling, into a picture; None for latents nobody can look into.

    Four channels: as the host previews SD 1.5. Otherwise the small VAE that comes with the pack, if it fits.
    """
    if channels == 4:
        return host.sd15_picture()
    network = shipped_vae(channels)
    if network is None:
        return None
    return lambda latent_CHW: host.to_picture(vae.decode(network, latent_CHW[None].float().cpu())[0])


def shipped_vae(channels: int):
    """The small VAE that comes with the pack, or None if it has another number of channels."""
    path = host.SHIPPED_WEIGHTS / "vae" / "dpidm-tiny-vae.safetensors"
    if channels != vae.LATENT_CHANNELS or not path.is_file():
        return None
    return vae.load_vae(path)[0]


@torch.no_grad()
def latent_rgb(channels: int) -> tuple[list, list] | None:
    """The host's linear preview of our VAE's latents, ([channels][3] factors, [3] bias) for -1..1, or None.

    How the mean colour of a flat picture changes with each channel.
    """
    network = shipped_vae(channels)
    if network is None:
        return None
    steps_CCHW = torch.eye(channels)[:, :, None, None].expand(-1, -1, 4, 4)
    up, down = (vae.decode(network, sign * steps_CCHW).mean((2, 3)) * 2 - 1 for sign in (1, -1))
    bias = vae.decode(network, torch.zeros(1, channels, 4, 4)).mean((0, 2, 3)) * 2 - 1
    return ((up - down) / 2).tolist(), bias.tolist()
