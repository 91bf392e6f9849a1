"""Crop to the person, and paste the result back."""

from .host import io
from .types import DPIDMCrop, PoseKeypoint


class DPIDMCropToPerson(io.ComfyNode):
    """The focus tunnel: a smooth crop that follows the person."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="DPIDMCropToPerson",
            display_name="DPIDM Crop to Person",
            category="DPIDM/video",
            description="Crops a video to one person, smoothly and at one size, so that the model sees them large.",
            inputs=[
                io.Image.Input("images", tooltip="The frames of the source video."),
                PoseKeypoint.Input("pose", tooltip="One person's pose on these frames."),
                io.Int.Input(
                    "width", default=384, min=64, max=4096, step=8, tooltip="Working width; take it from Load Model."
                ),
                io.Int.Input(
                    "height", default=512, min=64, max=4096, step=8, tooltip="Working height; take it from Load Model."
                ),
                io.Float.Input(
                    "margin",
                    default=0.1,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Free space around the person, as a fraction of their size.",
                ),
                io.Int.Input(
                    "steady",
                    default=24,
                    min=0,
                    max=240,
                    tooltip="Frames over which the crop's motion is averaged; more is calmer.",
                ),
            ],
            outputs=[
                io.Image.Output("cropped", display_name="images"),
                PoseKeypoint.Output("cropped_pose", display_name="pose"),
                DPIDMCrop.Output("crop", display_name="crop"),
            ],
        )

    @classmethod
    def execute(cls, images, pose, width, height, margin, steady=24) -> io.NodeOutput:
        from ..dpidm_model.frames.clip import crop_clip
        from ..dpidm_model.pose.schema import from_track, to_track
        from .checks import image_batch

        image_batch(images, "images (the frames)")
        track = to_track(pose, frames=len(images))
        cropped, cropped_track, plan = crop_clip(images, track, (width, height), margin=margin, steady=steady)
        return io.NodeOutput(cropped, from_track(cropped_track), plan)


class DPIDMPasteBack(io.ComfyNode):
    """The finished pictures back into the source video."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="DPIDMPasteBack",
            display_name="DPIDM Paste Back",
            category="DPIDM/video",
            description="Puts the dressed crops back into the source video; nothing changes outside the soft mask.",
            inputs=[
                io.Image.Input("source", tooltip="The frames of the source video, as they went into Crop to Person."),
                io.Image.Input("result", tooltip="The dressed frames, at the crop's size or another."),
                DPIDMCrop.Input("crop", tooltip="From Crop to Person."),
                io.Mask.Input("mask", tooltip="The agnostic mask of the cropped frames, one or one per frame."),
                io.Float.Input(
                    "feather",
                    default=8.0,
                    min=0.0,
                    max=128.0,
                    step=1.0,
                    tooltip="Width of the soft edge outside the mask, in pixels of a result 512 high.",
                ),
                io.Combo.Input(
                    "colour_match",
                    options=["seam", "none"],
                    default="seam",
                    tooltip="seam: shift the result's colours a little so that they meet the source at the edge.",
                ),
            ],
            outputs=[io.Image.Output("images", display_name="images")],
        )

    @classmethod
    def execute(cls, source, result, crop, mask, feather, colour_match="seam") -> io.NodeOutput:
        from ..dpidm_model.frames.clip import paste_clip
        from ..dpidm_model.frames.paste import PasteOptions
        from .checks import image_batch

        image_batch(source, "source (the frames)")
        image_batch(result, "result (the frames)")
        return io.NodeOutput(paste_clip(source, result, mask, crop, PasteOptions(feather=feather, match=colour_match)))


NODES = [DPIDMCropToPerson, DPIDMPasteBack]
