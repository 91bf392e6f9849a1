"""Nodes on POSE_KEYPOINT over time: choose a person, smooth."""

from ..nodes.host import io
from ..nodes.types import PoseKeypoint
from . import parts


class DPIDMSelectPerson(io.ComfyNode):
    """One person out of poses with several."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="DPIDMSelectPerson",
            display_name="DPIDM Select Person",
            category="DPIDM/pose",
            description="Follows one person through poses with several people, whatever node made them.",
            inputs=[
                PoseKeypoint.Input("pose", tooltip="Poses of any pack's detector, with one or more people."),
                *parts.person_inputs([]),
                parts.person_mask_input(),
                io.Image.Input(
                    "images",
                    optional=True,
                    tooltip="The frames of the poses: people who cross are then told apart by their clothes too.",
                ),
            ],
            outputs=[
                PoseKeypoint.Output("person_pose", display_name="pose"),
                io.Int.Output("people", display_name="people", tooltip="How many people were told apart."),
            ],
        )

    @classmethod
    def execute(
        cls, pose, person, person_index, point_x, point_y, point_frame, person_mask=None, images=None
    ) -> io.NodeOutput:
        from ..dpidm_model.frames.batch import uint8_frames
        from ..dpidm_model.pose.schema import from_track, parse
        from ..dpidm_model.pose.tracks import find_cuts, follow, link, watched
        from ..nodes.checks import image_batch

        parsed = parse(pose)
        if images is not None:
            parsed = watched(parsed, uint8_frames(image_batch(images, "images (the frames)")))
        chosen = parts.selection(person, person_index, point_x, point_y, point_frame, person_mask)
        followed = follow(parsed, chosen)
        return io.NodeOutput(from_track(followed.track), len(link(parsed, find_cuts(parsed))))


class DPIDMSmoothPose(io.ComfyNode):
    """Gaps filled, left and right kept apart, motion smoothed."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="DPIDMSmoothPose",
            display_name="DPIDM Smooth Pose",
            category="DPIDM/pose",
            description="Cleans up poses of any detector over time: gaps, left/right flips, jitter; not across cuts.",
            inputs=[
                PoseKeypoint.Input("pose", tooltip="Poses of a clip; people are cleaned up one by one."),
                *parts.smoothing_inputs(),
                io.Boolean.Input(
                    "fix_left_right", default=True, tooltip="Undo exchanges of left and right that motion contradicts."
                ),
            ],
            outputs=[
                PoseKeypoint.Output("smooth_pose", display_name="pose"),
                io.String.Output("report", display_name="report"),
            ],
        )

    @classmethod
    def execute(cls, pose, smoothing, strength, fill_gaps, fix_left_right=True) -> io.NodeOutput:
        from ..dpidm_model.pose.human import cleaned
        from ..dpidm_model.pose.schema import parse
        from ..dpidm_model.pose.tracks import CleanUp, follow_all

        options = CleanUp(method=smoothing, strength=strength, max_gap=fill_gaps, untangle=fix_left_right)
        result = cleaned(follow_all(parse(pose)), options)
        return io.NodeOutput(result.pose, result.text)


NODES = [DPIDMSelectPerson, DPIDMSmoothPose]
