"""Imports from small real sources: diffusers folders, single files, pickles; and what they must refuse."""

import json
import re
from collections import Counter
from dataclasses import replace

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file

from dpidm_model.checkpoint.convert import COMMANDS
from dpidm_model.checkpoint.file import load_model
from dpidm_model.checkpoint.names import in_block, motion_name
from dpidm_model.checkpoint.peers import import_peer, mask_to_middle
from dpidm_model.checkpoint.sd15 import import_sd15
from dpidm_model.checkpoint.sources import ldm_names, open_any, open_unet
from dpidm_model.config import DPIDMConfig
from dpidm_model.errors import CheckpointError, InputError, MissingFileError
from dpidm_model.network.pata import PATA, frame_embedding

SMALL = DPIDMConfig(
    block_out_channels=(32, 32, 64, 32),
    heads=(4, 4, 4, 4),
    norm_groups=8,
    cross_attention_dim=24,
    pose_channels=16,
    adapter_bottleneck=4,
)


def sd_unet(channels, seed, width=24):
    torch.manual_seed(seed)
    return UNet2DConditionModel(
        in_channels=channels,
        out_channels=4,
        block_out_channels=SMALL.block_out_channels,
        attention_head_dim=4,
        norm_num_groups=8,
        cross_attention_dim=width,
    )


@pytest.fixture(scope="module")
def unets():
    return sd_unet(4, 1), sd_unet(9, 2)


@pytest.fixture(scope="module")
def folders(unets, tmp_path_factory):
    root = tmp_path_factory.mktemp("sd")
    for unet, name in zip(unets, ("sd15", "inpainting")):
        unet.save_pretrained(root / name / "unet")
        (root / name / "scheduler").mkdir()
        said = {
            "_class_name": "PNDMScheduler",
            "beta_start": 0.0009,
            "beta_end": 0.013,
            "beta_schedule": "scaled_linear",
        }
        (root / name / "scheduler" / "scheduler_config.json").write_text(json.dumps({**said, "skip_prk_steps": True}))
    return root / "sd15", root / "inpainting"


def to_ldm(unet):
    """The U-Net's weights under the names of a single-file checkpoint (CompVis), written out independently."""
    names = {}
    resnet = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
              "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}  # fmt: skip
    for key in unet.state_dict():
        name = key
        for old, new in (
            ("time_embedding.linear_1", "time_embed.0"), ("time_embedding.linear_2", "time_embed.2"),
            ("conv_in", "input_blocks.0.0"), ("conv_norm_out", "out.0"), ("conv_out", "out.2"),
        ):  # fmt: skip
            name = re.sub(rf"^{old}\.", f"{new}.", name)
        for old, new in resnet.items():
            name = re.sub(rf"(resnets\.\d+)\.{old}\.", rf"\1.{new}.", name)
        name = re.sub(
            r"down_blocks\.(\d)\.resnets\.(\d)", lambda m: f"input_blocks.{3 * int(m[1]) + int(m[2]) + 1}.0", name
        )
        name = re.sub(
            r"down_blocks\.(\d)\.attentions\.(\d)", lambda m: f"input_blocks.{3 * int(m[1]) + int(m[2]) + 1}.1", name
        )
        name = re.sub(
            r"down_blocks\.(\d)\.downsamplers\.0\.conv", lambda m: f"input_blocks.{3 * int(m[1]) + 3}.0.op", name
        )
        name = re.sub(r"up_blocks\.(\d)\.resnets\.(\d)", lambda m: f"output_blocks.{3 * int(m[1]) + int(m[2])}.0", name)
        name = re.sub(
            r"up_blocks\.(\d)\.attentions\.(\d)", lambda m: f"output_blocks.{3 * int(m[1]) + int(m[2])}.1", name
        )
        name = re.sub(
            r"up_blocks\.(\d)\.upsamplers\.0",
            lambda m: f"output_blocks.{3 * int(m[1]) + 2}.{1 if m[1] == '0' else 2}",
            name,
        )
        name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"middle_block.{2 * int(m[1])}", name)
        name = name.replace("mid_block.attentions.0", "middle_block.1")
        names["model.diffusion_model." + name] = key
    weights = unet.state_dict()
    return {ldm: weights[key].clone() for ldm, key in names.items()}


