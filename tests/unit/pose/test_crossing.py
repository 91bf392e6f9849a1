"""Two people walk past or up to each other: the colours of their clothes keep their names."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from dpidm_model.errors import InputError
from dpidm_model.evaluation.mask import silhouette
from dpidm_model.frames.video import read_frames
from dpidm_model.handovers import MISSING
from dpidm_model.pose.detectors.base import Detections, stack_people
from dpidm_model.pose.detectors.blazepose import BlazePose, BlazePoseConfig
from dpidm_model.pose.linking import link
from dpidm_model.pose.looks import difference, looks
from dpidm_model.pose.schema import ParsedPose
from dpidm_model.pose.tracks import Selection, follow, watched
from tests.unit.pose.people import person

ROOT = Path(__file__).parents[3]
WEIGHTS = ROOT / ".host" / "base" / "models" / "dpidm" / "blazepose"
REAL = ROOT / "../shared/data/realset"
FRAMES, WIDTH = 48, 900


def paths(kind: str) -> np.ndarray:
    """(F, 2) place of both, 0..1: they pass each other, or meet and turn back."""
    time = np.linspace(0, 1, FRAMES)
    there = time if kind == "pass" else 0.5 - np.abs(time - 0.5)
    return np.stack([there, 1 - there], axis=1)


def switches(detections: Detections, truth_F2: np.ndarray) -> int:
    """How often a track changes the person it shows. truth_F2: where the two people's necks are."""
    changes = 0
    for track in link(detections, detections.cuts):
        apart = np.abs(truth_F2[:, 0] - truth_F2[:, 1]) > 40
        seen = np.flatnonzero((track.keypoints_FK3[:, 1, 2] > 0) & apart)
        who = np.abs(track.keypoints_FK3[seen, 1, :1] - truth_F2[seen]).argmin(axis=1)
        changes += int((np.diff(who) != 0).sum())
    return changes


# ---------------------------------------------------------------------------------------------- painted people

TOPS, TROUSERS = ((200, 40, 40), (60, 90, 180)), ((30, 30, 30), (190, 180, 150))


def painted(kind: str, tops=TOPS, trousers=TROUSERS, found_again: int = 8):
    """Frames and people; the second is hidden while behind the first and for `found_again` frames after."""
    frames, people, hidden = [], [], 0
    truth_F2 = 80 + (WIDTH - 160) * paths(kind)
    for frame, (x_first, x_second) in enumerate(truth_F2):
        picture = np.full((450, WIDTH, 3), 190, np.uint8)
        both = [person(x, 110, 380) for x in (x_first, x_second)]
        for pose, top, bottom in zip(both[::-1], tops[::-1], trousers[::-1]):
            corners = pose[[2, 5, 11, 8], :2].astype(np.int32) + [(-12, 0), (12, 0), (8, 4), (-8, 4)]
            for leg in ((8, 9, 10), (11, 12, 13)):
                cv2.polylines(picture, [pose[list(leg), :2].astype(np.int32)], False, bottom, 34)
            cv2.fillPoly(picture, [corners], top)
        noisy = picture + np.random.default_rng(frame).normal(0, 4, picture.shape)
        frames.append(np.clip(noisy, 0, 255).astype(np.uint8))
        hidden = found_again if abs(x_first - x_second) < 90 else max(0, hidden - 1)
        people.append(stack_people(both[:1] if hidden else both[:: 1 if frame % 3 else -1]))
    return frames, ParsedPose(tuple(people), (WIDTH, 450)), truth_F2


@pytest.mark.parametrize(("kind", "lost_without"), [("pass", 0), ("meet", 2)])
def test_clothes_keep_the_names_where_motion_alone_loses_them(kind, lost_without):
    frames, parsed, truth_F2 = painted(kind)
    seen = watched(parsed, iter(frames))
    assert seen.cuts == ()
    assert switches(replace(seen, looks=()), truth_F2) == lost_without
    assert switches(seen, truth_F2) == 0
    second = follow(seen, Selection(rule="point", point=(0.9, 0.5))).track
    found = second.provenance_F != MISSING
    np.testing.assert_allclose(second.keypoints_FK3[found, 1, 0], truth_F2[found, 1], atol=1)
    assert found[[0, -1]].all()


def test_people_in_the_same_clothes_are_followed_by_motion_as_before():
    frames, parsed, truth_F2 = painted("pass", (TOPS[0],) * 2, (TROUSERS[0],) * 2)
    seen = watched(parsed, iter(frames))
    assert switches(seen, truth_F2) <= switches(replace(seen, looks=()), truth_F2)
    first, second = (looks(frames[0], parsed.people[0])[i] for i in (0, 1))
    assert difference(first, second) < 0.3


