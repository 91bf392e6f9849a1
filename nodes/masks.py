"""The agnostic mask node: where the new garment may go."""

from .host import io
from .types import PoseKeypoint


class DPIDMAgnosticMask(io.ComfyNode):
    """Mask, grey-filled video and preview from poses, better with a person segmentation."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="DPIDMAgnosticMask",
            display_name="DPIDM Agnostic Mask",
            category="DPIDM/video",
            description="Masks where a garment of that kind may be, hands, head, hair, shoes and a bag kept, steady.",
            inputs=[
                io.Image.Input("images", tooltip="The frames, usually the cropped ones."),
                PoseKeypoint.Input("pose", tooltip="One person's pose on these frames."),
                io.Combo.Input(
                    "category",
                    options=["upper", "lower", "dress"],
                    default="upper",
                    tooltip="What the new garment covers: upper body, lower body, or both.",
                ),
                io.Float.Input(
                    "grow",
                    default=0.0,
                    min=-64.0,
                    max=128.0,
                    step=1.0,
                    tooltip="Widens the mask, in pixels of a picture 512 high; negative narrows it.",
                ),
                io.Float.Input(
                    "feather",
                    default=0.0,
                    min=0.0,
                    max=64.0,
                    step=1.0,
                    tooltip="Softens the mask's edge, in pixels of a picture 512 high. Paste Back feathers on its own.",
                ),
                io.Boolean.Input("keep_hands", default=True, tooltip="Leave hands out of the mask."),
                io.Boolean.Input("keep_head", default=True, tooltip="Leave face and head out of the mask."),
                io.Boolean.Input(
                    "keep_hair",
                    default=True,
                    optional=True,
                    tooltip="Leave hair over the shoulders out of the mask, where its colour differs from the clothes.",
                ),
                io.Boolean.Input(
                    "keep_bag",
                    default=True,
                    optional=True,
                    tooltip="Leave a bag that hangs from a hand out of the mask, where its colour stands out.",
                ),
                io.Mask.Input(
                    "segmentation",
                    optional=True,
                    tooltip="White where the person is (any segmentation node, one mask or one per frame): the mask "
                    "then stays near the body.",
                ),
                io.Mask.Input(
                    "keep",
                    optional=True,
                    tooltip="White on things to leave alone that colours do not tell apart: a scarf, another person.",
                ),
            ],
            outputs=[
                io.Image.Output("agnostic", display_name="agnostic"),
                io.Mask.Output("mask", display_name="mask"),
                io.Image.Output("preview", display_name="preview"),
            ],
        )

    @classmethod
    def execute(
        cls, images, pose, category, grow, feather, keep_hands=True, keep_head=True, keep_hair=True, keep_bag=True,
        segmentation=None, keep=None,
    ) -> io.NodeOutput:  # fmt: skip
        from ..dpidm_model.frames.agnostic import MaskOptions
        from ..dpidm_model.frames.clip import agnostic_clip
        from ..dpidm_model.pose.schema import to_track
        from .checks import image_batch

        image_batch(images, "images (the frames)")
        options = MaskOptions(category=category, grow=grow, feather=feather, keep_hands=keep_hands, keep_head=keep_head)
        track = to_track(pose, frames=len(images))
        things = [name for name, wanted in (("hair", keep_hair), ("bag", keep_bag)) if wanted]
        return io.NodeOutput(*agnostic_clip(images, track, options, segmentation, keep, things))


NODES = [DPIDMAgnosticMask]
