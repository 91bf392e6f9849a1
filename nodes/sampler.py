"""The sampler: dresses a clip of any length, window by window."""

from . import host
from .host import io
from .types import DPIDMModel, DPIDMPoses


def _inputs() -> list:
    return [
        DPIDMModel.Input("model", tooltip="From DPIDM Load Model."),
        DPIDMPoses.Input("poses", tooltip="From DPIDM Encode Poses; as many frames as the agnostic latents."),
        io.Latent.Input("garment_latent", tooltip="VAE Encode of the garment picture at the working size."),
        io.Latent.Input("agnostic_latents", tooltip="VAE Encode of the frames with the old garment painted over."),
        io.Mask.Input("mask", tooltip="Where to dress (white). Any size; one mask for all frames, or one each."),
        io.Int.Input("steps", default=25, min=1, max=1000, tooltip="Denoising steps. LCM and TCD need only 4 to 8."),
        io.Float.Input(
            "cfg", default=1.5, min=0, max=30, step=0.1, round=0.01,
            tooltip="How strongly the garment is followed. The paper uses 1.5; 1 is off and twice as fast.",
        ),
        io.Int.Input(
            "seed", default=0, min=0, max=2**64 - 1, control_after_generate=True,
            tooltip="A frame's noise depends on the seed and its number only, so a longer clip begins the same.",
        ),
        io.Combo.Input(
            "sampler", options=["ddim", "dpmpp_2m", "uni_pc", "euler", "euler_ancestral", "lcm", "tcd"], default="ddim",
            tooltip="ddim is the paper's. lcm and tcd are for models distilled for few steps.",
        ),
        io.Int.Input(
            "context_length", default=24, min=1, max=1024,
            tooltip="Frames per window. 24 is what the model was trained with; fewer need less memory. At most 32.",
        ),
        io.Int.Input("context_overlap", default=8, min=0, max=1023, tooltip="Frames shared by neighbouring windows."),
        io.Combo.Input(
            "context_schedule", options=["standard_static", "standard_uniform", "looped_uniform", "batched"],
            default="standard_static",
            tooltip="standard_static: fixed windows. The uniform ones move at every step and need fuse_at = step; looped_uniform joins the clip's end to its beginning. batched: no overlap.",  # noqa: E501
        ),
        io.Combo.Input(
            "fuse_method", options=["pyramid", "flat", "relative", "overlap-linear"], default="pyramid",
            tooltip="How overlapping windows are weighted. flat counts them the same, the others fade at the borders.",
        ),
        io.Combo.Input(
            "fuse_at", options=["window", "step"], default="window",
            tooltip="window (the paper): each window is denoised on its own, then results are averaged. step: windows are averaged at every step.",  # noqa: E501
        ),
        io.ClipVisionOutput.Input(
            "clip_vision_output", optional=True,
            tooltip="CLIP Vision Encode of the garment (ViT-L/14, no crop), for models trained with it.",
        ),
        io.Latent.Input("source_latents", optional=True, tooltip="Latents to start from when denoise is below 1."),
        io.Float.Input(
            "denoise", default=1.0, min=0.01, max=1, step=0.01, optional=True,
            tooltip="1 starts from noise; less keeps that much of source_latents.",
        ),
        io.Float.Input(
            "cfg_start", default=0.0, min=0, max=1, step=0.01, optional=True,
            tooltip="Share of the steps before which cfg is not used.",
        ),
        io.Float.Input(
            "cfg_end", default=1.0, min=0, max=1, step=0.01, optional=True,
            tooltip="Share of the steps after which cfg is not used; 0.6 saves a fifth of the time.",
        ),
        io.Mask.Input(
            "garment_mask", optional=True,
            tooltip="Mask from Fit Garment, for models imported from ViViD; others do not look at it.",
        ),
        io.Boolean.Input("preview", default=True, optional=True, tooltip="Show the frame being made on the node."),
        io.Boolean.Input(
            "resume", default=True, optional=True,
            tooltip="Keep the state of an unfinished run, and go on with it when the same inputs are queued again.",
        ),
        io.Int.Input(
            "context_stride", default=1, min=1, max=8, optional=True,
            tooltip="Uniform schedules only: also windows of every 2nd, 4th, ... frame, up to 2^(stride - 1).",
        ),
        io.Boolean.Input(
            "closed_loop", default=False, optional=True,
            tooltip="looped_uniform only: the last frame leads into the first, for clips that loop.",
        ),
    ]  # fmt: skip


class DPIDMVideoSampler(io.ComfyNode):
    """A clip of any length, with only a window of it on the device."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="DPIDMVideoSampler",
            display_name="DPIDM Video Sampler",
            category="DPIDM/sampling",
            description="Dresses the person of a clip of any length: windows of frames are denoised and joined.",
            inputs=_inputs(),
            outputs=[io.Latent.Output("latents", display_name="latents", tooltip="Decode with the model's VAE.")],
        )

    @classmethod
    def execute(
        cls, model, poses, garment_latent, agnostic_latents, mask, preview=True, resume=True, **settings
    ) -> io.NodeOutput:
        from ..dpidm_model.sampling.tryon import sample_tryon
        from .sampling_parts import open_place, open_store, sampler_config, tryon_inputs
        from .watcher import NodeWatcher

        optional = [settings.pop(name, None) for name in ("clip_vision_output", "source_latents", "garment_mask")]
        config = sampler_config(**settings)
        inputs = tryon_inputs(model, poses, garment_latent, agnostic_latents, mask, *optional)
        inputs.check(model.info.config, config.windows.length)
        store = open_store(model, inputs, config) if resume else None
        with host.out_of_memory_cleanup():
            place = open_place(model, inputs, config)
            watcher = NodeWatcher(model.info.config.latent_channels, preview)
            network, schedule = model.network, model.info.schedule
            latents = sample_tryon(network, schedule, inputs, config, place, watcher=watcher, store=store)
        return io.NodeOutput({"samples": latents.to(host.intermediate_device())})


NODES = [DPIDMVideoSampler]
