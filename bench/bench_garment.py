"""Garments: rendered pictures, landmark detection and preview frames per second, in CPU time of one thread."""

import time
from collections.abc import Callable

import cv2
import numpy as np
import torch

from dpidm_model.garment.detector import detect
from dpidm_model.garment.network import GarmentNet
from dpidm_model.garment.preview import GarmentPreview
from dpidm_model.garment.renderer import render_garment
from dpidm_model.garment.silhouette import silhouette_landmarks
from dpidm_model.handovers import BODY_NAMES, DETECTED, JOINTS, PoseTrack

STANDING = {
    "nose": (0.5, 0.12), "neck": (0.5, 0.2), "r_shoulder": (0.39, 0.21), "r_elbow": (0.35, 0.36),
    "r_wrist": (0.33, 0.49), "l_shoulder": (0.61, 0.21), "l_elbow": (0.65, 0.36), "l_wrist": (0.67, 0.49),
    "r_hip": (0.43, 0.47), "r_knee": (0.42, 0.68), "r_ankle": (0.41, 0.88), "l_hip": (0.57, 0.47),
    "l_knee": (0.58, 0.68), "l_ankle": (0.59, 0.88),
}  # fmt: skip


def _per_second(work: Callable[[int], object], count: int) -> tuple[float, float]:
    """Calls a second of CPU time, and the CPU seconds they took; the first call is not counted."""
    work(0)
    start = time.process_time()
    for i in range(1, count + 1):
        work(i)
    seconds = time.process_time() - start
    return count / seconds, seconds


def _person(frames: int, size: tuple[int, int]) -> PoseTrack:
    keypoints = np.zeros((frames, JOINTS, 3), np.float32)
    sway = 0.02 * np.sin(np.arange(frames) / 3)
    for name, (x, y) in STANDING.items():
        j = BODY_NAMES.index(name)
        keypoints[:, j, 0], keypoints[:, j, 1], keypoints[:, j, 2] = (x + sway) * size[0], y * size[1], 1
    return PoseTrack(keypoints, size, np.full(frames, DETECTED, np.uint8))


def run() -> dict:
    """Figures of one thread; ratios are of figures of this run."""
    threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        rendered, render_s = _per_second(lambda i: render_garment(i, (256, 256)), 60)
        photo = render_garment(3, (768, 1024), kind="longsleeve", clean=True)
        net = GarmentNet().eval()
        detected, detect_s = _per_second(lambda i: detect(photo.image_HW3, net=net), 15)
        outlined, _ = _per_second(lambda i: silhouette_landmarks(photo.image_HW3), 15)
        size = (384, 512)
        preview = GarmentPreview(photo.image_HW3, photo.mask_HW, photo.landmarks, _person(31, size))
        frame = np.full((size[1], size[0], 3), 120, np.uint8)
        shown, preview_s = _per_second(lambda i: preview.frame(i, frame), 30)
    finally:
        torch.set_num_threads(threads[0])
        cv2.setNumThreads(threads[1])
    return {
        "rendered_256_per_s": rendered,
        "detect_ms": 1000 / detected,
        "preview_512_fps": shown,
        "detect_over_outline_time": outlined / detected,
        "parameters": sum(p.numel() for p in net.parameters()),
        "render_s": render_s,
        "detect_s": detect_s,
        "preview_s": preview_s,
    }
