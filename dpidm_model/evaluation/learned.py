"""Measures that need somebody's trained weights: LPIPS, FID, KID (torchmetrics), VFID (I3D, 3-D ResNeXt-101).

Nothing is downloaded: what is not on this machine is named and left out.  # F frames, H W pixel rows/columns
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from .statistics import frechet_distance

INCEPTION = "weights-inception-2015-12-05-6726825d.pth"
ALEXNET = "alexnet-owt-7be5be79.pth"
VFID_FILES = {"vfid_i": "i3d.pt", "vfid_r": "resnext-101.pt"}
VFID_FRAMES, VFID_SIDE = 10, 224
MIN_FRECHET = 10  # samples


def _hub(name: str) -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / name


class LearnedMeasures:
    """Collects results and truths clip by clip; `figures` gives what could be computed, `skipped` says what could not.

    weights: folder with i3d.pt and resnext-101.pt as TorchScript modules that take (N, 3, 10, 224, 224) in -1..1 and
    give features (N, D): the community's networks for VFID_I and VFID_R.
    """

    def __init__(self, weights: str | None = None):
        self.skipped: list[str] = []
        self._metrics: dict[str, Any] = {}
        self._lpips: list[float] = []
        self._features: dict[str, tuple[list[np.ndarray], list[np.ndarray]]] = {}
        self._networks: dict[str, Any] = {}
        self._load_images()
        self._load_videos(Path(weights) if weights else None)

    def _load_images(self) -> None:
        if not _hub(ALEXNET).is_file():
            self.skipped.append(f"lpips: needs torchvision's {ALEXNET} in {_hub('')}")
        else:
            from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

            self._metrics["lpips"] = LearnedPerceptualImagePatchSimilarity("alex")
        if importlib.util.find_spec("torch_fidelity") is None:
            self.skipped.append("fid, kid: need the package torch-fidelity; pip install torch-fidelity")
        elif not _hub(INCEPTION).is_file():
            self.skipped.append(f"fid, kid: need torch-fidelity's {INCEPTION} in {_hub('')}")
        else:
            from torchmetrics.image.fid import FrechetInceptionDistance
            from torchmetrics.image.kid import KernelInceptionDistance

            self._metrics["fid"] = FrechetInceptionDistance(2048)
            self._metrics["kid"] = KernelInceptionDistance(subset_size=50)

    def _load_videos(self, folder: Path | None) -> None:
        for name, file in VFID_FILES.items():
            if folder is None or not (folder / file).is_file():
                self.skipped.append(f"{name}: needs {file} as TorchScript in the folder given with --vfid-weights")
                continue
            self._networks[name] = torch.jit.load(str(folder / file), map_location="cpu").eval()
            self._features[name] = ([], [])

    @torch.no_grad()
    def add(self, result_FHW3: np.ndarray, real_FHW3: np.ndarray, paired: bool) -> None:
        """One clip: the result, and real frames (the truth where it is paired: LPIPS needs it)."""
        result, real = (rearrange(torch.from_numpy(x), "f h w c -> f c h w") for x in (result_FHW3, real_FHW3))
        if paired and "lpips" in self._metrics:
            scaled = [x.float() / 127.5 - 1 for x in (result, real)]
            self._lpips.append(float(self._metrics["lpips"](*scaled)))
        for name in ("fid", "kid"):
            if name in self._metrics:
                self._metrics[name].update(real, real=True)
                self._metrics[name].update(result, real=False)
        for name, network in self._networks.items():
            for store, clip in zip(self._features[name], (result, real), strict=True):
                store.extend(_video_features(network, clip))

    def figures(self) -> dict[str, float]:
        """name -> value; KID is multiplied by 1000 as papers print it."""
        figures: dict[str, float] = {}
        if self._lpips:
            figures["lpips"] = float(np.mean(self._lpips))
        if "fid" in self._metrics:
            figures["fid"] = self._enough("fid", lambda: float(self._metrics["fid"].compute()))
            figures["kid_x1000"] = self._enough("kid", lambda: 1000 * float(self._metrics["kid"].compute()[0]))
        for name, (results, reals) in self._features.items():
            if min(len(results), len(reals)) < MIN_FRECHET:
                self.skipped.append(
                    f"{name}: only {len(results)} pieces of {VFID_FRAMES} frames, {MIN_FRECHET} are needed"
                )
                continue
            figures[name] = frechet_distance(np.stack(results), np.stack(reals))
        return {k: v for k, v in figures.items() if np.isfinite(v)}

    def _enough(self, name: str, compute: Callable[[], float]) -> float:
        try:
            return compute()
        except (ValueError, RuntimeError) as error:  # torchmetrics, when there are too few pictures
            self.skipped.append(f"{name}: {error}")
            return float("nan")


def _video_features(network: Any, clip_FCHW: Tensor) -> list[np.ndarray]:
    """Features of each whole piece of VFID_FRAMES frames."""
    count = len(clip_FCHW) // VFID_FRAMES
    if not count:
        return []
    frames = clip_FCHW[: count * VFID_FRAMES].float() / 127.5 - 1
    frames = torch.nn.functional.interpolate(frames, (VFID_SIDE, VFID_SIDE), mode="bilinear", antialias=True)
    pieces = rearrange(frames, "(n t) c h w -> n c t h w", t=VFID_FRAMES)
    return [network(piece[None])[0].flatten().numpy() for piece in pieces]
