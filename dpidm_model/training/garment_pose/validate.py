"""Scores on generated validation pictures, and a sheet of them to look at."""

from pathlib import Path

import cv2
import numpy as np
import torch

from ...files import atomic_path
from ...garment.decode import decode, to_tensor
from ...garment.network import GarmentNet
from ...pose.draw import draw_pose
from .data import VALIDATION_SEED, generate, to_sample

BATCH = 32
SHEET = 32


@torch.no_grad()
def validate(net: GarmentNet, count: int, sheet: Path | None = None) -> dict[str, float]:
    """pck05 and mean error (of the larger side of the labelled points' box), presence, category, single accuracy."""
    net.eval()
    size = net.config.input_size
    device = next(net.parameters()).device
    errors, presence, category, single, pictures = [], [], [], [], []
    for start in range(0, count, BATCH):
        samples = [
            to_sample(generate(VALIDATION_SEED + i, size), None, size) for i in range(start, min(count, start + BATCH))
        ]
        read = decode(net(to_tensor(np.stack([s["image"] for s in samples])).to(device)))
        for sample, found in zip(samples, read):
            single.append((found.single > 0.5) == (sample["single"] > 0.5))
            if sample["single"] < 0.5:
                continue
            there = sample["visibility"] > 0
            side = max(float(np.ptp(sample["points"][there], axis=0).max()), 1.0)
            errors += list(np.linalg.norm(found.points_K2 - sample["points"], axis=1)[there] / side)
            presence += list((found.presence_K > 0.5) == there)
            category.append(int(found.category_3.argmax()) == int(sample["category"]))
            if len(pictures) < SHEET:
                pictures.append(_overlay(sample["image"], found.points_K2, found.presence_K))
    if sheet is not None and pictures:
        rows = [np.hstack(pictures[i : i + 8]) for i in range(0, len(pictures) - 7, 8)]
        with atomic_path(sheet) as temporary:
            cv2.imwrite(str(temporary), np.vstack(rows or pictures[:1])[..., ::-1])
    e = np.array(errors)
    return {
        "pck05": float((e < 0.05).mean()),
        "mean_err": float(e.mean()),
        "presence_acc": float(np.mean(presence)),
        "category_acc": float(np.mean(category)),
        "single_acc": float(np.mean(single)),
    }


def _overlay(image_HW3: np.ndarray, points_K2: np.ndarray, presence_K: np.ndarray) -> np.ndarray:
    h, w = image_HW3.shape[:2]
    keypoints = np.zeros((18, 3), np.float32)
    keypoints[1:14, :2], keypoints[1:14, 2] = points_K2, presence_K > 0.5
    bones = draw_pose(keypoints, (w, h), (w, h), half_width=1.5)
    return np.where(bones.any(2, keepdims=True), bones, image_HW3)
