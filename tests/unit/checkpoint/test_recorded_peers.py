"""Imports of SwiftTry and ViViD against recordings of their own classes, and against their full key listings."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from dpidm_model.checkpoint.conformance import check_vectors, import_vectors, run_vector
from dpidm_model.checkpoint.file import load_model, save_model
from dpidm_model.checkpoint.names import POSITIONS
from dpidm_model.checkpoint.peers import PEERS, assemble_peer, import_peer
from dpidm_model.checkpoint.sd15 import assemble_sd15
from dpidm_model.checkpoint.sources import ListedWeights
from dpidm_model.config import DPIDMConfig
from dpidm_model.errors import CheckpointError, InputError, MissingFileError
from dpidm_model.network.call import Strengths
from dpidm_model.network.conditions import TryOnConditions

VECTORS = Path(__file__).parents[3] / "../shared/vectors"
pytestmark = pytest.mark.skipif(not VECTORS.exists(), reason="no recorded vectors beside the repository")


def listed(file, name):
    return ListedWeights(json.loads((VECTORS / file).read_text())[name], name)


@pytest.mark.parametrize("source", PEERS)
def test_imports_compute_what_the_peer_computes(source):
    result = check_vectors(source, VECTORS / f"{source}_A")
    assert result["max_abs_err"] <= 1e-4, result
    # taps grow to +-24 on the way: fp32 itself costs the recording up to 1.4e-3 there, so they are judged by size
    assert result["max_rel_err_taps"] <= 1e-4, result
    assert result["max_abs_err_taps"] <= 3 * max(result["recording_err_taps"], 1e-4), result


def test_the_check_notices_a_wrong_weight(tmp_path):
    folder = VECTORS / "vivid_A"
    said = json.loads((folder / "config.json").read_text())
    imported = import_vectors("vivid", folder, said)
    io = {k: v for k, v in load_file(folder / "io.safetensors").items() if k.startswith("run0.")}
    with torch.no_grad():
        imported.model.main_unet.mid_block.attentions[0].transformer_blocks[0].pasa.attn.to_v.weight *= 1.02
    found = run_vector(imported, io, said["runs"][0], torch.float32)
    ours, theirs = found["run0.out_fp32bank.pred_cond"]
    assert (ours - theirs).abs().max() > 1e-3


def test_the_check_refuses_other_folders(tmp_path):
    with pytest.raises(InputError, match="--source vivid"):
        check_vectors("swifttry", VECTORS / "vivid_A")
    with pytest.raises(MissingFileError, match=r"config\.json"):
        check_vectors("swifttry", tmp_path)
    with pytest.raises(InputError, match="swifttry, vivid"):
        check_vectors("dpidm", tmp_path)


@pytest.mark.parametrize("source", PEERS)
def test_adding_the_papers_layers_changes_nothing_at_first(source, tmp_path):
    folder = VECTORS / f"{source}_A"
    said = json.loads((folder / "config.json").read_text())
    plain = import_vectors(source, folder, said)
    changes = {"tsa": True, "pasa_pose": True, "pata_pose": True, "pose_channels": 16}
    kept = replace(plain.info.config, **changes)
    paths = [folder / f"{part}.safetensors" for part in ("denoiser", "reference", "pose_guider")]
    fields = {k: getattr(kept, k) for k in ("heads", "norm_groups", "temporal_heads", "temporal_max_frames")}
    more = import_peer(source, *paths, changes=fields | changes, dtype=torch.float32)
    generator = torch.Generator().manual_seed(0)
    x, agnostic = torch.randn(2, 1, 2, 4, 8, 8, generator=generator).unbind()
    pose, garment_pose = torch.rand(1, 2, 3, 64, 64, generator=generator), torch.rand(1, 3, 64, 64, generator=generator)
    latent, clip = torch.randn(1, 4, 8, 8, generator=generator), torch.randn(1, 32, generator=generator)
    results = []
    with torch.no_grad():
        for model in (plain.model, more.model):
            garment = model.encode_garment(latent, garment_pose, clip, mask_B1HW=torch.ones(1, 1, 8, 8))
            conditions = TryOnConditions(
                agnostic_BFCHW=agnostic,
                mask_BF1HW=torch.ones(1, 2, 1, 8, 8),
                pose=model.encode_pose(pose),
                garment=garment,
            )
            results.append(model(x, 400, conditions))
    torch.testing.assert_close(*results, atol=1e-5, rtol=1e-5)
    assert {"TSA", "pose adapters", "pose encoder"} <= set(more.started)


@torch.no_grad()
def test_peer_parts_can_be_faded_out_and_cost_nothing_when_absent(tmp_path):
    folder = VECTORS / "swifttry_A"
    imported = import_vectors("swifttry", folder, json.loads((folder / "config.json").read_text()))
    model = imported.model
    x, agnostic = torch.randn(2, 1, 2, 4, 8, 8).unbind()
    garment = model.encode_garment(torch.randn(1, 4, 8, 8), None, torch.randn(1, 32))
    conditions = TryOnConditions(
        agnostic_BFCHW=agnostic,
        mask_BF1HW=torch.ones(1, 2, 1, 8, 8),
        pose=model.encode_pose(torch.rand(1, 2, 3, 64, 64)),
        garment=garment,
        strengths=Strengths(compat=0.0),
    )
    first = model(x, 9, conditions)
    for block in model.try_on_blocks():
        block.after = None
    assert torch.equal(model(x, 9, conditions), first)


@pytest.mark.parametrize("source", PEERS)
def test_every_key_of_the_full_listings_is_accounted_for(source):
    names = ("denoising_unet.pth", "reference_unet.pth", "pose_guider.pth", "motion_module.pth")
    weights = [listed(f"{source}_keys.json", name) for name in names]
    imported = assemble_peer(source, *weights, changes={}, dtype=torch.float16, meta=True)
    by_name = {row.source: row for row in imported.rows}
    for one in weights:
        row = by_name[one.name]
        assert row.loaded + row.left_out.total() == len(one.shapes)
        assert row.left_out.total() == sum(key.endswith(POSITIONS) for key in one.shapes)
    assert not imported.started
    assert all(p.is_meta for p in imported.model.parameters())
    config = imported.info.config
    assert config.block_out_channels == (320, 640, 1280, 1280)
    assert config.attention_levels == (True, True, True, False)
    assert config.compat.guider_widths == (16, 32, 96, 256)
    assert config.compat.frame_attention == (source == "swifttry")


@pytest.mark.parametrize("source", PEERS)
def test_motion_modules_may_come_from_their_own_file(source):
    keys = f"{source}_keys.json"
    base = listed(keys, "denoising_unet.pth without motion modules")
    rest = [listed(keys, "reference_unet.pth"), listed(keys, "pose_guider.pth")]
    motion = listed(keys, "mm_sd_v15_v2.ckpt")
    imported = assemble_peer(source, base, *rest, motion, changes={}, dtype=torch.float16, meta=True)
    assert not imported.started
    with pytest.raises(CheckpointError, match=r"no motion modules; give .*motion_module\.pth"):
        assemble_peer(source, base, *rest, changes={}, dtype=torch.float16, meta=True)


def test_swifttry_without_its_frame_attention_leaves_no_random_weights():
    keys = "swifttry_keys.json"
    parts = [listed(keys, n) for n in ("denoising_unet.pth", "reference_unet.pth", "pose_guider.pth")]
    bare = {k: s for k, s in parts[0].shapes.items() if "_temp." not in k}
    imported = assemble_peer(
        "swifttry", ListedWeights(bare, "bare"), *parts[1:], changes={}, dtype=torch.float16, meta=True
    )
    assert not imported.info.config.compat.frame_attention
    assert not imported.started


@pytest.mark.parametrize("temporal", ["in_block", "after_block"])
def test_sd15_listings_are_accounted_for(temporal):
    garment = listed("sd15_keys.json", "stable-diffusion-v1-5/unet")
    main = listed("sd15_keys.json", "stable-diffusion-inpainting/unet")
    motion = listed("vivid_keys.json", "mm_sd_v15_v2.ckpt")
    config = DPIDMConfig(temporal=temporal)
    imported = assemble_sd15(garment, main, motion, config, torch.float16, 0, meta=True)
    for row, one in zip(imported.rows, (garment, main, motion)):
        assert row.loaded + row.left_out.total() == len(one.shapes)
    places = 16 if temporal == "in_block" else 21
    assert imported.rows[2].loaded == places * 26
    assert set(imported.started) == {"TSA", "pose adapters", "pose encoder"}
    assert imported.started["pose adapters"] == 4 * (16 + places)
    assert imported.rows[0].left_out == Counter({"the garment U-Net gives features, it has no head": 4})


def test_an_imported_peer_survives_saving(tmp_path):
    folder = VECTORS / "vivid_A"
    imported = import_vectors("vivid", folder, json.loads((folder / "config.json").read_text()))
    save_model(tmp_path / "vivid.safetensors", imported.model, imported.info)
    model, info = load_model(tmp_path / "vivid.safetensors")
    assert info == imported.info
    assert info.schedule.prediction_type == "v_prediction"
    own = imported.model.state_dict()
    assert all(torch.equal(x, own[k]) for k, x in model.state_dict().items())