def motion_weights(seed=3):
    """AnimateDiff's 588 keys with random values, at the widths of SMALL."""
    torch.manual_seed(seed)
    weights = {}
    places = [(f"down_blocks.{i}", w, 2) for i, w in enumerate(SMALL.block_out_channels)]
    places += [("mid_block", SMALL.block_out_channels[-1], 1)]
    places += [(f"up_blocks.{i}", w, 3) for i, w in enumerate(reversed(SMALL.block_out_channels))]
    for level, width, count in places:
        for i in range(count):
            for name, x in PATA(width, 8, 32, None).state_dict().items():
                name = name.replace("block.attns.", "transformer_blocks.0.attention_blocks.")
                name = re.sub(r"^block\.", "transformer_blocks.0.", name)
                weights[f"{level}.motion_modules.{i}.temporal_transformer.{name}"] = torch.randn_like(x) * 0.1
            for j in range(2):
                attention = f"{level}.motion_modules.{i}.temporal_transformer.transformer_blocks.0.attention_blocks.{j}"
                weights[f"{attention}.pos_encoder.pe"] = frame_embedding(torch.arange(32)[None], width)
    return weights


def same_unets(imported, unets, dtype=torch.float32):
    """Every weight of the two U-Nets is in the network, and where it belongs."""
    own = imported.model.state_dict()
    garment, main = unets
    for key, x in main.state_dict().items():
        table = {"norm1.": "pasa.norm.", "attn1.": "pasa.attn.", "norm2.": "ca.norm.", "attn2.": "ca.attn."}
        assert torch.equal(own["main_unet." + in_block(key, table)], x.to(dtype)), key
    for key, x in garment.state_dict().items():
        if not key.startswith(("conv_norm_out", "conv_out")):
            table = {"norm2.": "ca.norm.", "attn2.": "ca.attn."}
            assert torch.equal(own["garment_unet." + in_block(key, table)], x.to(dtype)), key


def test_diffusers_folders(unets, folders):
    imported = import_sd15(*folders, config=SMALL, dtype=torch.float32)
    same_unets(imported, unets)
    assert imported.info.schedule.beta_end == 0.013
    assert not imported.info.trained
    assert "sd15" in imported.info.origin
    assert "RAIL" in imported.info.licence
    assert imported.rows[0].left_out == Counter({"the garment U-Net gives features, it has no head": 4})
    assert sum(row.loaded for row in imported.rows) + imported.started.total() == len(imported.model.state_dict())
    for part in ("TSA", "PATA", "pose adapters", "pose encoder"):
        assert part in imported.table()


def test_the_imported_start_is_the_papers(folders):
    """TSA starts as the block's self-attention with a zero output; adapters and PATA start at zero."""
    model = import_sd15(*folders, config=SMALL, dtype=torch.float32).model
    for block in model.try_on_blocks():
        assert torch.equal(block.tsa.attn.to_q.weight, block.pasa.attn.to_q.weight)
        assert torch.equal(block.tsa.norm.weight, block.pasa.norm.weight)
        assert not any(p.any() for p in block.tsa.attn.to_out.parameters())
        assert not block.pasa.adapter.up.weight.any()
        assert block.pasa.adapter.down.weight.any()
        assert not block.pata.proj_out.weight.any()
        assert block.pata.block.attns[0].to_q.weight.any()
    assert not any(p.is_meta for p in model.parameters())


