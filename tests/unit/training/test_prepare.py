"""prepare_dataset.py: stages on made folders; what is there stays, what fails is reported."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import prepare_dataset
from dpidm_model.errors import InputError
from dpidm_model.training.batch import Encoder
from dpidm_model.training.build import fixed_vae
from dpidm_model.training.data.base import flip
from dpidm_model.training.data.check import check
from dpidm_model.training.data.files import FileClips
from dpidm_model.training.data.layouts import list_entries
from dpidm_model.training.prepare import NoStageError, Options, missing, prepare
from dpidm_model.training.validate import plain_sample


def lines(capsys):
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


def test_garments_and_masks_from_poses_then_nothing_left(tmp_path, made, capsys):
    made.folder(tmp_path, n=2)
    for clip in ("clip0", "clip1"):
        (tmp_path / f"prepared/train/{clip}/mask.npz").unlink()
        (tmp_path / f"prepared/train/{clip}/garment.json").unlink()
    assert {p.part for p in check(list_entries("folder", tmp_path, "train"))} == {"mask", "landmarks"}
    call = ["make", "folder", str(tmp_path), "--stages", "garments,masks", "--json"]
    assert prepare_dataset.main(call) == 0
    assert lines(capsys) == {"clips": 2, "prepared": 2, "complete_before": 0, "failed": {}}
    assert check(list_entries("folder", tmp_path, "train"), deep=True) == []
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("prepared/**/*") if p.is_file()}
    assert prepare_dataset.main(call) == 0
    assert lines(capsys)["complete_before"] == 2
    assert before == {p: p.stat().st_mtime_ns for p in before}


def test_a_broken_clip_is_reported_and_the_others_are_made_in_two_processes(tmp_path, made):
    made.folder(tmp_path, n=3)
    for clip in ("clip0", "clip1", "clip2"):
        (tmp_path / f"prepared/train/{clip}/mask.npz").unlink()
    (tmp_path / "clip1/video.mp4").write_bytes(b"?")
    result = prepare(list_entries("folder", tmp_path, "train"), Options(stages=("masks",)), workers=2)
    assert result["prepared"] == 2
    assert "clip1/video.mp4" in result["failed"]["clip1"]
    assert not (tmp_path / "prepared/train/clip1/mask.npz").exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_without_a_pose_backend_the_run_ends_at_once_and_says_what_to_fetch(tmp_path, made, workers):
    made.folder(tmp_path, n=2)
    for clip in ("clip0", "clip1"):
        (tmp_path / f"prepared/train/{clip}/pose.npz").unlink()
    options = Options(stages=("poses",), backend="blazepose", models=str(tmp_path / "none"))
    with pytest.raises(NoStageError, match=r"(?i)no clip's poses can be found.*blazepose"):
        prepare(list_entries("folder", tmp_path, "train"), options, workers=workers)


def test_published_poses_and_masks_are_not_made_again(tmp_path, made):
    made.vitonhd(tmp_path)
    entry = list_entries("vitonhd", tmp_path, "train")[0]
    assert not missing(entry, "poses", Options())
    assert not missing(entry, "masks", Options())
    with pytest.raises(InputError, match="stage 'posed'"):
        Options(stages=("posed",))


@pytest.mark.parametrize("way", ["as it is", "mirrored"])
def test_cached_latents_equal_encoding_and_need_no_frames(tmp_path, made, small_vae, way):
    made.folder(tmp_path, n=1)
    entries = list_entries("folder", tmp_path, "train")
    options = Options(stages=("latents",), width=48, height=64, vae=str(small_vae), latent_channels=4)
    assert prepare(entries, options)["failed"] == {}
    encode, _ = fixed_vae(str(small_vae), 4, "cpu")
    from dpidm_model.config import PRESETS

    config, schedule = replace(PRESETS["tiny"][0], latent_channels=4), PRESETS["tiny"][1]
    encoder = Encoder(config, schedule, encode, device="cpu", chunk=4, timestep_bias=1.0)
    plain = FileClips("x", entries, (48, 64)).read(0, [2, 4])
    shutil.move(tmp_path / "clip0/video.mp4", tmp_path / "away.mp4")
    cached = FileClips("x", entries, (48, 64), latents=True).read(0, [2, 4])
    if way == "mirrored":
        plain, cached = flip(plain), flip(cached)
    a, b = encoder.batch([plain_sample(plain)]), encoder.batch([plain_sample(cached)])
    for name in ("x0_BFCHW", "agnostic_BFCHW", "garment_BCHW", "mask_BF1HW", "poses_BF3HW"):
        torch.testing.assert_close(getattr(a, name), getattr(b, name), atol=4e-3, rtol=2e-3)
    assert np.ptp(cached.frames_FHW3) == 0


def test_check_command_lists_problems(tmp_path, made, capsys):
    made.vitonhd(tmp_path)
    (tmp_path / "train/cloth/00002_00.jpg").unlink()
    assert prepare_dataset.main(["check", "vitonhd", str(tmp_path), "--deep", "--workers", "2", "--json"]) == 0
    result = lines(capsys)
    assert (result["clips"], result["with_problems"]) == (3, 1)
    assert result["problems"][0]["part"] == "garment"
    assert "cloth/00002_00.jpg" in result["problems"][0]["what"]


def test_layouts_command_and_wrong_root(tmp_path, capsys):
    assert prepare_dataset.main(["layouts"]) == 0
    assert "lip_clothes_person" in capsys.readouterr().out
    assert prepare_dataset.main(["check", "vvt", str(tmp_path)]) == 1
    assert Path(tmp_path, "prepared").exists() is False
