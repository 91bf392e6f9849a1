"""Loading: the DPIDM network and its VAE."""

import logging
from pathlib import Path

from . import host
from .host import io
from .types import DPIDMModel, LoadedModel

log = logging.getLogger(__name__)


def parameters_in(path: str) -> int:
    """About how many parameters a weight file holds (its size, at two bytes each)."""
    return Path(path).stat().st_size // 2


def working_size(info) -> tuple[int, int]:
    """(width, height) in pixels the model was made for: noted in its file, else the paper's 384x512."""
    return int(info.extra.get("width", 384)), int(info.extra.get("height", 512))


class DPIDMLoadModel(io.ComfyNode):
    """A checkpoint from models/dpidm, wrapped so that the host manages its memory."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="DPIDMLoadModel",
            display_name="DPIDM Load Model",
            category="DPIDM/loaders",
            description="Loads a DPIDM network (U-Nets, pose encoder, temporal layers) from one .safetensors file.",
            inputs=[
                io.Combo.Input(
                    "model_name",
                    options=[name for name in host.model_files() if not name.startswith(("vae", "garment_pose"))],
                    tooltip="A checkpoint in models/dpidm, or one of those that come with this pack.",
                ),
                io.Combo.Input(
                    "dtype",
                    options=["auto", "fp32", "fp16", "bf16"],
                    default="auto",
                    tooltip="Number format of the weights. auto: what ComfyUI chooses for your device.",
                ),
            ],
            outputs=[
                DPIDMModel.Output("model", display_name="model"),
                io.Int.Output(
                    "width", display_name="width", tooltip="Working width this model was trained for, in pixels."
                ),
                io.Int.Output(
                    "height", display_name="height", tooltip="Working height this model was trained for, in pixels."
                ),
                io.String.Output(
                    "label", display_name="label", tooltip="The weights' name; says UNTRAINED where they are."
                ),
            ],
        )

    @classmethod
    def execute(cls, model_name, dtype) -> io.NodeOutput:
        import torch

        from ..dpidm_model.checkpoint.file import load_model

        path = host.model_path(model_name)
        names = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
        network, info = load_model(path, dtype=names.get(dtype) or host.network_dtype(parameters_in(path)))
        if not info.trained:
            log.warning("%s: these weights are UNTRAINED, the dressed area will be noise", info.label)
        width, height = working_size(info)
        loaded = LoadedModel(patcher=host.manage(network), info=info)
        return io.NodeOutput(loaded, width, height, info.label, ui=host.ui.PreviewText(info.label))


class DPIDMLoadVAE(io.ComfyNode):
    """The VAE that belongs to the model; core Load VAE works as well."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="DPIDMLoadVAE",
            display_name="DPIDM Load VAE",
            category="DPIDM/loaders",
            description="Loads the VAE the model works with: any SD1.5 VAE for full-size models, dpidm-tiny its own.",
            inputs=[
                io.Combo.Input(
                    "vae_name",
                    options=host.model_files("vae"),
                    tooltip="A file in models/vae, or the one that comes with this pack.",
                )
            ],
            outputs=[io.Vae.Output("vae", display_name="vae")],
        )

    @classmethod
    def execute(cls, vae_name) -> io.NodeOutput:
        return io.NodeOutput(host.load_vae(host.model_path(vae_name, "vae")))


NODES = [DPIDMLoadModel, DPIDMLoadVAE]
