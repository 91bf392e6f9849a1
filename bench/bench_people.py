"""Poses and masks a second at 1080p, against rtmlib run frame by frame on the same random networks."""

import contextlib
import io
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from dpidm_model.frames.agnostic import MaskOptions, clip_masks
from dpidm_model.pose.detectors.dwpose import DWPose, DWPoseConfig
from tests.unit.pose.people import person, track
from tests.unit.pose.random_onnx import simcc, yolox

SIZE = (1920, 1080)
FRAMES = 24


def run() -> dict:
    """Figures: frames a second of both, their ratio, masks a second."""
    frames = [_scene(f) for f in range(FRAMES)]
    figures: dict = {"frames": FRAMES, "size": list(SIZE), "cpu_threads": cv2.getNumThreads()}
    with tempfile.TemporaryDirectory() as folder:
        files = yolox(Path(folder) / "y.onnx", blob=True), simcc(Path(folder) / "p.onnx")
        ours = DWPose(*files, DWPoseConfig())
        every = DWPose(*files, DWPoseConfig(detect_every=1))
        figures["people_per_frame"] = float(np.mean([len(p) for p in every.detect(frames).people]))
        figures["dwpose_seconds"] = _best(lambda: ours.detect(frames))
        figures["dwpose_every_frame_seconds"] = _best(lambda: every.detect(frames))
        figures["rtmlib_seconds"] = _best(_rtmlib(files, frames))
    figures["poses_per_second"] = round(FRAMES / figures["dwpose_seconds"], 2)
    figures["speedup_over_rtmlib"] = round(figures["rtmlib_seconds"] / figures["dwpose_seconds"], 2)
    figures["speedup_looking_at_every_frame"] = round(
        figures["rtmlib_seconds"] / figures["dwpose_every_frame_seconds"], 2
    )
    walk = track([person(700 + 5 * f, 250, 800) for f in range(FRAMES)], SIZE)
    figures["mask_seconds"] = _best(lambda: [None for _ in clip_masks(walk, SIZE, MaskOptions())])
    figures["masks_per_second"] = round(FRAMES / figures["mask_seconds"], 2)
    return figures


def _scene(frame: int) -> np.ndarray:
    """A bright person-sized thing that moves over grey; the random detector sees a few people in it."""
    picture = np.full((SIZE[1], SIZE[0], 3), 60, np.uint8)
    left = 700 + 5 * frame
    picture[250:950, left : left + 260] = (200, 180, 160)
    return cv2.GaussianBlur(picture, (0, 0), 9)


def _rtmlib(files: tuple[Path, Path], frames: list[np.ndarray]):
    """rtmlib's own two steps for each frame; people as DW-Pose counts them (at most ten)."""
    import rtmlib

    with contextlib.redirect_stdout(io.StringIO()):
        detector = rtmlib.YOLOX(str(files[0]), det_mode="multiclass", score_thr=0.3)
        pose = rtmlib.RTMPose(str(files[1]), model_input_size=(288, 384), to_openpose=True)

    def frame_by_frame() -> None:
        for frame in frames:
            picture = np.ascontiguousarray(frame[..., ::-1])
            boxes, classes = detector(picture)
            people = boxes[classes == 0][:10]
            if len(people):
                pose(picture, bboxes=people)

    return frame_by_frame


def _best(work, tries: int = 2) -> float:
    """Seconds of the fastest of a few runs."""
    times = []
    for _ in range(tries):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return round(min(times), 3)
