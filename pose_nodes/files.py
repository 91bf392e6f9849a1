"""POSE_KEYPOINT as JSON files."""

from ..nodes import host
from ..nodes.host import io
from ..nodes.types import PoseKeypoint
from . import parts


class DPIDMSavePose(io.ComfyNode):
    """Poses into the output folder."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="DPIDMSavePose",
            display_name="DPIDM Save Pose",
            category="DPIDM/pose",
            description="Writes poses as a JSON file into ComfyUI's output folder, in the form other packs read.",
            is_output_node=True,
            inputs=[
                PoseKeypoint.Input("pose", tooltip="Poses to save."),
                io.String.Input("prefix", default="pose/dpidm", tooltip="Folder and name; a number is added."),
            ],
            outputs=[io.String.Output("path", display_name="path")],
        )

    @classmethod
    def execute(cls, pose, prefix) -> io.NodeOutput:
        from ..dpidm_model.pose.files import save_pose

        path = host.output_path(prefix, ".json")
        save_pose(path, pose)
        return io.NodeOutput(str(path), ui=host.ui.PreviewText(str(path)))


class DPIDMLoadPose(io.ComfyNode):
    """Poses from a JSON file or text."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="DPIDMLoadPose",
            display_name="DPIDM Load Pose",
            category="DPIDM/pose",
            description="Reads poses from a JSON file (POSE_KEYPOINT of any pack) or from pasted JSON.",
            inputs=[
                io.String.Input(
                    "source",
                    default="",
                    multiline=True,
                    tooltip="A file name in ComfyUI's input or output folder, a full path, or the JSON itself.",
                )
            ],
            outputs=[
                PoseKeypoint.Output("pose", display_name="pose"),
                io.Int.Output("frames", display_name="frames", tooltip="How many frames the poses have."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, source):
        from ..dpidm_model.pose.files import fingerprint

        return fingerprint(source, parts.pose_folders())

    @classmethod
    def execute(cls, source) -> io.NodeOutput:
        from ..dpidm_model.pose.files import load_pose
        from ..dpidm_model.pose.schema import parse

        pose = load_pose(source, parts.pose_folders())
        return io.NodeOutput(pose, len(parse(pose)))


NODES = [DPIDMSavePose, DPIDMLoadPose]
