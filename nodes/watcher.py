"""The host's side of a run: progress bar with previews, log lines, Cancel. Imported inside `execute` only."""

import logging
import time
from collections.abc import Callable

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
    path = host.SHIPPED_WEIGHTS / "vae" / "dpidm-tiny-vae.safetensors"
    if channels != vae.LATENT_CHANNELS or not path.is_file():
        return None
    network, _ = vae.load_vae(path)
    return lambda latent_CHW: host.to_picture(vae.decode(network, latent_CHW[None].float().cpu())[0])
