"""From a video to the poses of its people: pick a backend, detect, follow, clean up, report.

F frames, K=130 joints; sizes (width, height).
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..handovers import PoseTrack
from .detectors.base import Detector
from .report import as_text, report
from .schema import from_tracks
from .tracks import CleanUp, Person, Selection, clean, follow, follow_all

log = logging.getLogger(__name__)

BACKENDS = ("auto", "dwpose", "blazepose", "openpose")


@dataclass(frozen=True, kw_only=True)
class Places:
    """Folders to look for each backend's weights in, best first; the first of each is where downloads go."""

    dwpose: tuple[Path, ...] = ()
    blazepose: tuple[Path, ...] = ()
    openpose: tuple[Path, ...] = ()


@dataclass(frozen=True)
class HumanPose:
    """What was found. tracks: the people, cleaned; one unless all were asked for. pose: as POSE_KEYPOINT.
    text: the report to read.
    """

    tracks: tuple[PoseTrack, ...]
    pose: list[dict]
    text: str


def make_detector(
    backend: str,
    places: Places,
    *,
    hands: bool = True,
    face: bool = True,
    on_bytes: Callable[[int, int], None] | None = None,
) -> tuple[str, Detector]:
    """The backend's name and a detector of it. "auto": DW-Pose if its files are here, else BlazePose, else say how.

    on_bytes: called with (bytes done, bytes in all) while weights are downloaded.

    Raises MissingFileError, MissingDependencyError or CheckpointError with what to do.
    """
    if backend not in BACKENDS:
        raise InputError(f"pose backend {backend!r} is not known; choose one of {', '.join(BACKENDS)}")
    if backend == "auto":
        backend = _best_present(places)
        log.info("pose backend: %s", backend)
    if backend == "dwpose":
        from .detectors.dwpose import DWPose

        return backend, DWPose.from_folders(list(places.dwpose), on_bytes=on_bytes)
    if backend == "openpose":
        from .detectors.openpose import OpenPose

        return backend, OpenPose.from_folders(list(places.openpose), hands=hands, face=face)
    from .detectors.blazepose import BlazePose, BlazePoseConfig
    from .detectors.tflite import find_folder

    return backend, BlazePose(find_folder(list(places.blazepose)), BlazePoseConfig(hands=hands, face=face))


def _best_present(places: Places) -> str:
    """The backend "auto" stands for: what is there, best first; with nothing there DW-Pose, which downloads itself."""
    from .detectors import dwpose, tflite

    if dwpose.present(list(places.dwpose)):
        return "dwpose"
    if any(all((folder / name).is_file() for name in tflite.FILES) for folder in places.blazepose):
        return "blazepose"
    return "dwpose"


def human_pose(
    frames: Iterable[np.ndarray],
    detector: Detector,
    selection: Selection | None,
    options: CleanUp,
    on_frame: Callable[[int], None] | None = None,
) -> HumanPose:
    """Poses of one person (or of everybody, if `selection` is None) in a clip of RGB uint8 frames.

    Raises InputError if nobody is found.
    """
    detections = detector.detect(frames, on_frame)
    return cleaned(follow_all(detections) if selection is None else [follow(detections, selection)], options)


def cleaned(people: list[Person], options: CleanUp) -> HumanPose:
    """The clean-up of each person, with the report. Raises InputError if there is nobody."""
    if not people:
        raise InputError("no person was found in any frame; check the video, or draw or load a pose instead")
    tracks = tuple(clean(person, options) for person in people)
    pairs = enumerate(zip(people, tracks))
    text = "\n\n".join(_describe(i, person, track, len(people)) for i, (person, track) in pairs)
    return HumanPose(tracks, from_tracks(tracks), text)


def _describe(index: int, person: Person, track: PoseTrack, people: int) -> str:
    head = f"person {index} of {people}\n" if people > 1 else ""
    return head + as_text(report(track, person.track, person.cuts))
