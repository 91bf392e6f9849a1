"""Conditions: fit the garment photo to the model's size, prepare both poses."""

from .host import io
from .types import DPIDMPoses, EncodedPoses, PoseKeypoint


class DPIDMFitGarment(io.ComfyNode):
    """The garment photo at the model's working size, its pose moved along."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="DPIDMFitGarment",
            display_name="DPIDM Fit Garment",
            category="DPIDM/garment",
            description="Centres the garment at the model's working size without distortion, for VAE Encode.",
            inputs=[
                io.Image.Input("image", tooltip="The garment photo (the first picture of a batch is used)."),
                PoseKeypoint.Input("pose", tooltip="The garment's pose on that photo."),
                io.Int.Input(
                    "width", default=384, min=64, max=4096, step=8, tooltip="Working width; take it from Load Model."
                ),
                io.Int.Input(
                    "height", default=512, min=64, max=4096, step=8, tooltip="Working height; take it from Load Model."
                ),
                io.Mask.Input(
                    "garment_mask", optional=True, tooltip="Where the garment is; without it the whole photo is fitted."
                ),
            ],
            outputs=[
                io.Image.Output("garment", display_name="garment"),
                PoseKeypoint.Output("garment_pose", display_name="garment_pose"),
            ],
        )

    @classmethod
    def execute(cls, image, pose, width, height, garment_mask=None) -> io.NodeOutput:
        import torch

        from ..dpidm_model.garment.fit import fit_garment
        from ..dpidm_model.pose.schema import from_garment, to_garment
        from .checks import image_batch

        picture = image_batch(image, "garment image")[0].cpu().numpy()
        mask = None if garment_mask is None else garment_mask[0].cpu().numpy()
        fitted, landmarks = fit_garment(picture, to_garment(pose, "upper"), (width, height), mask)
        return io.NodeOutput(torch.from_numpy(fitted)[None], from_garment(landmarks))


class DPIDMEncodePoses(io.ComfyNode):
    """Human and garment pose, drawn for the pose encoder."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="DPIDMEncodePoses",
            display_name="DPIDM Encode Poses",
            category="DPIDM/conditioning",
            description="Draws both poses at the working size; the model's pose encoder sees them window by window.",
            inputs=[
                PoseKeypoint.Input(
                    "human_pose", tooltip="The person's pose in every working frame (any POSE_KEYPOINT)."
                ),
                PoseKeypoint.Input("garment_pose", tooltip="The garment's pose, from Garment Pose or Fit Garment."),
                io.Int.Input(
                    "width", default=384, min=64, max=4096, step=8, tooltip="Working width of the frames in pixels."
                ),
                io.Int.Input(
                    "height", default=512, min=64, max=4096, step=8, tooltip="Working height of the frames in pixels."
                ),
            ],
            outputs=[
                DPIDMPoses.Output("poses", display_name="poses"),
                io.Image.Output(
                    "preview", display_name="preview", tooltip="The drawings that the network sees: garment first."
                ),
            ],
        )

    @classmethod
    def execute(cls, human_pose, garment_pose, width, height) -> io.NodeOutput:
        import torch

        from ..dpidm_model.pose.pictures import garment_picture
        from ..dpidm_model.pose.schema import to_garment, to_track
        from ..dpidm_model.sampling.poses import PoseClip

        human = PoseClip(to_track(human_pose), (width, height))
        garment_B3HW = garment_picture(to_garment(garment_pose, "upper"), (width, height))
        preview = torch.empty(1 + len(human), height, width, 3)
        preview[:1] = garment_B3HW.permute(0, 2, 3, 1)
        for frame in range(len(human)):
            preview[1 + frame] = human.pictures([frame])[0, 0].permute(1, 2, 0)
        poses = EncodedPoses(human=human, garment_image_B3HW=garment_B3HW, frames=len(human), size=human.size)
        return io.NodeOutput(poses, preview)


NODES = [DPIDMFitGarment, DPIDMEncodePoses]