def test_somebody_else_who_comes_later_is_not_taken_for_the_one_who_left():
    frames, parsed, _ = painted("pass")
    alone = [parsed.people[0][:1]] * 10 + [parsed.people[0][:0]] * 20 + [parsed.people[0][:1]] * 10
    red, other = frames[0], frames[0].copy()
    other[(np.abs(red.astype(int) - TOPS[1]).sum(axis=2) < 60)] = TOPS[0]
    other[(np.abs(red.astype(int) - TOPS[0]).sum(axis=2) < 60)] = (40, 160, 60)
    other[(np.abs(red.astype(int) - TROUSERS[1]).sum(axis=2) < 60)] = TROUSERS[0]
    other[(np.abs(red.astype(int) - TROUSERS[0]).sum(axis=2) < 60)] = (210, 60, 170)
    clip = ParsedPose(tuple(alone), parsed.canvas)
    same = watched(clip, [red] * 40)
    assert len(link(same)) == 1
    changed = replace(same, looks=watched(clip, [red] * 30 + [other] * 10).looks)
    assert len(link(changed)) == 2


def test_after_a_cut_the_person_who_looks_the_same_is_followed():
    frames, parsed, _ = painted("pass")
    other_side = [picture[:, ::-1].copy() for picture in frames[:5]]
    mirrored = [people.copy() for people in parsed.people[:5]]
    for people in mirrored:
        people[..., 0] = np.where(people[..., 2] > 0, WIDTH - 1 - people[..., 0], 0)
    both = ParsedPose((*parsed.people[:5], *mirrored), parsed.canvas)
    seen = replace(watched(both, [*frames[:5], *other_side]), cuts=(5,))
    for x, other_x in ((0.1, 0.9), (0.9, 0.1)):
        followed = follow(seen, Selection(rule="point", point=(x, 0.4))).track.keypoints_FK3[:, 1, 0]
        np.testing.assert_allclose(followed[[0, -1]] / WIDTH, [x, other_x], atol=0.1)


def test_looks_at_odd_places_do_not_crash():
    frame = np.full((60, 40, 3), 128, np.uint8)
    outside, side_on, point = person(-500, 30, 40), person(20, 20, 30, 0.0), person(20, 20, 0.5)
    found = looks(frame, np.stack([outside, side_on, point, np.zeros_like(point)]))
    assert [bool(look.any()) for look in found] == [False, True, False, False]
    assert difference(found[0], found[1]) is None
    assert difference(found[1], found[1]) == pytest.approx(0, abs=0.05)


def test_frames_must_be_those_of_the_poses():
    frames, parsed, _ = painted("pass")
    with pytest.raises(InputError, match="48 frames but the video has 47"):
        watched(parsed, frames[:-1])
    with pytest.raises(InputError, match="48 frames but the video has 49"):
        watched(parsed, [*frames, frames[0]])


# ---------------------------------------------------------------------------------------------- two real clips as one


def cut_out(clip: str, silhouettes: str, start: int, height: int = 512) -> list[tuple[np.ndarray, np.ndarray]]:
    """Frames of a real clip and how much of each pixel is the person, 0..1, at that height."""
    pairs = zip(
        read_frames(REAL / "person_video" / f"{clip}.mp4"),
        read_frames(REAL / "person_video_aux" / f"{silhouettes}_densepose.mp4"),
    )
    out = []
    for frame, dense in islice(pairs, start, start + FRAMES):
        size = round(frame.shape[1] * height / frame.shape[0]), height
        body = silhouette(cv2.resize(dense, frame.shape[1::-1])).astype(np.float32)
        body = cv2.dilate(body, np.ones((13, 13)))
        out.append(tuple(cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in (frame, body)))
    return out


def together(first: list, second: list, kind: str) -> tuple[list[np.ndarray], np.ndarray]:
    """Both people before one wall, the first in front, and the middles of their bodies (F, 2)."""
    frames, truth = [], []
    for places, *cuts in zip(paths(kind), first, second):
        picture = np.full((512, WIDTH, 3), (205, 208, 204), np.float32)
        middles = []
        for place, (frame, body) in reversed(list(zip(places, cuts))):
            x = round(-30 + 560 * place)
            left, right = max(0, x), min(WIDTH, x + frame.shape[1])
            inside = slice(left - x, right - x)
            weight = body[:, inside, None]
            picture[:, left:right] = weight * frame[:, inside] + (1 - weight) * picture[:, left:right]
            columns = body[:200].sum(axis=0)
            middles.append(x + float((columns * np.arange(len(columns))).sum() / columns.sum()))
        frames.append(picture.astype(np.uint8))
        truth.append(middles[::-1])
    return frames, np.array(truth)


@pytest.mark.slow
@pytest.mark.skipif(not REAL.exists(), reason="the real clips are not here")
@pytest.mark.usefixtures("pose_models")
@pytest.mark.parametrize("kind", ["pass", "meet"])
def test_two_real_people_keep_their_names(kind):
    people = cut_out("magictryon_upper_1219222", "1219222", 20), cut_out("magictryon_lower_1221158", "1221158", 10)
    frames, truth_F2 = together(*people, kind)
    config = BlazePoseConfig(threads=1, hands=False, face=False)
    found = BlazePose(WEIGHTS, config).detect(frames)
    assert switches(replace(found, looks=()), truth_F2) > 0
    assert switches(found, truth_F2) == 0