@pytest.mark.parametrize("kind", ["safetensors", "fp16", "ckpt", "ckpt_wrapped", "old_pickle", "diffusers_pth"])
def test_single_files(unets, tmp_path, kind):
    paths, dtype = [], torch.float16 if kind == "fp16" else torch.float32
    for unet, name in zip(unets, ("garment", "main")):
        weights = unet.state_dict() if kind == "diffusers_pth" else to_ldm(unet)
        weights = {k: v.to(dtype) for k, v in weights.items()}
        if kind != "diffusers_pth":
            weights["first_stage_model.decoder.conv_in.bias"] = torch.zeros(3)
            weights["cond_stage_model.transformer.text_model.final_layer_norm.bias"] = torch.zeros(3)
        if kind in ("safetensors", "fp16"):
            paths.append(tmp_path / f"{name}.safetensors")
            save_file(weights, paths[-1])
        else:
            paths.append(tmp_path / f"{name}.ckpt")
            content = {"state_dict": weights, "global_step": 7} if kind == "ckpt_wrapped" else weights
            torch.save(content, paths[-1], _use_new_zipfile_serialization=kind != "old_pickle")
    imported = import_sd15(*paths, config=SMALL, dtype=dtype)
    same_unets(imported, unets, dtype)


def test_diffusers_own_converter_agrees_with_the_single_file_names(unets):
    names = ldm_names({key: None for key in to_ldm(unets[1])})
    assert set(names) == set(unets[1].state_dict())


@pytest.mark.parametrize(("temporal", "loaded"), [("in_block", 16 * 26), ("after_block", 21 * 26)])
def test_animatediff_fills_the_temporal_layers(folders, tmp_path, temporal, loaded):
    weights = motion_weights()
    assert len(weights) == 588
    torch.save(weights, tmp_path / "mm.ckpt")
    config = replace(SMALL, temporal=temporal)
    imported = import_sd15(*folders, tmp_path / "mm.ckpt", config=config, dtype=torch.float32)
    row = imported.rows[2]
    assert row.loaded == loaded
    assert row.loaded + row.left_out.total() == 588
    own, rename = imported.model.state_dict(), motion_name(temporal)
    placed = [key for key in weights if rename(key) in own]
    assert len(placed) == loaded
    assert all(torch.equal(own[rename(key)], weights[key]) for key in placed)
    assert "PATA" not in imported.started
    assert "Apache-2.0" in imported.info.licence


def test_learnt_frame_positions_are_refused(folders, tmp_path):
    weights = {key: x + 1 if key.endswith("pe") else x for key, x in motion_weights().items()}
    save_file(weights, tmp_path / "mm.safetensors")
    with pytest.raises(CheckpointError, match="learnt positions"):
        import_sd15(*folders, tmp_path / "mm.safetensors", config=SMALL)


@pytest.mark.parametrize(("width", "words"), [(1024, "Stable Diffusion 2"), (2048, "SDXL")])
def test_other_architectures_are_refused(folders, tmp_path, width, words):
    sd_unet(4, 0, width).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=words):
        import_sd15(tmp_path, folders[1], config=SMALL)


def test_sdxl_single_files_are_refused(tmp_path):
    save_file({"model.diffusion_model.label_emb.0.0.weight": torch.zeros(2)}, tmp_path / "xl.safetensors")
    with pytest.raises(CheckpointError, match="SDXL"):
        open_unet(tmp_path / "xl.safetensors")


def test_swapped_models_are_explained(folders):
    with pytest.raises(CheckpointError, match=r"9 input channels.*plain Stable Diffusion 1\.5"):
        import_sd15(folders[1], folders[1], config=SMALL)
    with pytest.raises(CheckpointError, match=r"give Stable Diffusion 1\.5 inpainting"):
        import_sd15(folders[0], folders[0], config=SMALL)


def test_files_that_are_no_unet_are_refused(tmp_path):
    save_file({"encoder.weight": torch.zeros(2)}, tmp_path / "vae.safetensors")
    with pytest.raises(CheckpointError, match=r"no Stable Diffusion U-Net \(found encoder.weight"):
        open_unet(tmp_path / "vae.safetensors")
    with pytest.raises(MissingFileError, match="check the path"):
        open_unet(tmp_path / "nothing.safetensors")
    with pytest.raises(MissingFileError, match="diffusion_pytorch_model"):
        open_unet(tmp_path)


