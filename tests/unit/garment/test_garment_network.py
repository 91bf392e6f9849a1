"""The garment network, its weight file, and reading points off maps."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from dpidm_model.errors import CheckpointError, MissingFileError
from dpidm_model.garment.decode import SWAP, average, decode, fit_frame, heat_to_points, mirror, to_tensor, warp_in
from dpidm_model.garment.network import (
    MAP_STRIDE,
    GarmentNet,
    GarmentNetConfig,
    load_garment_net,
    save_garment_net,
)
from dpidm_model.handovers import GARMENT_SLOTS
from dpidm_model.training.garment_pose.data import heat_targets

SMALL = GarmentNetConfig(widths=(4, 6, 8, 10, 12), blocks=(1, 1, 1, 1), neck=8, input_size=(64, 96))


@pytest.fixture(scope="module")
def small_net() -> GarmentNet:
    torch.manual_seed(0)
    return GarmentNet(SMALL).eval()


def test_the_shipped_size_is_light():
    assert sum(p.numel() for p in GarmentNet().parameters()) <= 6_000_000


@pytest.mark.parametrize("size", [(64, 96), (96, 128), (128, 160)])
def test_maps_have_stride_four_at_any_size(small_net, size):
    with torch.no_grad():
        maps = small_net(torch.randn(2, 3, size[1], size[0]))
    assert maps.heat_BKhw.shape == (2, 13, size[1] // MAP_STRIDE, size[0] // MAP_STRIDE)
    assert maps.mask_Bhw.shape == (2, size[1] // MAP_STRIDE, size[0] // MAP_STRIDE)
    assert maps.visibility_BK3.shape == (2, 13, 3)


@settings(max_examples=40, deadline=None)
@given(st.floats(9, 54), st.floats(9, 86))
def test_points_come_back_from_their_heat(x, y):
    """Target maps decode to the point they were made of, to a tenth of a pixel."""
    heat = torch.from_numpy(heat_targets(np.full((13, 2), (x, y)), (64, 96)))
    cells, focus = heat_to_points((heat[None] + 1e-12).log())
    found = (cells[0, 0].numpy() + 0.5) * MAP_STRIDE - 0.5
    assert np.allclose(found, (x, y), atol=0.1)
    assert focus[0, 0] > 0.9


def test_swap_pairs_left_and_right():
    for i, name in enumerate(GARMENT_SLOTS):
        partner = GARMENT_SLOTS[SWAP[i]]
        assert partner == (name if name == "neck" else ("l" if name[0] == "r" else "r") + name[1:])


def test_flip_average_is_the_same_for_a_picture_and_its_mirror(small_net):
    """Reading a mirrored picture gives mirrored points with sides exchanged."""
    picture = np.random.default_rng(0).integers(0, 255, (96, 64, 3), np.uint8)
    with torch.no_grad():
        a, b = (small_net(to_tensor(p[None])) for p in (picture, np.ascontiguousarray(picture[:, ::-1])))
    first, second = decode(average(a, mirror(b)))[0], decode(average(b, mirror(a)))[0]
    flipped = second.points_K2[list(SWAP)] * [-1, 1] + [64 - 1, 0]
    assert np.allclose(first.points_K2, flipped, atol=1e-3)
    assert np.allclose(first.presence_K, second.presence_K[list(SWAP)], atol=1e-5)


def test_frames_put_a_box_in_the_middle_undistorted():
    frame = fit_frame((100, 50, 300, 150), (64, 96))
    corner = frame @ np.array([[100, 300], [50, 150], [1, 1]])
    assert np.allclose(corner, [[0, 64], [32, 64]])


def test_shrinking_keeps_places():
    """A dot in a large picture lands where the frame says, although the picture is area-averaged first."""
    picture = np.zeros((960, 640, 3), np.uint8)
    picture[600:620, 200:220] = 255
    frame = fit_frame((0, 0, 640, 960), (64, 96))
    ys, xs = np.where(warp_in(picture, frame, (64, 96))[..., 0] > 100)
    expected = frame @ [209.5, 609.5, 1]
    assert abs(xs.mean() - expected[0]) < 0.3
    assert abs(ys.mean() - expected[1]) < 0.3


def test_weights_round_trip_in_half_precision(tmp_path, small_net):
    path = tmp_path / "net.safetensors"
    save_garment_net(path, small_net, {"recipe": "none"})
    loaded, info = load_garment_net(path)
    assert loaded.config == SMALL
    assert info["recipe"] == "none"
    x = torch.randn(1, 3, 96, 64)
    with torch.no_grad():
        assert torch.allclose(loaded(x).heat_BKhw, small_net(x).heat_BKhw, atol=0.02)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(MissingFileError, match="missing"):
        load_garment_net(tmp_path / "none.safetensors")
    (tmp_path / "torn.safetensors").write_bytes(b"abc")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_garment_net(tmp_path / "torn.safetensors")
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match="expected 'dpidm-garment-pose-1'"):
        load_garment_net(tmp_path / "other.safetensors")


@pytest.mark.parametrize("values", [{"widths": (1, 2)}, {"neck": 0}, {"input_size": (100, 128)}])
def test_impossible_configs_are_refused(values):
    with pytest.raises(CheckpointError):
        GarmentNetConfig(**values)
