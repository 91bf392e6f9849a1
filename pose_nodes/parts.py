"""What the pose nodes share: widgets, model folders, previews."""

from pathlib import Path

from ..nodes import host
from ..nodes.host import io

PEOPLE = ["largest", "leftmost", "rightmost", "topmost", "bottommost", "most central", "index", "point", "mask"]
SMOOTHING = ["savgol", "one_euro"]


def person_inputs(first: list[str]) -> list:
    """Widgets that say which person is meant; `first` are extra choices before the rules."""
    return [
        io.Combo.Input(
            "person",
            options=[*first, *PEOPLE],
            default="largest",
            tooltip="Who is followed when there are several people. index, point and mask use the inputs below.",
        ),
        io.Int.Input(
            "person_index",
            default=0,
            min=0,
            max=99,
            tooltip="For person = index: 0 is the largest person, 1 the next, and so on.",
        ),
        io.Float.Input(
            "point_x",
            default=0.5,
            min=0.0,
            max=1.0,
            step=0.01,
            tooltip="For person = point: horizontal place, 0 left, 1 right.",
        ),
        io.Float.Input(
            "point_y",
            default=0.5,
            min=0.0,
            max=1.0,
            step=0.01,
            tooltip="For person = point: vertical place, 0 top, 1 bottom.",
        ),
        io.Int.Input(
            "point_frame",
            default=0,
            min=0,
            max=100000,
            tooltip="For person = point or mask: the frame in which the person is there.",
        ),
    ]


def person_mask_input():
    """The optional mask of the person meant."""
    return io.Mask.Input(
        "person_mask", optional=True, tooltip="For person = mask: white on the person, in frame point_frame."
    )


def smoothing_inputs() -> list:
    """Widgets of the clean-up over time."""
    return [
        io.Combo.Input(
            "smoothing",
            options=SMOOTHING,
            default="savgol",
            tooltip="savgol: steady motion stays exact (recommended). one_euro: still joints hold stiller.",
        ),
        io.Float.Input(
            "strength",
            default=0.5,
            min=0.0,
            max=1.0,
            step=0.05,
            tooltip="How strongly motion is smoothed over time; 0 switches it off. Never across a cut.",
        ),
        io.Int.Input(
            "fill_gaps",
            default=24,
            min=0,
            max=1000,
            tooltip="Gaps up to this many frames are filled by interpolation; longer ones stay without a pose.",
        ),
    ]


def selection(person, person_index, point_x, point_y, point_frame, person_mask=None):
    """The person widgets as a Selection; None for "all"."""
    from ..dpidm_model.pose.tracks import Selection

    if person == "all":
        return None
    mask_HW = None
    if person_mask is not None:
        mask_HW = person_mask[min(point_frame, len(person_mask) - 1)].cpu().numpy()
    return Selection(rule=person, index=person_index, point=(point_x, point_y), mask_HW=mask_HW, frame=point_frame)


def places():
    """Where the host and other packs keep pose weights."""
    from ..dpidm_model.pose.human import Places

    own, root = host.model_folders(), host.models_root()
    aux = [folder / "comfyui_controlnet_aux" / "ckpts" for folder in host.custom_nodes_folders()]
    shared = [*host.model_folders("dwpose"), root / "dwpose", root / "DWPose", root / "onnx", root / "detection"]
    packs = [p for folder in host.custom_nodes_folders() for p in sorted(folder.glob("*/ckpts/*/*")) if p.is_dir()]
    return Places(
        dwpose=tuple([*(Path(p) / "dwpose" for p in own), *shared, *(a / "yzd-v" / "DWPose" for a in aux), *packs]),
        blazepose=tuple([*(Path(p) / "blazepose" for p in own), *host.model_folders("blazepose")]),
        openpose=tuple([*(Path(p) / "openpose" for p in own), *(a / "lllyasviel" / "Annotators" for a in aux), *packs]),
    )


def drawn(poses, canvas, size, count, *, hands=True, face=True, half_width=None):
    """Frames of POSE_KEYPOINT people drawn on black, as an IMAGE batch. poses: per frame (N, 130, 3)."""
    from ..dpidm_model.frames.batch import collect
    from ..dpidm_model.pose.draw import draw_people

    pictures = (draw_people(p, canvas, size, hands=hands, face=face, half_width=half_width) for p in poses)
    return collect(pictures, count)


def pose_folders() -> list[Path]:
    """Where Load Pose looks for file names: the host's input and output folders."""
    return [host.input_folder(), host.output_path("pose", "").parent]


def show_download(done: int, total: int) -> None:
    """A download's progress on the node; lets Cancel through."""
    host.Progress(total).step(done)
