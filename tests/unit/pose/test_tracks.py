"""Following, gaps, left and right, smoothing: on people whose motion is known."""

import numpy as np
import pytest

from dpidm_model.errors import InputError
from dpidm_model.handovers import DETECTED, FILLED, MISSING
from dpidm_model.pose.detectors.base import CutFinder, Detections, stack_people
from dpidm_model.pose.human import cleaned
from dpidm_model.pose.report import as_text, jitter, report
from dpidm_model.pose.schema import ParsedPose
from dpidm_model.pose.sides import ARMS, BACK, FRONT, LEGS, SIDE, facing, swapped, untangle
from dpidm_model.pose.smooth import drop_outliers, fill_gaps, smooth
from dpidm_model.pose.tracks import CleanUp, Selection, choose, clean, find_cuts, follow, follow_all, link
from tests.unit.pose.people import person, track

CANVAS = (400, 600)


def clip(*people_of_frames, cuts=()) -> Detections:
    return Detections(tuple(stack_people(list(p)) for p in people_of_frames), CANVAS, tuple(cuts))


def middle(pose_track) -> np.ndarray:
    return pose_track.keypoints_FK3[:, 1, 0]


def crossing(frames=30):
    """A small person walks from left to right past a larger one who stands; order in the list changes each frame."""
    walker = [person(40 + 10 * f, 150, 200) for f in range(frames)]
    stander = [person(200, 140, 320) for _ in range(frames)]
    return clip(*[(w, s) if f % 2 else (s, w) for f, (w, s) in enumerate(zip(walker, stander))])


@pytest.mark.parametrize(
    ("selection", "start", "end"),
    [
        (Selection(rule="largest"), 200, 200),
        (Selection(rule="index", index=1), 40, 330),
        (Selection(rule="point", point=(0.1, 0.3)), 40, 330),
        (Selection(rule="point", point=(0.95, 0.3), frame=29), 40, 330),
        (Selection(rule="leftmost"), 40, 330),
        (Selection(rule="most central"), 200, 200),
    ],
)
def test_the_right_person_is_followed_through_a_crossing(selection, start, end):
    followed = follow(crossing(), selection).track
    assert middle(followed)[[0, -1]].tolist() == pytest.approx([start, end])
    assert (followed.provenance_F == DETECTED).all()


def test_mask_selects_a_person():
    mask = np.zeros((60, 40))
    mask[:, :9] = 1
    followed = follow(crossing(), Selection(rule="mask", mask_HW=mask)).track
    assert middle(followed)[0] == pytest.approx(40)


def test_two_people_can_be_taken_in_turn():
    tracks = [follow(crossing(), Selection(rule="index", index=i)).track for i in (0, 1)]
    assert [middle(t)[-1] for t in tracks] == pytest.approx([200, 330])
    assert len(follow_all(crossing())) == 2


def test_a_walker_hidden_while_crossing_is_found_again():
    frames = [list(p) for p in crossing().people]
    hidden = [[p for p in f if not (12 <= i <= 20 and p[1, 1] > 145)] for i, f in enumerate(frames)]
    followed = follow(clip(*hidden), Selection(rule="index", index=1)).track
    assert middle(followed)[[0, -1]].tolist() == pytest.approx([40, 330])
    assert followed.provenance_F[15] == MISSING


def test_ten_people():
    row = [person(20 + 40 * i, 100 + 5 * i, 100 + i) for i in range(10)]
    found = clip(*[np.random.default_rng(f).permutation(np.stack(row)) for f in range(6)])
    tracks = link(found)
    assert len(tracks) == 10
    for t in tracks:
        assert np.ptp(middle(t)) == 0


def test_leaving_and_returning_stays_one_person_but_long_absence_is_not_filled():
    here = [(person(200, 150, 300),)] * 10
    found = clip(*here, *[()] * 40, *here)
    result = clean(follow(found), CleanUp(max_gap=24))
    assert (result.provenance_F[:10] == DETECTED).all()
    assert (result.provenance_F[10:50] == MISSING).all()
    assert (result.provenance_F[50:] == DETECTED).all()


def test_after_a_cut_the_rule_is_applied_again():
    first, second = (person(100, 150, 300),), (person(320, 150, 300), person(60, 100, 120))
    followed = follow(clip(*[first] * 5, *[second] * 5, cuts=(5,)))
    assert middle(followed.track)[[0, 4, 5, 9]].tolist() == [100, 100, 320, 320]
    assert followed.cuts == (5,)


def test_cuts_are_guessed_from_poses_alone():
    found = clip(*[(person(100, 150, 300),)] * 5, *[(person(320, 450, 100),)] * 5)
    parsed = ParsedPose(found.people, found.canvas)
    assert find_cuts(parsed) == (5,)
    assert find_cuts(ParsedPose(crossing().people, CANVAS)) == ()