def test_incomplete_and_foreign_weights_are_named(folders, unets, tmp_path):
    weights = unets[0].state_dict()
    del weights["mid_block.attentions.0.proj_in.weight"]
    save_file(weights, tmp_path / "cut.safetensors")
    with pytest.raises(CheckpointError, match=r"lacks 1 .*garment_unet.mid_block.attentions.0.proj_in.weight"):
        import_sd15(tmp_path / "cut.safetensors", folders[1], config=SMALL)
    save_file(unets[0].state_dict() | {"lora.up": torch.zeros(2)}, tmp_path / "more.safetensors")
    with pytest.raises(CheckpointError, match=r"1 keys have no place: lora\.up"):
        import_sd15(tmp_path / "more.safetensors", folders[1], config=SMALL)
    with pytest.raises(CheckpointError, match="another shape"):
        import_sd15(*folders, config=replace(SMALL, block_out_channels=(32, 32, 32, 32)))


def test_a_pickle_with_code_in_it_does_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "boom"), "w"))

    torch.save({"state_dict": {"x": torch.zeros(1)}, "hook": Bomb()}, tmp_path / "evil.ckpt")
    with pytest.raises(CheckpointError, match="more than tensors"):
        open_any(tmp_path / "evil.ckpt")
    assert not (tmp_path / "boom").exists()
    (tmp_path / "short.ckpt").write_bytes((tmp_path / "evil.ckpt").read_bytes()[:100])
    with pytest.raises(CheckpointError, match="truncated"):
        open_any(tmp_path / "short.ckpt")
    torch.save({"epoch": 3}, tmp_path / "empty.ckpt")
    with pytest.raises(CheckpointError, match="no weights by name"):
        open_any(tmp_path / "empty.ckpt")


def test_nan_weights_are_refused_by_name(folders, unets, tmp_path):
    weights = {key: x.clone() for key, x in unets[0].state_dict().items()}
    weights["conv_in.bias"][1] = float("nan")
    save_file(weights, tmp_path / "nan.safetensors")
    with pytest.raises(CheckpointError, match=r"conv_in.bias holds NaN"):
        import_sd15(tmp_path / "nan.safetensors", folders[1], config=SMALL)


def test_mask_moves_between_noise_and_agnostic():
    weight = torch.arange(9.0).reshape(1, 9, 1, 1)
    assert mask_to_middle(weight, 4).flatten().tolist() == [0, 1, 2, 3, 8, 4, 5, 6, 7]


def test_unknown_peer_lists_the_known(tmp_path):
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(InputError, match="swifttry, vivid"):
        import_peer("magic", *[tmp_path / "x.safetensors"] * 3)


def test_a_refused_import_writes_no_file(folders, tmp_path, capsys):
    import argparse

    parser = argparse.ArgumentParser()
    COMMANDS["sd15"].arguments(parser)
    assert {"sd15", "swifttry", "vivid", "check", "info"} == set(COMMANDS)
    args = parser.parse_args(
        ["--garment", str(folders[0]), "--main", str(folders[1]), "--output", str(tmp_path / "out.safetensors")]
    )
    with pytest.raises(CheckpointError, match="another shape"):  # the command builds full SD 1.5 size
        COMMANDS["sd15"].run(args)
    assert not (tmp_path / "out.safetensors").exists()


def test_an_import_survives_saving(folders, tmp_path):
    from dpidm_model.checkpoint.file import save_model

    imported = import_sd15(*folders, config=SMALL, dtype=torch.float16)
    save_model(tmp_path / "out.safetensors", imported.model, imported.info)
    model, info = load_model(tmp_path / "out.safetensors")
    assert info.label == "dpidm-sd15-start (UNTRAINED)"
    assert info == imported.info
    own = imported.model.state_dict()
    assert all(torch.equal(x, own[k]) for k, x in model.state_dict().items())
