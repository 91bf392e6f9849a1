"""Small data sets in each published layout, made on the spot."""

import json

import cv2
import numpy as np
import pytest

from dpidm_model.handovers import DETECTED, GarmentLandmarks, PoseTrack
from dpidm_model.training.data.prepared import write_landmarks, write_mask, write_pose

W, H = 48, 64


def picture(seed, w=W, h=H):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (4, 3, 3), np.uint8)
    return cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR)


def write_picture(path, seed, w=W, h=H):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture(seed, w, h))


def write_mask_picture(path, w=W, h=H, filled=True):
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = np.zeros((h, w), np.uint8)
    if filled:
        mask[h // 4 : h // 2, w // 4 : -w // 4] = 255
    assert cv2.imwrite(str(path), mask)


def write_video(path, frames, w=W, h=H, mask=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 10, (w, h))
    assert video.isOpened()
    for i in range(frames):
        image = picture(i, w, h)
        if mask:
            image[:] = 0
            image[h // 4 : h // 2, w // 4 : -w // 4] = 255
        video.write(image)
    video.release()


def body(seed=0, w=W, h=H):
    """(18, 3) joints of a standing person."""
    x = np.array([24, 24, 16, 14, 13, 32, 34, 35, 19, 19, 19, 29, 29, 29, 22, 26, 20, 28], float) * w / 48
    y = np.array([10, 16, 17, 26, 34, 17, 26, 34, 36, 48, 60, 36, 48, 60, 9, 9, 10, 10], float) * h / 64
    rng = np.random.default_rng(seed)
    points = np.stack([x, y, np.ones(18)], 1)
    points[:, :2] += rng.uniform(-1, 1, (18, 2))
    return points


def write_openpose(path, seed=0, joints=25, w=W, h=H):
    """OpenPose's own JSON: BODY_25, no canvas."""
    path.parent.mkdir(parents=True, exist_ok=True)
    points = body(seed, w, h)
    if joints == 25:
        full = np.zeros((25, 3))
        full[[0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]] = points
        points = full
    path.write_text(json.dumps({"version": 1.3, "people": [{"pose_keypoints_2d": points.ravel().tolist()}]}))


def track(frames, w=W, h=H):
    keypoints = np.zeros((frames, 130, 3), np.float32)
    for f in range(frames):
        keypoints[f, :18] = body(f, w, h)
    return PoseTrack(keypoints, (w, h), np.full(frames, DETECTED, np.uint8))


def landmarks(w=W, h=H):
    points = np.zeros((13, 3), np.float32)
    points[[0, 1, 2, 4, 5, 7, 10]] = [
        [w / 2, 8, 1], [w / 4, 10, 1], [w / 8, 20, 1], [3 * w / 4, 10, 1], [7 * w / 8, 20, 1], [w / 4, h - 8, 1],
        [3 * w / 4, h - 8, 1],
    ]  # fmt: skip
    return GarmentLandmarks(points, np.where(points[:, 2] > 0, 2, 0).astype(np.uint8), (w, h), "upper", "short")


def prepare(folder, frames, *, pose=True, mask=True):
    write_landmarks(folder, landmarks())
    if pose:
        write_pose(folder, track(frames))
    if mask:
        full = np.zeros((frames, H, W), np.uint8)
        full[:, H // 4 : H // 2, W // 4 : -W // 4] = 255
        write_mask(folder, full)


def make_vitonhd(root, n=3):
    for i in range(n):
        write_picture(root / f"train/image/0000{i}_00.jpg", i)
        write_picture(root / f"train/cloth/0000{i}_00.jpg", 50 + i)
        write_mask_picture(root / f"train/agnostic-mask/0000{i}_00_mask.png")
        write_openpose(root / f"train/openpose_json/0000{i}_00_keypoints.json", i)
        prepare(root / f"prepared/train/0000{i}_00", 1, pose=False, mask=False)
    lines = [f"0000{i}_00.jpg 0000{(i + 1) % n}_00.jpg" for i in range(n)]
    (root / "train_pairs.txt").write_text("\n".join(lines))
    return root


def make_vvt(root, n=2, frames=5):
    for i in range(n):
        name = f"4he2{i}d00f-g11"
        for f in range(frames):
            write_picture(root / f"lip_train_frames/{name}/frame{f:03d}.png", 10 * i + f)
            write_openpose(root / f"lip_train_frames_keypoint/{name}/frame{f:03d}_keypoints.json", f, joints=18)
        write_picture(root / f"lip_clothes_person/{name}/{name}@10=cloth_front.jpg", 70 + i)
        write_picture(root / f"lip_clothes_person/{name}/{name}@9=person_whole_front.jpg", 80 + i)
        prepare(root / f"prepared/train/{name}", frames, pose=False)
    return root


def make_vivid(root, frames=6):
    for name, folder in (("upper_body", "1057795"), ("dresses", "1222020")):
        write_video(root / name / f"videos/{folder}_detail.mp4", frames)
        write_video(root / name / f"agnostic_mask/{folder}_detail.mp4", frames, mask=True)
        write_picture(root / name / f"images/{folder}_in_xl.jpg", 90)
        (root / name / "train_pairs.txt").write_text(f"{folder}_detail.mp4 {folder}_in_xl.jpg\n")
        prepare(root / f"prepared/train/{name}/{folder}_detail", frames, mask=False)
    return root


def make_folder(root, n=2, frames=6):
    for i in range(n):
        write_video(root / f"clip{i}/video.mp4", frames)
        write_picture(root / f"clip{i}/garment.jpg", 30 + i)
        prepare(root / f"prepared/train/clip{i}", frames)
    return root


@pytest.fixture(scope="session")
def made():
    """Makers of data sets and of single files: made.vitonhd(root), made.video(path, frames), ..."""
    from types import SimpleNamespace

    return SimpleNamespace(
        vitonhd=make_vitonhd, vvt=make_vvt, vivid=make_vivid, folder=make_folder, picture=write_picture,
        mask=write_mask_picture, video=write_video, openpose=write_openpose, track=track, landmarks=landmarks,
        prepare=prepare, size=(W, H),
    )  # fmt: skip


@pytest.fixture(scope="session")
def small_vae(tmp_path_factory):
    """A small untrained VAE file with 4 latent channels."""
    from dpidm_model.vae import build_vae, save_vae

    path = tmp_path_factory.mktemp("vae") / "vae.safetensors"
    save_vae(path, build_vae(4, seed=1), {"name": "test"})
    return path


@pytest.fixture(scope="session")
def small_data(tmp_path_factory):
    """Two clips of 6 frames in the plain folder layout."""
    return make_folder(tmp_path_factory.mktemp("data"), n=2, frames=6)


NETWORK = {
    "latent_channels": 4, "block_out_channels": [16, 32], "attention_levels": [True, True], "heads": [2, 2],
    "norm_groups": 8, "cross_attention_dim": 16, "pose_channels": 16, "adapter_bottleneck": 8, "temporal_heads": 2,
    "temporal_norm_groups": 8,
}  # fmt: skip


@pytest.fixture
def make_config(small_vae, small_data):
    """make_config(output, "optim.lr=1", ...) -> TrainConfig of a run that takes a fraction of a second a step."""
    from dpidm_model.training.config import TrainConfig
    from dpidm_model.training.typed import override

    def make(output, *changes):
        plain = {
            "output": str(output),
            "model": {"preset": "tiny", "config": dict(NETWORK)},
            "data": {
                "sources": [{"kind": "folder", "root": str(small_data)}],
                "height": 64, "width": 48, "vae": str(small_vae), "keypoint_drop": 0.05,
            },
            "phases": {"video_clips": 2, "video_frames": 3, "image_clips": 2},
            "optim": {"lr": 1e-3, "ema": 0.9},
            "run": {"steps": 4, "checkpoint_minutes": 60, "trackers": [], "log_every": 1},
        }  # fmt: skip
        return TrainConfig.from_dict(override(plain, list(changes)))

    return make
