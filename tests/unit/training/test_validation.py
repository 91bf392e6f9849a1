"""Validation with the project's own sampler, averaged weights, the transfer evaluation."""

import json

import cv2
import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState

import evaluate
import train
from dpidm_model import vae
from dpidm_model.checkpoint.file import load_model
from dpidm_model.evaluation.image import colour_error, identify, psnr, ssim
from dpidm_model.frames.video import read_frames
from dpidm_model.training.build import TINY_VAE
from dpidm_model.training.ema import Ema
from dpidm_model.training.loop import Trainer
from dpidm_model.training.patches import Patches, fit, projection


@pytest.fixture(autouse=True)
def one_thread():
    AcceleratorState._reset_state(reset_partial_state=True)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


SYNTHETIC = (
    "data.sources=[{kind: synthetic, clips: 2, garments: 1, frames: 3}]",
    "data.vae=patches",
    "data.cached=true",
    "run.sample_steps=2",
)


def test_validation_figures_sheets_and_tracker(tmp_path, make_config):
    config = make_config(
        tmp_path, *SYNTHETIC, "data.validation={kind: synthetic, split: val, clips: 2, frames: 3}", "run.steps=2",
        "run.validate_every=2", "run.validate_clips=2", "run.validate_frames=3", "run.trackers=[tensorboard]",
    )  # fmt: skip
    lines = []
    run = Trainer(config, say=lines.append)
    run.run()
    assert any(line.startswith("validation: loss") for line in lines)
    record = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()][-1]
    assert {"validation/loss", "validation/loss/t0.95", "validation/psnr_in_mask", "validation/ssim"} <= set(record)
    assert record["validation/psnr_in_mask"] > 0
    sheets = sorted((tmp_path / "validation").glob("step-00000002-*.png"))
    assert len(sheets) == 2
    assert cv2.imread(str(sheets[0])).std() > 10
    shown = list(read_frames(sheets[0].with_suffix(".mp4")))
    assert [x.shape for x in shown] == [(64, 96, 3)] * 3
    truth = run.validation.clips.read(0, [0, 1, 2]).frames_FHW3
    assert psnr(np.stack(shown)[:, :, :48], truth) > 25  # the left half is what it says


def test_validation_is_the_same_every_time(tmp_path, make_config):
    config = make_config(tmp_path, *SYNTHETIC, "data.validation={kind: synthetic, split: val, clips: 1, frames: 3}")
    run = Trainer(config, say=lambda line: None)
    first, second = (run.validation.run(run.model, 0)[0] for _ in range(2))
    assert first == second


def test_transfer_evaluation_on_a_run(tmp_path, make_config, capsys):
    config = make_config(tmp_path, *SYNTHETIC, "run.steps=1")
    Trainer(config, say=lambda line: None).run()
    AcceleratorState._reset_state(reset_partial_state=True)
    sheet = tmp_path / "t.png"
    call = ["transfer", "--run", str(tmp_path), "--frames", "2", "--steps", "2", "--sheet", str(sheet), "--json"]
    assert evaluate.main(call) == 0
    result = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert (result["step"], result["candidates"]) == (1, 2)
    assert result["shift_0"]["identified"].endswith("/2")
    assert set(result["shift_1_held_out"]) == {"identified", "psnr", "colour_error"}
    assert result["ceiling_psnr"] > result["held_out"]["psnr"]
    assert sheet.stat().st_size > 1000


def test_train_command_exports_and_refuses(tmp_path, make_config, capsys):
    from dpidm_model.training.config import save_config

    config = make_config(tmp_path / "run", *SYNTHETIC, "run.steps=1")
    save_config(config, tmp_path / "c.yaml")
    assert train.main(["--config", str(tmp_path / "c.yaml"), "--json"]) == 0
    AcceleratorState._reset_state(reset_partial_state=True)
    capsys.readouterr()
    target, small = tmp_path / "out.safetensors", tmp_path / "half.safetensors"
    assert train.main(["--config", str(tmp_path / "c.yaml"), "--export", str(target), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["step"] == 1
    AcceleratorState._reset_state(reset_partial_state=True)
    assert train.main(["--config", str(tmp_path / "c.yaml"), "--export", str(small), "--half"]) == 0
    assert {x.dtype for x in load_model(small)[0].parameters()} == {torch.float16}
    assert small.stat().st_size == pytest.approx(target.stat().st_size / 2, rel=0.05)
    assert train.main(["--config", str(tmp_path / "c.yaml"), "optim.speed=9"]) == 1
    assert "optim.speed" in capsys.readouterr().err


def test_averaged_weights_are_lent_and_given_back():
    live = {"w": torch.nn.Parameter(torch.zeros(3))}
    ema = Ema(live, 0.5)
    with torch.no_grad():
        live["w"].fill_(1.0)
    ema.update()  # decay min(0.5, 2/21)
    torch.testing.assert_close(ema.average["w"], torch.full((3,), 1 - 2 / 21))
    with ema.applied():
        torch.testing.assert_close(live["w"].detach(), ema.average["w"])
    assert (live["w"] == 1).all()
    off = Ema(live, 0.0)
    off.update()
    with off.applied():
        assert (live["w"] == 1).all()
    assert off.average == {}


def test_patches_are_lossless_with_all_components_and_survive_a_file(tmp_path):
    from dpidm_model.training.data.synthetic import SyntheticClips

    clips = SyntheticClips(split="train", clips=2, size=(48, 64), frames=2)
    full, few = fit(clips, 192), fit(clips, 32)
    images = torch.rand(2, 3, 64, 48)
    torch.testing.assert_close(full.decode(full.encode(images)), images, atol=1e-4, rtol=0)
    few.save(tmp_path / "p.safetensors")
    again = Patches.load(tmp_path / "p.safetensors", "cpu")
    assert torch.equal(again.encode(images), few.encode(images))
    assert few.encode(images).shape == (2, 32, 8, 6)


def test_measures():
    rng = np.random.default_rng(0)
    a = rng.integers(0, 256, (2, 16, 16, 3), np.uint8)
    mask = np.zeros((2, 16, 16), np.uint8)
    mask[:, :8] = 255
    b = a.copy()
    b[:, 8:] = 0  # outside the mask
    assert psnr(b, a, mask) > 90
    assert psnr(b, a) < 15
    assert colour_error(b, a, mask) == 0
    black = np.zeros_like(a)
    assert colour_error(black, np.full_like(a, 100), mask) == pytest.approx(100 * 3**0.5)
    assert identify(a, [black, b, 255 - a], mask) == 1
    assert ssim(a[0], a[0]) == pytest.approx(1)
    assert ssim(a[0], 255 - a[0]) < 0.1


def test_the_shipped_encoder_is_one_matrix_and_a_trained_one_is_not():
    module, _ = vae.load_vae(TINY_VAE)
    images = torch.rand(2, 3, 64, 48, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        project = projection(lambda x: vae.encode(module, x), "cpu")
        assert project is not None
        torch.testing.assert_close(project(images), vae.encode(module, images), atol=1e-4, rtol=1e-4)
        other = vae.build_vae(seed=1)
        assert projection(lambda x: vae.encode(other, x), "cpu") is None
