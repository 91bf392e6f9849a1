"""Model files: what is saved comes back; what is broken is refused with what was found and what to do."""

import pickle
import struct
from dataclasses import replace

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file, save_file

from dpidm_model.checkpoint.file import ModelInfo, build_model, load_model, read_info, save_model
from dpidm_model.config import DPIDMConfig, ScheduleConfig
from dpidm_model.errors import CheckpointError, InputError, MissingFileError

SMALL = DPIDMConfig(
    block_out_channels=(32, 64),
    attention_levels=(True, True),
    heads=(2, 4),
    layers_per_block=1,
    norm_groups=8,
    cross_attention_dim=24,
    pose_channels=32,
    temporal_heads=4,
    temporal_norm_groups=8,
)
INFO = ModelInfo(
    name="small",
    trained=False,
    config=SMALL,
    schedule=ScheduleConfig(prediction_type="v_prediction"),
    origin="random",
    licence="none",
    extra={"steps": "3"},
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    model = build_model(SMALL, 4)
    save_model(path, model, INFO)
    return path, model


def edited(saved, tmp_path, change=None, metadata=None, drop_metadata=False):
    """A copy of the file with its tensors changed by `change` and its metadata updated."""
    weights = load_file(saved[0])
    if change:
        change(weights)
    path = tmp_path / "edited.safetensors"
    save_file(weights, path, metadata=None if drop_metadata else {**INFO.to_metadata(), **(metadata or {})})
    return path


def test_what_was_saved_comes_back(saved):
    model, info = load_model(saved[0])
    assert info == INFO == read_info(saved[0])
    own = saved[1].state_dict()
    assert list(model.state_dict()) == list(own)
    assert all(torch.equal(x, own[name]) for name, x in model.state_dict().items())
    assert not model.training


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_precision_is_a_choice(saved, tmp_path, dtype):
    model, _ = load_model(saved[0], dtype=dtype)
    assert {p.dtype for p in model.parameters()} == {dtype}
    save_model(tmp_path / "again.safetensors", model, INFO)
    assert {p.dtype for p in load_model(tmp_path / "again.safetensors")[0].parameters()} == {dtype}


def test_an_untrained_model_says_so():
    assert INFO.label == "small (UNTRAINED)"
    assert replace(INFO, trained=True).label == "small"


def test_info_must_describe_the_model(saved, tmp_path):
    with pytest.raises(InputError, match="not the model's config"):
        save_model(tmp_path / "x.safetensors", saved[1], replace(INFO, config=replace(SMALL, tsa=False)))


def test_saving_over_a_file_is_all_or_nothing(saved, tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    save_model(path, saved[1], INFO)
    before = path.read_bytes()

    def full_disk(weights, target, metadata):
        target.write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr("dpidm_model.checkpoint.file.save_file", full_disk)
    with pytest.raises(OSError, match="no space"):
        save_model(path, saved[1], INFO)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_missing_file_is_named(tmp_path):
    with pytest.raises(MissingFileError, match=r"nowhere\.safetensors"):
        load_model(tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_truncated_files_are_refused(saved, tmp_path, share):
    path = tmp_path / "cut.safetensors"
    content = saved[0].read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(CheckpointError, match=r"truncated.*again"):
        load_model(path)


def test_garbage_is_refused(tmp_path):
    path = tmp_path / "noise.safetensors"
    path.write_bytes(struct.pack("<Q", 2**60) + bytes(range(1, 200)))
    with pytest.raises(CheckpointError, match="no safetensors file"):
        load_model(path)


@pytest.mark.parametrize("name", ["model.pth", "model.safetensors"])
def test_pickles_are_never_opened(tmp_path, name):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "boom"), "w"))

    path = tmp_path / name
    path.write_bytes(pickle.dumps({"weights": Bomb()}))
    with pytest.raises(CheckpointError, match=r"pickle.*convert\.py"):
        load_model(path)
    torch.save({"weights": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match=r"pickle.*convert\.py"):
        load_model(path)
    assert not (tmp_path / "boom").exists()


def test_foreign_files_are_refused(tmp_path):
    unet = UNet2DConditionModel(
        block_out_channels=(32, 32), down_block_types=("DownBlock2D",) * 2, up_block_types=("UpBlock2D",) * 2
    )
    path = tmp_path / "sd.safetensors"
    save_file(unet.state_dict(), path, metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"no DPIDM model file.*'pt'.*convert\.py"):
        load_model(path)


def test_missing_metadata_is_refused(saved, tmp_path):
    with pytest.raises(CheckpointError, match=r"no DPIDM model file.*None"):
        load_model(edited(saved, tmp_path, drop_metadata=True))


@pytest.mark.parametrize(
    "metadata",
    [
        {"config": "{"},
        {"config": "[]"},
        {"config": '{"temporal": "x"}'},
        {"schedule": '{"beta_start": 2}'},
        {"trained": ""},
    ],
)
def test_broken_metadata_is_refused(saved, tmp_path, metadata):
    with pytest.raises(CheckpointError, match="broken metadata"):
        load_model(edited(saved, tmp_path, metadata=metadata))


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_bad_numbers_are_refused_by_name(saved, tmp_path, number):
    name = "main_unet.mid_block.resnets.0.conv1.bias"

    def spoil(weights):
        weights[name][3] = number

    with pytest.raises(CheckpointError, match=rf"{name} holds NaN or infinite"):
        load_model(edited(saved, tmp_path, spoil))


def test_numbers_too_large_for_fp16_are_refused(saved, tmp_path):
    def enlarge(weights):
        weights["main_unet.conv_in.bias"][0] = 1e6

    path = edited(saved, tmp_path, enlarge)
    load_model(path)
    with pytest.raises(CheckpointError, match="bf16"):
        load_model(path, dtype=torch.float16)


def test_missing_unexpected_and_misshaped_keys_are_named(saved, tmp_path):
    def change(weights):
        del weights["main_unet.conv_in.bias"]
        weights["extra.weight"] = torch.zeros(1)
        weights["main_unet.conv_out.bias"] = torch.zeros(7)

    with pytest.raises(CheckpointError) as error:
        load_model(edited(saved, tmp_path, change))
    for words in (
        "1 missing: main_unet.conv_in.bias",
        "1 unexpected: extra.weight",
        "main_unet.conv_out.bias is [7], expected [4]",
    ):
        assert words in str(error.value)


def test_config_that_disagrees_with_the_shapes_is_refused(saved, tmp_path):
    wider = replace(SMALL, block_out_channels=(64, 64))
    with pytest.raises(CheckpointError, match=r"of another shape: .*is \[32"):
        load_model(edited(saved, tmp_path, metadata={"config": wider.to_json()}))
    without = replace(SMALL, tsa=False)
    with pytest.raises(CheckpointError, match=r"unexpected: .*\.tsa\."):
        load_model(edited(saved, tmp_path, metadata={"config": without.to_json()}))
