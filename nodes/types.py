"""The types that travel between this pack's nodes, and what exactly each carries."""

from dataclasses import dataclass
from typing import Any

from .host import io

DPIDMModel = io.Custom("DPIDM_MODEL")  # LoadedModel
DPIDMPoses = io.Custom("DPIDM_POSES")  # EncodedPoses
DPIDMCrop = io.Custom("DPIDM_CROP")  # dpidm_model.handovers.CropPlan
PoseKeypoint = io.Custom("POSE_KEYPOINT")  # the ecosystem's type: list of dicts, see dpidm_model/pose/schema.py


@dataclass(frozen=True)
class LoadedModel:
    """A DPIDM network under the host's memory management.

    patcher: the host's ModelPatcher around dpidm_model.network.model.DPIDM.  info: checkpoint.file.ModelInfo.
    strengths: dpidm_model.network.call.Strengths, or None for the trained network as it is.
    """

    patcher: Any
    info: Any
    strengths: Any = None

    @property
    def network(self):
        """The DPIDM module itself (its weights may be offloaded: host.load(patcher) brings them in)."""
        return self.patcher.model

    @property
    def dtype(self):
        """The number format of its weights."""
        return next(self.network.parameters()).dtype


@dataclass(frozen=True)
class EncodedPoses:
    """Both poses for the pose encoder.

    human: dpidm_model.sampling.poses.PoseClip. It is drawn and encoded window by window: features of a clip are large.
    garment_image_B3HW: the garment's drawn pose, (1, 3, H, W) in 0..1 (the network encodes it with the garment).
    frames: F.  size: (width, height) in pixels of the drawings, multiples of 8.
    """

    human: Any
    garment_image_B3HW: Any
    frames: int
    size: tuple[int, int]
