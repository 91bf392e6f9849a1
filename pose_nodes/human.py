"""The human pose node: a video's people as POSE_KEYPOINT, followed, completed and smoothed."""

from ..nodes import host
from ..nodes.host import io
from ..nodes.types import PoseKeypoint
from . import parts


class DPIDMHumanPose(io.ComfyNode):
    """Detects poses, follows the person you mean, fills gaps, keeps left and right apart, smooths."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="DPIDMHumanPose",
            display_name="DPIDM Human Pose",
            category="DPIDM/pose",
            description="Poses of the people in a video: one person followed through the whole clip, ready to use.",
            inputs=[
                io.Image.Input("images", tooltip="The frames of the video (or a single picture)."),
                io.Combo.Input(
                    "backend",
                    options=["auto", "dwpose", "blazepose", "openpose"],
                    default="auto",
                    tooltip="auto: DW-Pose if its files are there, else BlazePose. The help page names the files.",
                ),
                *parts.person_inputs(["all"]),
                *parts.smoothing_inputs(),
                io.Boolean.Input("hands", default=True, tooltip="Find hands too (BlazePose, OpenPose: costs time)."),
                io.Boolean.Input("face", default=True, tooltip="Find face points too (BlazePose, OpenPose)."),
                parts.person_mask_input(),
            ],
            outputs=[
                PoseKeypoint.Output("pose", display_name="pose"),
                io.Image.Output("preview", display_name="preview"),
                io.String.Output("report", display_name="report"),
            ],
        )

    @classmethod
    def execute(
        cls, images, backend, person, person_index, point_x, point_y, point_frame, smoothing, strength, fill_gaps,
        hands=True, face=True, person_mask=None,
    ) -> io.NodeOutput:  # fmt: skip
        from ..dpidm_model.frames.batch import uint8_frames
        from ..dpidm_model.pose.human import human_pose, make_detector
        from ..dpidm_model.pose.schema import parse
        from ..dpidm_model.pose.tracks import CleanUp
        from ..nodes.checks import image_batch

        image_batch(images, "images (the frames)")
        chosen = parts.selection(person, person_index, point_x, point_y, point_frame, person_mask)
        options = CleanUp(method=smoothing, strength=strength, max_gap=fill_gaps)
        name, detector = make_detector(backend, parts.places(), hands=hands, face=face, on_bytes=parts.show_download)
        found = human_pose(uint8_frames(images), detector, chosen, options, host.Progress(len(images)).step)
        size = (images.shape[2], images.shape[1])
        preview = parts.drawn(parse(found.pose).people, size, size, len(images))
        return io.NodeOutput(found.pose, preview, f"backend: {name}\n{found.text}")


NODES = [DPIDMHumanPose]
