"""The generated world as a data set: same seeds same clips, splits apart, garments on the same motion."""

import numpy as np
import pytest

from dpidm_model.errors import InputError
from dpidm_model.training.config import DataSection, LossSection, PhaseSection
from dpidm_model.training.data.samples import Keys, Samples
from dpidm_model.training.data.synthetic import SyntheticClips

SIZE = (48, 64)


def test_endless_clips_follow_their_seed():
    a, b = (SyntheticClips(split="train", clips=0, size=SIZE) for _ in range(2))
    one, two = a.read(123456, [0, 2]), b.read(123456, [0, 2])
    np.testing.assert_array_equal(one.frames_FHW3, two.frames_FHW3)
    assert one.frames_FHW3.shape == (2, 64, 48, 3)
    assert (one.frames_FHW3[0] != one.frames_FHW3[1]).any()  # it moves
    assert 0.02 < (one.mask_FHW > 0).mean() < 0.8
    val = SyntheticClips(split="val", clips=0, size=SIZE).read(0, [0])
    assert (val.frames_FHW3 != a.read(0, [0]).frames_FHW3).any()


def test_random_frames_render_only_what_is_needed():
    clips = SyntheticClips(split="train", clips=0, size=SIZE, frames=16)
    clip, frames = clips.read_random(7, 3, np.random.default_rng(0))
    assert clip.frames_FHW3.shape[0] == len(frames) == 3


def test_a_motion_in_several_garments_differs_inside_the_mask_alone():
    clips = SyntheticClips(split="train", clips=3, size=SIZE, frames=4, garments=3)
    assert len(clips) == 9
    own, other = clips.read(1, [0, 3]), clips.read(1 + 3, [0, 3])
    np.testing.assert_array_equal(own.mask_FHW, other.mask_FHW)
    np.testing.assert_array_equal(own.pose.keypoints_FK3, other.pose.keypoints_FK3)
    inside = own.mask_FHW > 0
    change = np.abs(own.frames_FHW3.astype(int) - other.frames_FHW3).max(-1)
    assert change[inside].mean() > 10
    assert change[~inside].mean() < 2  # the garment's shadow may reach further
    np.testing.assert_array_equal(clips.read(2, [0]).garment_HW3, other.garment_HW3)  # garment of clip 2


def test_a_later_run_goes_on_with_other_motions():
    clips = SyntheticClips(split="train", clips=2, size=SIZE, frames=2, garments=2)
    later = SyntheticClips(split="train", clips=2, size=SIZE, frames=2, garments=2, first=1)
    np.testing.assert_array_equal(clips.read(1, [0]).garment_HW3, later.read(0, [0]).garment_HW3)
    np.testing.assert_array_equal(clips.read(1, [0]).pose.keypoints_FK3, later.read(0, [0]).pose.keypoints_FK3)
    assert (later.read(1, [0]).garment_HW3 != clips.read(0, [0]).garment_HW3).any()
    with pytest.raises(InputError, match="first=-1"):
        SyntheticClips(split="train", clips=2, size=SIZE, first=-1)
    with pytest.raises(InputError, match="the val split has 1000000 clips"):
        SyntheticClips(split="val", clips=2, size=SIZE, first=999_999)


def test_more_garments_than_clips_is_refused():
    with pytest.raises(InputError, match="garments=4"):
        SyntheticClips(split="train", clips=3, size=SIZE, garments=4)


def test_samples_do_not_depend_on_how_many_processes_draw_them():
    sets = [SyntheticClips(split="train", clips=2, size=SIZE, frames=4)]
    data = DataSection(height=64, width=48)
    samples = Samples(sets, [1.0], data, LossSection(), seed=5)
    one = list(Keys(PhaseSection(image_clips=4, video_clips=2, video_frames=3), 1, 0, 3))
    halves = PhaseSection(image_clips=2, video_clips=1, video_frames=3)
    two = [list(Keys(halves, 1, 0, 3, rank=r)) for r in range(2)]
    for step in range(3):
        assert one[step] == two[0][step] + two[1][step]
    a, b = samples[one[0][1]], samples[one[0][1]]
    assert (a.uniform, a.noise_seed, a.frames, a.flipped) == (b.uniform, b.noise_seed, b.frames, b.flipped)
    np.testing.assert_array_equal(a.clip.frames_FHW3, b.clip.frames_FHW3)
    assert samples[one[0][0]].noise_seed != a.noise_seed


def test_mixture_follows_the_weights_and_video_steps_pass_over_images(tmp_path, made):
    from dpidm_model.training.data.files import FileClips
    from dpidm_model.training.data.layouts import list_entries

    made.vitonhd(tmp_path / "images")
    made.folder(tmp_path / "videos")
    sets = [
        FileClips("images", list_entries("vitonhd", tmp_path / "images", "train"), SIZE),
        FileClips("videos", list_entries("folder", tmp_path / "videos", "train"), SIZE),
    ]
    data = DataSection(height=64, width=48)
    samples = Samples(sets, [3.0, 1.0], data, LossSection(), seed=0)
    keys = [key for keys in Keys(PhaseSection(image_clips=1, video_clips=1, video_frames=3), 1, 0, 120) for key in keys]
    drawn = [(key.phase, samples[key]) for key in keys]
    names = [sample.clip.name.split("/")[0] for phase, sample in drawn if phase == "image"]
    assert 0.55 < names.count("images") / len(names) < 0.92
    assert {sample.clip.name.split("/")[0] for phase, sample in drawn if phase == "video"} == {"videos"}
    assert sum(sample.unreadable for _, sample in drawn) == 0
