"""A second pack in the test server: makes the inputs that go wrong for users."""

import torch


class OddImage:
    """IMAGE of a kind: grey, nan, empty, alpha, noise."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "kind": (["grey", "nan", "empty", "alpha", "noise"],),
                "frames": ("INT", {"default": 1}),
                "width": ("INT", {"default": 96}),
                "height": ("INT", {"default": 128}),
            }
        }

    RETURN_TYPES = ("IMAGE", "MASK")
    FUNCTION = "make"
    CATEGORY = "tests"

    def make(self, kind, frames, width, height):
        images = torch.full((frames, height, width, 4 if kind == "alpha" else 3), 0.5)
        if kind == "nan":
            images[-1, height // 2] = float("nan")
        if kind == "empty":
            images = images[:0]
        if kind == "noise":
            images = torch.rand(images.shape, generator=torch.Generator().manual_seed(0))
        return images, torch.zeros(len(images), height, width)


class OddPose:
    """POSE_KEYPOINT of a standing person in the middle of every frame; nan: one joint is not a number."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "frames": ("INT", {"default": 1}),
                "width": ("INT", {"default": 96}),
                "height": ("INT", {"default": 128}),
                "nan": ("BOOLEAN", {"default": False}),
            }
        }

    RETURN_TYPES = ("POSE_KEYPOINT",)
    FUNCTION = "make"
    CATEGORY = "tests"

    # x, y of the 18 body joints in a picture of side 1
    STANDING = (
        (0.5, 0.15),
        (0.5, 0.25),
        (0.4, 0.25),
        (0.35, 0.4),
        (0.33, 0.52),
        (0.6, 0.25),
        (0.65, 0.4),
        (0.67, 0.52),
        (0.44, 0.55),
        (0.44, 0.73),
        (0.44, 0.9),
        (0.56, 0.55),
        (0.56, 0.73),
        (0.56, 0.9),
        (0.48, 0.13),
        (0.52, 0.13),
        (0.46, 0.14),
        (0.54, 0.14),
    )

    def make(self, frames, width, height, nan):
        flat = [v for x, y in self.STANDING for v in (x * width, y * height, 1.0)]
        if nan:
            flat[9] = float("nan")
        person = {
            "pose_keypoints_2d": flat,
            "face_keypoints_2d": None,
            "hand_left_keypoints_2d": None,
            "hand_right_keypoints_2d": None,
        }
        return ([{"people": [person], "canvas_width": width, "canvas_height": height} for _ in range(frames)],)


class Swallow:
    """An output node for anything, so that its input runs."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("*",)}}

    @classmethod
    def VALIDATE_INPUTS(cls, input_types):
        return True

    RETURN_TYPES = ()
    FUNCTION = "take"
    OUTPUT_NODE = True
    CATEGORY = "tests"

    def take(self, value):
        text = f"{tuple(value.shape)}" if hasattr(value, "shape") else type(value).__name__
        return {"ui": {"text": [text]}}


NODE_CLASS_MAPPINGS = {"OddImage": OddImage, "OddPose": OddPose, "Swallow": Swallow}
