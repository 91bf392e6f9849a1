"""Readers of the published layouts on made folders, whole and broken."""

import numpy as np
import pytest

from dpidm_model.errors import InputError, MissingFileError
from dpidm_model.training.data.base import UnreadableError, drop_joints, flip
from dpidm_model.training.data.check import check
from dpidm_model.training.data.files import FileClips
from dpidm_model.training.data.fit import Fit
from dpidm_model.training.data.layouts import LAYOUTS, list_entries

CLIPS = {"vitonhd": (3, 1), "vvt": (2, 5), "vivid": (2, 6), "folder": (2, 6)}


@pytest.fixture(params=sorted(LAYOUTS))
def kind(request):
    return request.param


def open_set(kind, root, size=(36, 48)):
    return FileClips(kind, list_entries(kind, root, "train"), size)


def read_all(clips):
    for index in range(len(clips)):
        clips.read(index, list(range(clips.frames_of(index))))


def test_each_layout_gives_fitting_clips(kind, tmp_path, made):
    clips = open_set(kind, getattr(made, kind)(tmp_path))
    count, frames = CLIPS[kind]
    assert len(clips) == count
    for index in range(count):
        assert clips.frames_of(index) == frames
        clip = clips.read(index, list(range(frames))[-2:])
        assert clip.frames_FHW3.shape == (min(2, frames), 48, 36, 3)
        assert 0.1 < (clip.mask_FHW > 0).mean() < 0.5
        assert clip.frames_FHW3.std() > 1
        assert clip.pose.canvas == clip.landmarks.canvas == (36, 48)
        body = clip.pose.keypoints_FK3[:, :18]
        assert (body[..., 2] > 0).all()
        assert abs(body[0, 1, 0] - 18) < 2  # the neck is in the middle
        assert clip.landmarks.visibility_K.any()


def test_nothing_to_complain_about(kind, tmp_path, made):
    getattr(made, kind)(tmp_path)
    assert check(list_entries(kind, tmp_path, "train"), deep=True) == []


def test_vivid_categories_and_front_ranges(tmp_path, made):
    made.vivid(tmp_path)
    assert [e.category for e in list_entries("vivid", tmp_path, "train")] == ["upper", "dress"]
    entries = list_entries("vivid", tmp_path, "train", categories=("dress",))
    assert [e.name for e in entries] == ["dresses/1222020_detail"]
    line = '{"video": "1222020_detail.mp4", "image": "1222020_in_xl.jpg", "front_seqs": [[0, 1], [2, 6]]}'
    (tmp_path / "dresses/train_data.jsonl").write_text(line)
    clips = FileClips("v", list_entries("vivid", tmp_path, "train", categories=("dress",)), (48, 64))
    assert clips.frames_of(0) == 4
    whole = FileClips("v", entries, (48, 64))
    assert np.abs(clips.read(0, [1]).frames_FHW3[0].astype(int) - whole.read(0, [3]).frames_FHW3[0]).mean() < 2
    (tmp_path / "dresses/train_data.jsonl").write_text("{not json")
    with pytest.raises(InputError, match=r"train_data\.jsonl"):
        list_entries("vivid", tmp_path, "train")


def test_vivid_without_lists_takes_every_video(tmp_path, made):
    made.vivid(tmp_path)
    for path in tmp_path.glob("*/train_pairs.txt"):
        path.unlink()
    assert len(list_entries("vivid", tmp_path, "train")) == 2
    with pytest.raises(MissingFileError, match="test"):
        list_entries("vivid", tmp_path, "test")