def test_nobody_is_an_error_not_a_guess():
    with pytest.raises(InputError, match="no person"):
        follow(clip((), ()))
    with pytest.raises(InputError, match="no person"):
        cleaned([], CleanUp())
    with pytest.raises(InputError, match="5 was asked for but 2"):
        follow(crossing(), Selection(rule="index", index=5))
    with pytest.raises(InputError, match="not known"):
        Selection(rule="tallest")
    with pytest.raises(InputError, match="needs a mask"):
        Selection(rule="mask")
    with pytest.raises(InputError, match="nobody is at that mask"):
        choose(link(crossing()), Selection(rule="mask", mask_HW=np.zeros((4, 4))))


# ---------------------------------------------------------------------------------------------- gaps


def test_gaps_are_interpolated_and_marked():
    moving = track([person(100 + 4 * f, 200, 300) for f in range(20)])
    moving.keypoints_FK3[5:9] = 0
    moving.provenance_F[5:9] = MISSING
    filled = fill_gaps(moving)
    np.testing.assert_allclose(middle(filled), 100 + 4 * np.arange(20), atol=1e-3)
    assert filled.provenance_F[4:10].tolist() == [DETECTED, *[FILLED] * 4, DETECTED]
    assert 0 < filled.keypoints_FK3[6, 1, 2] < 1


def test_gaps_are_not_filled_across_a_cut():
    moving = track([person(100, 200, 300)] * 5 + [person(300, 200, 300)] * 5)
    moving.keypoints_FK3[3:7] = 0
    filled = fill_gaps(moving, cuts=(5,))
    assert middle(filled).tolist() == [100] * 5 + [300] * 5


def test_an_unseen_arm_walks_with_the_body():
    walking = track([person(100 + 5 * f, 200, 300) for f in range(20)])
    truth = walking.keypoints_FK3[:, 6].copy()
    walking.keypoints_FK3[:8, 6] = 0
    walking.keypoints_FK3[12:14, 6] = 0
    filled = fill_gaps(walking)
    np.testing.assert_allclose(filled.keypoints_FK3[:, 6, :2], truth[:, :2], atol=1e-3)
    assert (filled.provenance_F == DETECTED).all()


def test_an_absent_joint_stays_absent():
    moving = track([person(100, 200, 300)] * 6)
    moving.keypoints_FK3[:, 4] = 0
    assert (fill_gaps(moving).keypoints_FK3[:, 4] == 0).all()


# ---------------------------------------------------------------------------------------------- left and right


def test_flipped_frames_are_put_right_and_turns_left_alone():
    turns = np.cos(np.linspace(0, np.pi, 40))
    truth = track([person(200, 200, 300, t) for t in turns])
    flipped = track([swapped(k, (*ARMS, *LEGS), hands=True) if f in (3, 4, 11, 33) else k
                     for f, k in enumerate(truth.keypoints_FK3)])  # fmt: skip
    result, changed = untangle(flipped)
    np.testing.assert_array_equal(result.keypoints_FK3, truth.keypoints_FK3)
    assert np.flatnonzero(changed[:, 0]).tolist() == [3, 4, 11, 33]


def test_names_do_not_change_through_a_frame_that_averages_two_opinions():
    """A person who never turns; a detector that names the first frames wrongly and comes to its senses through a frame
    where left and right lie on each other. Such a frame is no turn: its joints are dropped, to be filled in."""
    truth = track([person(200, 200, 300)] * 40)
    keypoints = truth.keypoints_FK3.copy()
    keypoints[:12] = swapped(keypoints[:12], (*ARMS, *LEGS), hands=True)
    for right, left in (*ARMS, *LEGS):
        keypoints[12, [right, left], 0] = keypoints[12, [right, left], 0].mean()
    evidence = np.where(np.arange(40) < 12, -0.7, 0.7)  # what misled the detector misleads the evidence too
    result, _ = untangle(track(list(keypoints)), front_F=evidence)
    np.testing.assert_array_equal(np.delete(result.keypoints_FK3, 12, 0), np.delete(truth.keypoints_FK3, 12, 0))
    assert (result.keypoints_FK3[12, [2, 5, 8, 11], 2] == 0).all()


def test_evidence_outvotes_a_majority_of_wrong_names():
    truth = track([person(200, 200, 300)] * 30)
    wrong = track([swapped(k, (*ARMS, *LEGS), hands=True) if f % 3 else k for f, k in enumerate(truth.keypoints_FK3)])
    result, _ = untangle(wrong, front_F=np.full(30, 0.5))
    np.testing.assert_array_equal(result.keypoints_FK3, truth.keypoints_FK3)


def test_facing():
    poses = np.stack([person(200, 200, 300, t) for t in (1, 0.1, -1)] + [np.zeros((130, 3))])
    assert facing(poses) == [FRONT, SIDE, BACK, "unknown"]


# ---------------------------------------------------------------------------------------------- smoothing


