"""The try-on evaluation: each measure on results whose figure is known, and the tool with a real tiny network."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from skimage.color import lab2rgb

from dpidm_model.checkpoint.file import ModelInfo, build_model, save_model
from dpidm_model.config import PRESETS
from dpidm_model.evaluation import worn
from dpidm_model.evaluation.learned import LearnedMeasures
from dpidm_model.evaluation.statistics import FixedVideoFeatures, bootstrap, bootstrap_ratio, frechet_distance
from dpidm_model.evaluation.tryon import measure
from dpidm_model.evaluation.tryon_sets import synthetic_tasks

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def task():
    return next(synthetic_tasks("synthetic-test", 1, 5, (96, 128), paired=False))


def test_the_truth_itself_is_perfect(task):
    figures = measure(task, task.truth_FHW3)
    assert figures["identified"] == 1
    assert figures["psnr_in_mask"] > 100
    assert figures["ssim_in_mask"] == pytest.approx(1)
    for name in ("colour_error", "colour_error_by_pixel", "temporal_error", "landmark_error"):
        assert figures[name] == 0, name
    assert figures["flicker_result"] == figures["flicker_truth"]


def test_the_old_garment_is_told_from_the_new_one(task):
    figures = measure(task, task.clip.frames_FHW3)
    assert figures["identified"] == 0
    assert figures["colour_error"] > 3
    assert figures["psnr_in_mask"] < 25


def test_source_and_truth_differ_inside_the_mask_only(task):
    outside = task.clip.mask_FHW == 0
    assert (task.truth_FHW3[outside] == task.clip.frames_FHW3[outside]).all()
    assert not (task.truth_FHW3 == task.clip.frames_FHW3).all()


def test_a_known_colour_step_is_measured_in_ciede2000():
    grey, darker = (np.round(lab2rgb([[[level, 0, 0]]]) * 255).astype(np.uint8) for level in (60.0, 50.0))
    worn_FHW = np.ones((1, 8, 8), bool)
    a, b = (np.broadcast_to(colour, (1, 8, 8, 3)) for colour in (grey, darker))
    assert worn.mean_colour_error(a, b, worn_FHW) == pytest.approx(
        9.4, abs=0.6
    )  # 10 / (1 + S_L's correction at L = 55)


def test_the_right_garment_is_nearer_to_its_photo_than_the_old_one(task):
    photo = (task.clip.pose, task.clip.mask_FHW, task.clip.garment_HW3, task.clip.landmarks)
    right = worn.photo_colour_error(task.truth_FHW3, *photo)
    assert right < 12
    assert right < worn.photo_colour_error(task.clip.frames_FHW3, *photo)


def test_noise_in_every_frame_is_flicker_and_temporal_error(task):
    noise = np.random.default_rng(0).normal(0, 20, task.truth_FHW3.shape)
    noisy = np.clip(task.truth_FHW3 + noise, 0, 255).astype(np.uint8)
    figures = measure(task, noisy)
    assert figures["flicker_result"] > 2 * figures["flicker_truth"]
    assert figures["temporal_error"] > 10


@pytest.mark.parametrize("shift", [2, 5])
def test_a_shifted_garment_is_off_at_its_landmarks_by_that_much(task, shift):
    moved = np.roll(task.truth_FHW3, shift, axis=2)
    figures = measure(task, moved)
    assert figures["landmark_error"] == pytest.approx(100 * shift / 128, rel=0.35)


def test_bootstrap_holds_the_true_mean_and_leaves_nan_out():
    values = np.append(np.random.default_rng(1).normal(3, 1, 200), np.nan)
    figures = bootstrap(values)
    assert figures["n"] == 200
    assert figures["low"] < 3 < figures["high"]
    assert figures["high"] - figures["low"] == pytest.approx(4 / 200**0.5, rel=0.25)
    ratio = bootstrap_ratio(values * 2, values)
    assert ratio["mean"] == pytest.approx(2)
    assert ratio["low"] == pytest.approx(2)


def test_frechet_distance_of_known_gaussians():
    rng = np.random.default_rng(2)
    a, b = rng.normal(0, 1, (20_000, 2)), rng.normal((3, 0), (2, 1), (20_000, 2))
    assert frechet_distance(a, b) == pytest.approx(9 + 1, abs=0.3)  # |mean|^2 + (2 - 1)^2


def test_fixed_features_do_not_depend_on_the_global_seed_and_see_motion():
    clip = np.random.default_rng(3).integers(0, 255, (8, 32, 32, 3), np.uint8)
    first, second = FixedVideoFeatures()(clip), FixedVideoFeatures()(clip)
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - FixedVideoFeatures()(np.broadcast_to(clip[:1], clip.shape))).max() > 1e-3


def test_absent_weights_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    learned = LearnedMeasures()
    assert learned.figures() == {}
    text = " ".join(learned.skipped)
    for name in ("lpips", "fid", "kid", "vfid_i", "vfid_r"):
        assert name in text


def test_vfid_runs_with_networks_at_hand(tmp_path, monkeypatch):
    import torch

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    layers = torch.nn.Sequential(torch.nn.AdaptiveAvgPool3d((1, 2, 2)), torch.nn.Flatten())
    torch.jit.trace(layers, torch.zeros(1, 3, 10, 224, 224)).save(str(tmp_path / "i3d.pt"))
    learned = LearnedMeasures(str(tmp_path))
    rng = np.random.default_rng(4)
    for _ in range(12):
        clip = rng.integers(0, 255, (10, 16, 16, 3), np.uint8)
        learned.add(clip, np.clip(clip.astype(int) + 60, 0, 255).astype(np.uint8), paired=True)
    figures = learned.figures()
    assert figures["vfid_i"] > 0.1
    assert any(line.startswith("vfid_r") for line in learned.skipped)


def test_the_tool_measures_a_checkpoint_and_writes_its_page(tmp_path):
    config, schedule = PRESETS["tiny"]
    info = ModelInfo(name="x", trained=False, config=config, schedule=schedule, extra={"width": "48", "height": "64"})
    save_model(tmp_path / "x.safetensors", build_model(config), info)
    command = [sys.executable, "evaluate.py", "tryon", "--checkpoint", str(tmp_path / "x.safetensors"), "--clips", "2"]
    options = ["--frames", "3", "--steps", "2", "--report", str(tmp_path / "page.html"), "--json"]
    done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["trained"] is False
    assert "UNTRAINED" in done.stderr
    assert figures["size"] == "48x64"
    assert figures["clips"] == 2
    assert 0 <= figures["metrics"]["identified"]["mean"] <= 1
    page = (tmp_path / "page.html").read_text()
    assert page.count("data:image/png") == 2
    assert "psnr_in_mask" in page


@pytest.mark.parametrize(("options", "said"), [(["--set", "vvt"], "--root"), (["--report", "page.png"], ".html")])
def test_wrong_arguments_say_what_is_expected(options, said):
    command = [sys.executable, "evaluate.py", "tryon", "--checkpoint", "source", *options, "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert said in json.loads(done.stdout)["error"]
