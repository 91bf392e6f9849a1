"""The model as the host's own MODEL and CONDITIONING, for KSampler, custom samplers and the core context windows."""

import torch
from torch import Tensor, nn

from . import host
from .host import io
from .types import DPIDMModel, DPIDMPoses


class NativeConditions:
    """What CONDITIONING carries: the whole clip's conditions. Compared by identity, so that halves can be batched."""

    def __init__(self, clip):
        self.clip = clip


class NativeNetwork(nn.Module):
    """DPIDM behind the host's calling convention. N rows = halves * frames.

    The network is kept out of this module's own weights: the host manages them through their own ModelPatcher.
    """

    def __init__(self, network, attention):
        super().__init__()
        self._network = (network,)  # in a tuple: not a submodule
        self.attention = attention

    @property
    def dtype(self) -> torch.dtype:
        return next(self._network[0].parameters()).dtype

    def forward(self, x_NCHW: Tensor, t_N: Tensor, *, conditions, half_N, transformer_options, **_) -> Tensor:
        """Predictions (N, C, H, W).  half_N: 1 for rows with the garment, 0 for rows without."""
        chunks = len(transformer_options["cond_or_uncond"])
        window = transformer_options.get("context_window")
        x_GFCHW = x_NCHW.unflatten(0, (chunks, -1))
        half_G = half_N.reshape(chunks, -1)[:, 0] > 0.5
        frames = list(range(x_GFCHW.shape[1])) if window is None else list(window.index_list)
        call = self._window_call(conditions.clip, frames, t_N[:1], x_NCHW.device)
        if half_G.sum() == 1 and chunks == 2 and torch.equal(x_GFCHW[0], x_GFCHW[1]):
            cond_uncond = torch.cat(call(x_GFCHW[:1], "both"))
            return cond_uncond[[0, 1] if half_G[0] else [1, 0]].flatten(0, 1)
        return torch.cat([call(x_GFCHW[i : i + 1], "cond" if half_G[i] else "uncond")[0] for i in range(chunks)])

    def _window_call(self, clip, frames, t, device):
        from ..dpidm_model.errors import InputError

        if max(frames) >= len(clip.poses):
            raise InputError(
                f"the latent has {max(frames) + 1} frames, the conditions {len(clip.poses)}; sample the latent that "
                "DPIDM Native Model gives"
            )
        network = self._network[0]
        longest = network.config.temporal_max_frames
        if network.config.temporal != "none" and len(frames) > longest:
            raise InputError(
                f"{len(frames)} frames at once, but this model's temporal layers know at most {longest}; put Context "
                "Windows (Manual) with dim 0 between DPIDM Native Model and the sampler"
            )
        part = clip.windows([frames], device, self.dtype)
        return lambda x, half: network(x, t, part, half=half, attention=self.attention)


class DPIDMNativeModel(io.ComfyNode):
    """MODEL, positive and negative for the host's samplers."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="DPIDMNativeModel",
            display_name="DPIDM Native Model",
            category="DPIDM/sampling",
            description="The model and its conditions as ComfyUI's own MODEL and CONDITIONING, for any sampler.",
            inputs=[
                DPIDMModel.Input("model", tooltip="From DPIDM Load Model."),
                DPIDMPoses.Input("poses", tooltip="From DPIDM Encode Poses; as many frames as the agnostic latents."),
                io.Latent.Input("garment_latent", tooltip="VAE Encode of the garment picture at the working size."),
                io.Latent.Input(
                    "agnostic_latents", tooltip="VAE Encode of the frames with the old garment painted over."
                ),
                io.Mask.Input(
                    "mask", tooltip="Where to dress (white). Any size; one mask for all frames, or one each."
                ),
                io.ClipVisionOutput.Input(
                    "clip_vision_output",
                    optional=True,
                    tooltip="CLIP Vision Encode of the garment (ViT-L/14, no crop), for models trained with it.",
                ),
                io.Mask.Input(
                    "garment_mask",
                    optional=True,
                    tooltip="Mask from Fit Garment, for models imported from ViViD; others do not look at it.",
                ),
            ],
            outputs=[
                io.Model.Output(
                    "native_model",
                    display_name="model",
                    tooltip="For KSampler; above 32 frames through Context Windows.",
                ),
                io.Conditioning.Output("positive", display_name="positive", tooltip="With the garment."),
                io.Conditioning.Output("negative", display_name="negative", tooltip="Without the garment."),
                io.Latent.Output(
                    "latent", display_name="latent", tooltip="Empty latent of the clip, with noise per frame."
                ),
            ],
        )

    @classmethod
    def execute(
        cls, model, poses, garment_latent, agnostic_latents, mask, clip_vision_output=None, garment_mask=None
    ) -> io.NodeOutput:
        from ..dpidm_model.sampling.tryon import make_conditions
        from .sampling_parts import native_parts, open_place, tryon_inputs

        optional = {"clip_vision_output": clip_vision_output, "garment_mask": garment_mask}
        inputs = tryon_inputs(model, poses, garment_latent, agnostic_latents, mask, **optional)
        inputs.check(model.info.config)
        place = open_place(model, inputs)
        held = NativeConditions(make_conditions(model.network, inputs, place).offload())
        native = host.native_model(NativeNetwork(model.network, place.attention), model.patcher, **native_parts(model))
        positive, negative = (host.native_conditioning(held, half) for half in (1.0, 0.0))
        samples = torch.zeros_like(inputs.agnostic_FCHW, device=host.intermediate_device())
        return io.NodeOutput(native, positive, negative, {"samples": samples, "batch_index": list(range(len(samples)))})


NODES = [DPIDMNativeModel]