def noisy_walk(frames=80, noise=2.0, seed=0):
    rng = np.random.default_rng(seed)
    times = np.arange(frames)
    truth = track([person(150 + 60 * np.sin(t / 12), 200 + 8 * np.sin(t / 5), 350) for t in times])
    seen = truth.keypoints_FK3.copy()
    seen[:, :18, :2] += rng.normal(0, noise, (frames, 18, 2))
    return truth, track(seen)


@pytest.mark.parametrize("method", ["savgol", "one_euro"])
def test_jitter_falls_threefold_without_lag(method):
    truth, seen = noisy_walk()
    result = smooth(seen, method, 0.5)
    assert jitter(result) < jitter(seen) / 3
    error = np.abs(result.keypoints_FK3[:, :18, :2] - truth.keypoints_FK3[:, :18, :2]).mean()
    assert error < np.abs(seen.keypoints_FK3[:, :18, :2] - truth.keypoints_FK3[:, :18, :2]).mean()
    assert abs(lag(middle(result), middle(truth))) < 1


def lag(signal: np.ndarray, truth: np.ndarray) -> float:
    """Frames by which a signal trails the truth: the shift of least squared difference, to a tenth of a frame."""
    inner = np.arange(10, len(truth) - 10)
    shifts = np.arange(-40, 41) / 10
    errors = [((signal[inner] - np.interp(inner - s, np.arange(len(truth)), truth)) ** 2).sum() for s in shifts]
    return float(shifts[int(np.argmin(errors))])


@pytest.mark.parametrize("method", ["savgol", "one_euro"])
def test_strength_is_a_scale(method):
    _, seen = noisy_walk()
    figures = [jitter(smooth(seen, method, s)) for s in (0, 0.25, 0.5, 1)]
    assert figures == sorted(figures, reverse=True)
    assert figures[0] == jitter(seen)


@pytest.mark.parametrize("method", ["savgol", "one_euro"])
def test_smoothing_does_not_cross_a_cut(method):
    jump = track([person(100, 200, 300)] * 8 + [person(300, 200, 300)] * 8)
    result = smooth(jump, method, 1.0, cuts=(8,))
    np.testing.assert_allclose(middle(result), middle(jump), atol=0.01)


@pytest.mark.parametrize("method", ["savgol", "one_euro"])
@pytest.mark.parametrize("frames", [1, 2, 3])
def test_short_clips(method, frames):
    short = track([person(100 + f, 200, 300) for f in range(frames)])
    result = clean(follow(clip(*[(k,) for k in short.keypoints_FK3])), CleanUp(method=method, strength=1))
    np.testing.assert_allclose(middle(result), middle(short), atol=1.1)


def test_even_motion_is_kept_exactly_by_savgol():
    even = track([person(100 + 3 * f, 200 + f, 300) for f in range(20)])
    np.testing.assert_allclose(smooth(even, "savgol", 1.0).keypoints_FK3, even.keypoints_FK3, atol=0.02)


def test_a_joint_that_jumps_for_a_frame_is_dropped_and_only_that():
    still = track([person(100 + f, 200, 300) for f in range(15)])
    still.keypoints_FK3[7, 3, :2] += 80
    dropped = drop_outliers(still).keypoints_FK3[:, :18, 2]
    assert np.argwhere(dropped == 0).tolist() == [[7, 3]]


def test_unknown_method_and_strength_are_explained():
    with pytest.raises(InputError, match="savgol"):
        smooth(track([person(0, 0, 10)]), "kalman")
    with pytest.raises(InputError, match=r"0\.\.1"):
        smooth(track([person(0, 0, 10)]), "savgol", 2)
    with pytest.raises(InputError):
        CleanUp(strength=-1)


def test_report_says_what_happened():
    _, seen = noisy_walk()
    seen.keypoints_FK3[10:14] = 0
    seen.provenance_F[10:14] = MISSING
    figures = report(clean(follow(clip(*[(k,) for k in seen.keypoints_FK3]))), seen)
    assert (figures["found"], figures["filled"], figures["missing"]) == (76, 4, 0)
    assert figures["jitter_px_at_512"] < figures["raw_jitter_px_at_512"] / 3
    assert "frames 10-13: filled, front" in as_text(figures)
    each = [entry["jitter_px_at_512"] for entry in figures["per_frame"]]
    assert each[0] == each[-1] == 0
    assert np.mean(each[1:-1]) == pytest.approx(figures["jitter_px_at_512"], abs=0.01)


def test_cut_finder_sees_cuts_not_motion():
    rng = np.random.default_rng(0)
    scenes = [rng.integers(0, 255, (12, 16, 3)).astype(np.uint8).repeat(20, 0).repeat(20, 1) for _ in range(2)]
    frames = [np.roll(scenes[0], 4 * f, axis=1) for f in range(6)] + [
        np.roll(scenes[1], 4 * f, axis=1) for f in range(6)
    ]
    is_cut = CutFinder()
    assert [f for f, frame in enumerate(frames) if is_cut(frame)] == [6]
