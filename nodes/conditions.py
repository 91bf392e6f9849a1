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
                io.Mask.Output(
                    "mask", display_name="mask", tooltip="Where the garment is in the fitted picture (or all of it)."
                ),
            ],
        )

    @classmethod
    def execute(cls, image, pose, width, height, garment_mask=None) -> io.NodeOutput:
        import torch

        from ..dpidm_model.garment.fit import fit_garment
        from ..dpidm_model.pose.schema import from_garment, to_garment
        from .checks import image_batch

        picture = image_batch(image, "garment image")[0].cpu().numpy()
        mask = _mask_of(picture, garment_mask)
        marks, size = to_garment(pose, "upper"), (width, height)
        fitted, landmarks = fit_garment(picture, marks, size, mask)
        fitted_mask = torch.ones(1, height, width)
        if mask is not None:
            fitted_mask[0] = torch.from_numpy(fit_garment(mask[..., None].repeat(3, 2), marks, size, mask)[0][..., 0])
        return io.NodeOutput(torch.from_numpy(fitted)[None], from_garment(landmarks), fitted_mask)


def _mask_of(picture_HW3, garment_mask):
    """The first garment mask (H, W) with a black rim, so that padding is black as well; None if it is empty."""
    from ..dpidm_model.errors import InputError

    if garment_mask is None or not garment_mask[0].any():
        return None
    height, width = garment_mask.shape[-2:]
    if (height, width) != picture_HW3.shape[:2]:
        raise InputError(
            f"garment_mask is {width}x{height} pixels, the photo {picture_HW3.shape[1]}x{picture_HW3.shape[0]}; "
            "take the mask that Garment Pose gives for this photo"
        )
    mask_HW = garment_mask[0].cpu().numpy().copy()
    mask_HW[[0, -1]] = mask_HW[:, [0, -1]] = 0
    return mask_HW


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
                io.Image.Input(
                    "guider_pictures",
                    optional=True,
                    tooltip="Pose pictures of the frames (DensePose of another pack) for models imported from ViViD. "
                    "Their pose guider sees these instead of the drawings; other models do not look at them.",
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
    def execute(cls, human_pose, garment_pose, width, height, guider_pictures=None) -> io.NodeOutput:
        import torch

        from ..dpidm_model.pose.pictures import garment_picture
        from ..dpidm_model.pose.schema import to_garment, to_track
        from ..dpidm_model.sampling.poses import PoseClip

        human = PoseClip(to_track(human_pose), (width, height), guider_pictures)
        garment_B3HW = garment_picture(to_garment(garment_pose, "upper"), (width, height))
        preview = torch.empty(1 + len(human), height, width, 3)
        preview[:1] = garment_B3HW.permute(0, 2, 3, 1)
        for frame in range(len(human)):
            preview[1 + frame] = human.pictures([frame])[0, 0].permute(1, 2, 0)
        poses = EncodedPoses(human=human, garment_image_B3HW=garment_B3HW, frames=len(human), size=human.size)
        return io.NodeOutput(poses, preview)


NODES = [DPIDMFitGarment, DPIDMEncodePoses]
