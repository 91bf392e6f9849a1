"""The converter as its own process, as the import node runs it."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from dpidm_model.checkpoint.file import read_info
from dpidm_model.checkpoint.separate import convert_separately
from dpidm_model.errors import CheckpointError

VECTORS = Path(__file__).parents[3] / "../shared/vectors/swifttry_A"


def arguments(folder, output, suffix):
    files = {"--denoiser": "denoiser", "--reference": "reference", "--guider": "pose_guider"}
    given = [word for option, name in files.items() for word in (option, str(folder / f"{name}.{suffix}"))]
    return ["swifttry", *given, "--output", str(output)]


@pytest.mark.skipif(not VECTORS.exists(), reason="no recorded vectors beside the repository")
def test_pickles_become_a_model_file(tmp_path):
    for name in ("denoiser", "reference", "pose_guider"):
        torch.save(load_file(VECTORS / f"{name}.safetensors"), tmp_path / f"{name}.pth")
    output = tmp_path / "models" / "swifttry.safetensors"
    polls = []
    result = convert_separately(arguments(tmp_path, output, "pth"), lambda: polls.append(1))
    assert polls
    assert result["bytes"] == output.stat().st_size
    assert "garment U-Net" in result["table"]
    assert "licence: " in result["table"]
    info = read_info(output)
    assert info.trained
    assert "SwiftTry" in info.origin
    assert info.config.block_out_channels == (32, 32, 64, 32)
    assert json.loads(json.dumps(result)) == result


def test_the_converters_refusal_is_passed_on(tmp_path):
    with pytest.raises(CheckpointError, match=r"no weights at .*denoiser\.pth; check the path"):
        convert_separately(arguments(tmp_path, tmp_path / "out.safetensors", "pth"), lambda: None)


def test_cancelling_stops_it(tmp_path):
    class CancelledError(Exception):
        pass

    def cancel():
        raise CancelledError

    with pytest.raises(CancelledError):
        convert_separately(arguments(tmp_path, tmp_path / "out.safetensors", "pth"), cancel)
    assert list(tmp_path.iterdir()) == []
