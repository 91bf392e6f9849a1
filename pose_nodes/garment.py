"""The garment pose node: landmarks of a garment photo as POSE_KEYPOINT."""

import logging

from ..nodes import host
from ..nodes.host import io
from ..nodes.types import PoseKeypoint

log = logging.getLogger(__name__)


class DPIDMGarmentPose(io.ComfyNode):
    """Finds the 13 garment landmarks that correspond to the wearer's joints."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="DPIDMGarmentPose",
            display_name="DPIDM Garment Pose",
            category="DPIDM/pose",
            description="Finds landmarks on a garment photo (neck, shoulders, sleeves, hem), its mask and category.",
            inputs=[
                io.Image.Input(
                    "image", tooltip="Product photo of one garment, frontal; each picture of a batch is read."
                ),
                io.Combo.Input(
                    "category",
                    options=["auto", "upper", "lower", "dress"],
                    default="auto",
                    tooltip="What kind of garment it is; auto recognises it.",
                ),
                io.Mask.Input(
                    "garment_mask",
                    optional=True,
                    tooltip="White where the garment is; needed only on busy backgrounds.",
                ),
                io.String.Input(
                    "overrides",
                    default="",
                    multiline=True,
                    optional=True,
                    tooltip='Your own points as JSON, in pixels: {"r_wrist": [120, 340], "l_wrist": null}. '
                    "Left and right are the wearer's; null removes a point. After a run you can drag the points.",
                ),
            ],
            outputs=[
                PoseKeypoint.Output("garment_pose", display_name="garment_pose"),
                io.Image.Output("preview", display_name="preview"),
                io.Mask.Output("mask", display_name="mask"),
                io.String.Output("garment_category", display_name="category"),
                io.String.Output("report", display_name="report"),
            ],
        )

    @classmethod
    def execute(cls, image, category, garment_mask=None, overrides="") -> io.NodeOutput:
        from ..dpidm_model.garment.batch import read_batch
        from ..nodes.checks import image_batch

        result = read_batch(
            image_batch(image, "garment image"), category=category, masks=garment_mask, overrides=overrides
        )
        for line in result.warnings:
            log.warning("Garment Pose: %s", line)
        points = {**result.points, "picture": host.temporary_picture(result.shown_HW3)}
        return io.NodeOutput(
            result.pose, result.preview_BHW3, result.mask_BHW, result.category, result.report,
            ui={"dpidm_points": [points]},
        )  # fmt: skip


NODES = [DPIDMGarmentPose]
