"""Drawing POSE_KEYPOINT as a picture."""

from ..nodes.host import io
from ..nodes.types import PoseKeypoint
from . import parts


class DPIDMDrawPose(io.ComfyNode):
    """Skeletons on black, as pose networks expect them."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="DPIDMDrawPose",
            display_name="DPIDM Draw Pose",
            category="DPIDM/pose",
            description="Draws poses of people or garments on black in the colours that pose networks were trained on.",
            inputs=[
                PoseKeypoint.Input("pose", tooltip="Poses of people or of a garment, of any pack."),
                io.Int.Input(
                    "width", default=0, min=0, max=8192, tooltip="Width of the picture; 0: the pose's own canvas."
                ),
                io.Int.Input(
                    "height", default=0, min=0, max=8192, tooltip="Height of the picture; 0: the pose's own canvas."
                ),
                io.Float.Input(
                    "half_width",
                    default=0.0,
                    min=0.0,
                    max=64.0,
                    step=0.5,
                    tooltip="Half-width of limbs in pixels; 0: as other packs draw (4, wider from 500 pixels up).",
                ),
                io.Boolean.Input("hands", default=True, tooltip="Draw the hands."),
                io.Boolean.Input("face", default=True, tooltip="Draw the face points."),
            ],
            outputs=[io.Image.Output("images", display_name="images")],
        )

    @classmethod
    def execute(cls, pose, width, height, half_width, hands=True, face=True) -> io.NodeOutput:
        from ..dpidm_model.pose.schema import parse

        parsed = parse(pose)
        size = (width or parsed.canvas[0], height or parsed.canvas[1])
        thick = half_width or None
        pictures = parts.drawn(
            parsed.people, parsed.canvas, size, len(parsed), hands=hands, face=face, half_width=thick
        )
        return io.NodeOutput(pictures)


NODES = [DPIDMDrawPose]