BROKEN = {
    "missing mask": ("vitonhd", "train/agnostic-mask/00001_00_mask.png", None, "mask", "missing"),
    "missing person": ("vitonhd", "train/image/00001_00.jpg", None, "frames", "missing"),
    "missing garment": ("vitonhd", "train/cloth/00001_00.jpg", None, "garment", "missing"),
    "broken picture": ("vitonhd", "train/image/00001_00.jpg", b"\xff\xd8\xff garbage", "frames", "not a readable"),
    "empty picture": ("vitonhd", "train/cloth/00001_00.jpg", b"", "garment", "0 bytes"),
    "broken pose": ("vitonhd", "train/openpose_json/00001_00_keypoints.json", b'{"people": [', "pose", "not a read"),
    "nobody in the pose": ("vitonhd", "train/openpose_json/00001_00_keypoints.json", b'{"people": []}', "pose", "no p"),
    "no landmarks": ("vitonhd", "prepared/train/00001_00/garment.json", None, "landmarks", "prepare_dataset.py"),
    "broken landmarks": ("vitonhd", "prepared/train/00001_00/garment.json", b"{}", "landmarks", "delete it"),
    "frame lost": ("vvt", "lip_train_frames/4he21d00f-g11/frame002.png", b"", "frames", "frame002.png"),
    "mask file broken": ("vvt", "prepared/train/4he21d00f-g11/mask.npz", b"zip?", "mask", "mask.npz"),
    "not a video": ("vivid", "dresses/videos/1222020_detail.mp4", b"nothing", "frames", "not a readable video"),
    "pose missing": ("folder", "prepared/train/clip1/pose.npz", None, "pose", "prepare_dataset.py"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_the_checker_names_the_broken_file(case, tmp_path, made):
    kind, name, content, part, words = BROKEN[case]
    getattr(made, kind)(tmp_path)
    path = tmp_path / name
    path.unlink() if content is None else path.write_bytes(content)
    problems = check(list_entries(kind, tmp_path, "train"), deep=True)
    assert {p.part for p in problems} == {part}, problems
    assert words in problems[0].what
    with pytest.raises(UnreadableError):
        read_all(open_set(kind, tmp_path))


def test_mask_of_another_size(tmp_path, made):
    made.vitonhd(tmp_path)
    made.mask(tmp_path / "train/agnostic-mask/00001_00_mask.png", 40, 64)
    (problem,) = check(list_entries("vitonhd", tmp_path, "train"))
    assert "mask is 40x64, its frames are 48x64" in problem.what
    with pytest.raises(UnreadableError, match="40x64"):
        open_set("vitonhd", tmp_path).read(1, [0])


def test_truncated_video(tmp_path, made):
    made.vivid(tmp_path, frames=40)
    path = tmp_path / "dresses/videos/1222020_detail.mp4"
    mask = tmp_path / "dresses/agnostic_mask/1222020_detail.mp4"
    made.video(mask, 12, mask=True)  # shorter than its clip: what a broken download or conversion leaves
    problems = check(list_entries("vivid", tmp_path, "train"), deep=True)
    assert [p.part for p in problems] == ["mask"]
    assert "ends before frame 12" in problems[0].what
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    problems = check(list_entries("vivid", tmp_path, "train"), deep=True)
    assert "frames" in {p.part for p in problems}


def test_empty_mask_is_reported(tmp_path, made):
    made.vitonhd(tmp_path)
    made.mask(tmp_path / "train/agnostic-mask/00002_00_mask.png", filled=False)
    (problem,) = check(list_entries("vitonhd", tmp_path, "train"))
    assert "empty" in problem.what


def test_wrong_root_shows_the_layout(kind, tmp_path):
    with pytest.raises(MissingFileError) as error:
        list_entries(kind, tmp_path / "nothing", "train")
    assert "ROOT/" in str(error.value)


def test_unknown_split_and_kind(tmp_path):
    with pytest.raises(InputError, match="no split 'val'"):
        list_entries("vvt", tmp_path, "val")
    with pytest.raises(InputError, match="vitonhd"):
        list_entries("dresscode", tmp_path, "train")


def test_flip_twice_is_the_same_and_once_swaps_sides(tmp_path, made):
    clip = open_set("folder", made.folder(tmp_path), (48, 64)).read(0, [0, 3])
    once, twice = flip(clip), flip(flip(clip))
    np.testing.assert_array_equal(twice.frames_FHW3, clip.frames_FHW3)
    np.testing.assert_allclose(twice.pose.keypoints_FK3, clip.pose.keypoints_FK3, atol=1e-4)
    np.testing.assert_allclose(twice.landmarks.points_K3, clip.landmarks.points_K3, atol=1e-4)
    joints, mirrored = clip.pose.keypoints_FK3[0], once.pose.keypoints_FK3[0]
    np.testing.assert_allclose(mirrored[2, 0], 48 - joints[5, 0], atol=1e-4)  # right shoulder from the left
    np.testing.assert_allclose(mirrored[4, 1], joints[7, 1], atol=1e-4)
    # the wearer's right stays on the picture's left
    assert once.landmarks.points_K3[1, 0] < once.landmarks.points_K3[4, 0]


def test_joints_drop_with_the_given_chance():
    points = np.ones((2000, 130, 3), np.float32)
    dropped = drop_joints(points, 0.05, np.random.default_rng(0))
    assert 0.047 < (dropped[..., 2] == 0).mean() < 0.053
    assert set(np.unique(dropped)) == {0.0, 1.0}
    np.testing.assert_array_equal(drop_joints(points, 0.0, np.random.default_rng(0)), points)


def test_fit_maps_points_with_their_pixels():
    image = np.zeros((60, 100, 3), np.uint8)
    image[28:32, 48:52] = 255
    fit = Fit(source=(100, 60), size=(50, 50))
    small = fit.picture(image)
    assert small.shape == (50, 50, 3)
    y, x = (c.mean() + 0.5 for c in np.nonzero(small[..., 0] > 128))
    point = fit.points(np.array([[50.0, 30.0, 1.0], [0, 0, 0]]))
    np.testing.assert_allclose(point[0, :2], [x, y], atol=0.6)
    np.testing.assert_array_equal(point[1], 0)


def test_a_folder_without_splits_is_measured_whole(tmp_path, made):
    from dpidm_model.evaluation.tryon_sets import file_tasks

    made.folder(tmp_path, n=2)
    tasks = list(file_tasks("folder", str(tmp_path), None, 0, 4, (48, 64), "given"))
    assert len(tasks) == 2
    assert tasks[0].clip.frames_FHW3.shape[1:] == (64, 48, 3)
