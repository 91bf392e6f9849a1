"""The instant preview node: a garment photo warped onto the person, without any network."""

from . import host
from .host import io
from .types import PoseKeypoint


class DPIDMInstantPreview(io.ComfyNode):
    """Shows at once how the garment would sit: a warp by landmarks, to judge poses, or to start the sampler."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="DPIDMInstantPreview",
            display_name="DPIDM Instant Preview",
            category="DPIDM/video",
            description="Warps the garment photo onto the person by both poses, without weights.",
            inputs=[
                io.Image.Input("images", tooltip="The frames of the person."),
                PoseKeypoint.Input("pose", tooltip="One person's pose on these frames."),
                io.Image.Input("garment", tooltip="The garment photo, as given to Garment Pose."),
                PoseKeypoint.Input("garment_pose", tooltip="The garment's landmarks, from Garment Pose."),
                io.Mask.Input(
                    "garment_mask", optional=True, tooltip="White on the garment, from Garment Pose; else it is found."
                ),
                io.Mask.Input(
                    "protect",
                    optional=True,
                    tooltip="White where something lies before the garment (hair, a bag): one mask or one per frame.",
                ),
                io.Float.Input(
                    "shading",
                    default=0.6,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How much of the frame's light and folds falls on the garment.",
                ),
                io.Float.Input(
                    "opacity",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="Of the garment, 1 hides what is below.",
                ),
            ],
            outputs=[
                io.Image.Output("preview", display_name="preview"),
                io.Mask.Output("mask", display_name="mask"),
                io.String.Output("report", display_name="report"),
            ],
        )

    @classmethod
    def execute(
        cls, images, pose, garment, garment_pose, shading, opacity, garment_mask=None, protect=None
    ) -> io.NodeOutput:
        from ..dpidm_model.garment.preview import PreviewOptions
        from ..dpidm_model.garment.preview_clip import preview_clip
        from .checks import image_batch

        image_batch(images, "images (the frames)")
        result = preview_clip(
            images,
            pose,
            garment,
            garment_pose,
            garment_mask=garment_mask,
            protect=protect,
            options=PreviewOptions(shading=shading, opacity=opacity),
            on_frame=host.Progress(len(images)).step,
        )
        return io.NodeOutput(*result)


NODES = [DPIDMInstantPreview]
