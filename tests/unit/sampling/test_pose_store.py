"""A clip's poses are encoded once, wherever they are kept; the peers' guider may see pictures of its own."""

from dataclasses import replace

import pytest
import torch

from dpidm_model.config import CompatConfig
from dpidm_model.errors import InputError
from dpidm_model.network.conditions import PoseFeatures
from dpidm_model.sampling import poses as poses_module
from dpidm_model.sampling.denoise import Place
from dpidm_model.sampling.latents import garment_cells, to_network
from dpidm_model.sampling.poses import PoseStore
from dpidm_model.sampling.sampler import SamplerConfig
from dpidm_model.sampling.tryon import make_conditions
from dpidm_model.sampling.watch import Watcher

from .conftest import Setup, make_inputs, small_network

CPU = torch.device("cpu")
WINDOWS = [[0, 1, 2, 3, 4], [7, 8, 9, 10, 11], [11, 0, 2, 4, 6], [3, 4, 5, 6, 7]]


def tensors(features: PoseFeatures) -> list[torch.Tensor]:
    return [*features.levels_BFLP, *([] if features.input_BFCHW is None else [features.input_BFCHW])]


@pytest.fixture
def in_file(monkeypatch, tmp_path):
    """Everything beyond one kilobyte goes to a file in this folder."""
    monkeypatch.setattr(poses_module, "MEMORY_BYTES", 1024)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def encoded_frames(network) -> list[int]:
    """Sizes of the batches that the pose encoder sees from now on."""
    sizes: list[int] = []
    network.pose_encoder.register_forward_pre_hook(lambda module, images: sizes.append(len(images[0])))
    return sizes


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("memory", [2**30, 1024])
def test_any_window_holds_the_features_of_the_whole_clip(monkeypatch, memory, dtype):
    monkeypatch.setattr(poses_module, "MEMORY_BYTES", memory)
    network = small_network(pose_input="encoder").to(dtype)
    poses = make_inputs(network, 12).poses
    with torch.no_grad():
        whole = tensors(network.encode_pose(poses.pictures(list(range(12))).to(dtype)))
    sizes, store = encoded_frames(network), PoseStore(network, poses)
    for window in WINDOWS:
        found = tensors(store.features(window, CPU, dtype))
        assert [x.dtype for x in found] == [dtype] * 3  # two levels and the map added after conv_in
        assert all(torch.equal(x, y[:, window]) for x, y in zip(found, whole, strict=True))
    assert store._file._rolled == (memory == 1024)
    assert sum(sizes) == 12


@pytest.mark.parametrize("fuse_at", ["window", "step"])
def test_a_run_with_a_file_is_the_same_bit_for_bit_and_encodes_once(windows, in_file, monkeypatch, fuse_at):
    network = small_network()
    setup, config = Setup(network, make_inputs(network, 12)), SamplerConfig(steps=3, windows=windows, fuse_at=fuse_at)
    sizes = encoded_frames(network)
    spilled = setup.run(config)
    assert sizes == [1, 8, 4]  # the garment, then the clip
    monkeypatch.setattr(poses_module, "MEMORY_BYTES", 2**30)
    assert torch.equal(spilled, setup.run(config))


def test_nothing_is_left_of_the_file_after_an_interrupt(setup, windows, in_file):
    class Cancel(Watcher):
        def check(self):
            assert not list(in_file.iterdir())  # has no name even now
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        setup.run(SamplerConfig(steps=2, windows=windows), watcher=Cancel())
    assert not list(in_file.iterdir())


def test_a_network_without_pose_stores_nothing():
    network = small_network(pasa_pose=False, pata_pose=False)
    assert PoseStore(network, make_inputs(network, 12).poses).features([5, 6], CPU, torch.float32) == PoseFeatures()


def test_only_the_guider_sees_its_own_pictures():
    network = small_network(compat=CompatConfig(guider_widths=(4, 8, 8, 8)))
    drawn = make_inputs(network, 12).poses
    pictures = torch.rand(12, 96, 80, 3, generator=torch.Generator().manual_seed(3))  # twice the size
    guided = replace(drawn, guider_FYX3=pictures)
    window = [2, 3, 9]
    plain, found = (PoseStore(network, poses).features(window, CPU, torch.float32) for poses in (drawn, guided))
    assert all(torch.equal(x, y) for x, y in zip(plain.levels_BFLP, found.levels_BFLP, strict=True))
    assert not torch.allclose(plain.input_BFCHW, found.input_BFCHW)
    small = torch.nn.functional.interpolate(pictures.movedim(-1, 1), (48, 40), mode="bilinear", antialias=True)
    with torch.no_grad():
        expected = network.pose_guider(small)[window][None]
    torch.testing.assert_close(found.input_BFCHW, expected)
    with pytest.raises(InputError, match="5 pose pictures for a pose of 12 frames"):
        replace(drawn, guider_FYX3=pictures[:5])


@torch.no_grad()
def test_the_garment_mask_reaches_a_garment_network_that_has_a_channel_for_it():
    network = small_network(compat=CompatConfig(garment_mask=True))
    inputs = make_inputs(network, 3)
    mask = torch.zeros(1, 96, 80)
    mask[:, 20:70, 10:60] = 1
    place = Place(device=CPU)

    def garment(**change):
        return make_conditions(network, replace(inputs, **change), place).still.garment

    def same(a, b):
        return all(torch.equal(a.layers[name].k_GLC, b.layers[name].k_GLC) for name in a.layers)

    cells = garment_cells(mask, (6, 5))
    assert 0 < cells.sum() < 30
    latent = to_network(inputs.garment_1CHW, network.config)
    expected = network.encode_garment(latent, inputs.garment_image_B3YX, inputs.clip_1E, mask_B1HW=cells)
    assert same(garment(garment_mask_BYX=mask), expected)
    assert same(garment(), garment(garment_mask_BYX=torch.ones(1, 9, 7)))
    assert not same(garment(), garment(garment_mask_BYX=mask))
