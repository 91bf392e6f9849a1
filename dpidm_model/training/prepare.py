"""Filling in what a published data set lacks: poses, garment landmarks, masks, cached latents. Resumable, atomic.

# F frames, H W pixel rows/columns
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from ..errors import DPIDMError, InputError
from .data.entries import Entry, count_frames, read_frames, read_picture, read_pose
from .data.prepared import write_landmarks, write_mask, write_pose


class NoStageError(DPIDMError):
    """What a stage needs for every clip is not here."""


STAGES = ("poses", "garments", "masks", "latents")
CHUNK = 32  # frames read at a time


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to make.  stages: of STAGES.  backend: pose backend (see dpidm_model.pose.human).  models: folder whose
    sub-folders blazepose, dwpose, openpose hold the backends' files.  width, height, vae, latent_channels: of latents.
    """

    stages: tuple[str, ...] = ("poses", "garments", "masks")
    backend: str = "auto"
    models: str = "models"
    width: int = 384
    height: int = 512
    vae: str = "tiny"
    latent_channels: int = 16

    def __post_init__(self):
        for stage in self.stages:
            if stage not in STAGES:
                raise InputError(f"stage {stage!r} is not one of {', '.join(STAGES)}")


def missing(entry: Entry, stage: str, options: Options) -> bool:
    """Whether a stage still has work for a clip."""
    if entry.prepared is None:
        raise InputError(f"{entry.name}: no folder for prepared files is configured")
    if stage == "poses":
        return not entry.pose and not (entry.prepared / "pose.npz").is_file()
    if stage == "masks":
        return entry.mask is None and not (entry.prepared / "mask.npz").is_file()
    if stage == "garments":
        return not (entry.prepared / "garment.json").is_file()
    from .data.latents import latents_path

    return not latents_path(entry.prepared, (options.width, options.height)).is_file()


def prepare(
    entries: Iterable[Entry], options: Options, *, workers: int = 1, say: Callable[[str], None] = lambda line: None
) -> dict:
    """Run the stages over all clips, clip by clip; what exists is left alone, so a stopped run goes on where it was.

    A clip that cannot be prepared is reported and passed over. Returns counts and the failures.
    Raises NoStageError when a stage's own models are missing, for then every clip would fail.
    """
    entries = list(entries)
    todo = [e for e in entries if any(missing(e, stage, options) for stage in options.stages)]
    say(f"{len(entries)} clips, {len(entries) - len(todo)} complete, {len(todo)} to do")
    failures: dict[str, str] = {}
    for number, (entry, error) in enumerate(_run(todo, options, workers), 1):
        if error:
            failures[entry.name] = error
        say(f"{number}/{len(todo)} {entry.name}" + (f": {error}" if error else ""))
    done = len(todo) - len(failures)
    return {"clips": len(entries), "prepared": done, "complete_before": len(entries) - len(todo), "failed": failures}


def _run(todo: list[Entry], options: Options, workers: int) -> Iterator[tuple[Entry, str]]:
    if workers <= 1:
        stages = _Stages(options)
        for entry in todo:
            yield entry, stages.prepare(entry)
        return
    spawn = get_context("spawn")  # a forked copy of a process with threads may hang
    with ProcessPoolExecutor(workers, spawn, initializer=_start_worker, initargs=(options,)) as pool:
        jobs = {pool.submit(_prepare_in_worker, entry): entry for entry in todo}
        for job in as_completed(jobs):
            yield jobs[job], job.result()


class _Stages:
    """The stages with their networks, loaded when first needed and kept."""

    def __init__(self, options: Options):
        self.options = options
        self._detector = None
        self._encode: Callable | None = None

    def prepare(self, entry: Entry) -> str:
        """Run the missing stages of a clip; returns an error message or ''."""
        try:
            for stage in STAGES:
                if stage in self.options.stages and missing(entry, stage, self.options):
                    getattr(self, f"_{stage}")(entry)
        except NoStageError:
            raise
        except (DPIDMError, OSError) as error:
            return str(error)
        return ""

    def _poses(self, entry: Entry) -> None:
        from ..pose.human import Places, make_detector
        from ..pose.tracks import clean, follow

        if self._detector is None:
            folders = {name: (Path(self.options.models) / name,) for name in ("blazepose", "dwpose", "openpose")}
            try:
                _, self._detector = make_detector(self.options.backend, Places(**folders))
            except DPIDMError as error:
                raise NoStageError(f"no clip's poses can be found: {error}") from error
        assert entry.prepared is not None
        write_pose(entry.prepared, clean(follow(self._detector.detect(_all_frames(entry)))))

    def _garments(self, entry: Entry) -> None:
        from ..garment.detect import read_garment

        assert entry.prepared is not None
        reading = read_garment(read_picture(entry.garment), category=entry.category)
        rows, columns = np.where(reading.mask_HW > 127)
        box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) if len(rows) else None
        write_landmarks(entry.prepared, reading.landmarks, box)

    def _masks(self, entry: Entry) -> None:
        from ..frames.agnostic import MaskOptions, clip_masks

        assert entry.prepared is not None
        first = read_frames(entry.frames, [0])
        size = (first.shape[2], first.shape[1])
        track = read_pose(entry, list(range(count_frames(entry.frames))), size)
        masks = clip_masks(track, size, MaskOptions(category=entry.category))
        write_mask(entry.prepared, np.stack([(m * 255).astype(np.uint8) for m in masks]))

    def _latents(self, entry: Entry) -> None:
        import torch

        from .build import fixed_vae
        from .data.latents import write_latents

        options = self.options
        device = "cuda" if torch.cuda.is_available() else "cpu"
        if self._encode is None:
            try:
                self._encode, _ = fixed_vae(options.vae, options.latent_channels, device)
            except DPIDMError as error:
                raise NoStageError(f"no clip's latents can be made: {error}") from error
        write_latents(entry, (options.width, options.height), self._encode, device, options.vae)


_stages: _Stages | None = None


def _start_worker(options: Options) -> None:
    global _stages
    import cv2
    import torch

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    _stages = _Stages(options)


def _prepare_in_worker(entry: Entry) -> str:
    assert _stages is not None
    return _stages.prepare(entry)


def _all_frames(entry: Entry) -> Iterator[np.ndarray]:
    """All frames of a clip, a chunk in memory at a time."""
    count = count_frames(entry.frames)
    for start in range(0, count, CHUNK):
        yield from read_frames(entry.frames, list(range(start, min(start + CHUNK, count))))
