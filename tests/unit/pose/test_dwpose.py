"""DW-Pose: agreement with rtmlib on random networks of the same signature, and what happens when things are wrong."""

import http.server
import logging
import threading

import cv2
import numpy as np
import pytest

from dpidm_model.errors import CheckpointError, MissingFileError
from dpidm_model.handovers import BODY, FACE, LEFT_HAND, RIGHT_HAND
from dpidm_model.pose.detectors import dwpose
from dpidm_model.pose.detectors.download import RemoteFile, fetch, sha256
from dpidm_model.pose.detectors.dwpose import DWPose, DWPoseConfig, interpolate, openpose_from_coco
from dpidm_model.pose.detectors.yolox import YoloX
from tests.unit.pose.random_onnx import simcc, yolox

ONE_THREAD = DWPoseConfig(detect_every=1, threads=1)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx")
    return yolox(folder / "yolox_l.onnx"), simcc(folder / "dw-ll_ucoco_384.onnx")


def picture(seed: int, size: tuple[int, int] = (320, 240)) -> np.ndarray:
    """Random blobs, so that random networks see something to disagree about."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (6, 8, 3)).astype(np.uint8)
    return cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize("size", [(320, 240), (480, 854), (640, 640), (71, 1201)])
def test_boxes_equal_rtmlib(files, size):
    rtmlib = pytest.importorskip("rtmlib")
    frame = picture(0, size)
    reference = rtmlib.YOLOX(str(files[0]), det_mode="multiclass", score_thr=0.3)
    boxes, classes = reference(frame)
    expected = boxes[classes == 0]
    found, _ = YoloX(files[0], threads=1)([frame])[0]
    assert len(expected) > 0
    np.testing.assert_allclose(found, expected, atol=0.01)


@pytest.mark.parametrize("size", [(320, 240), (480, 854)])
def test_keypoints_equal_rtmlib(files, size):
    rtmlib = pytest.importorskip("rtmlib")
    frames = [picture(seed, size) for seed in range(3)]
    reference = rtmlib.RTMPose(str(files[1]), model_input_size=(288, 384), to_openpose=True)
    detector = rtmlib.YOLOX(str(files[0]), det_mode="multiclass", score_thr=0.3)
    ours = DWPose(*files, ONE_THREAD).detect([np.ascontiguousarray(f[..., ::-1]) for f in frames])
    for frame, people in zip(frames, ours.people):
        boxes, classes = detector(frame)
        points, scores = reference(frame, bboxes=boxes[classes == 0][:10])
        assert len(people) == len(points) > 0
        for person, xy, score in zip(people, points, scores):
            theirs = np.concatenate([xy, score[:, None]], axis=1)
            for part, rows in ((BODY, slice(0, 18)), (LEFT_HAND, slice(92, 113)), (RIGHT_HAND, slice(113, 134))):
                compare(person[part], theirs[rows])
            compare(person[FACE][:68], theirs[24:92])


def compare(ours: np.ndarray, theirs: np.ndarray) -> None:
    """Joints above the threshold agree to 0.01 px, the others are missing in ours."""
    seen = theirs[:, 2] >= 0.3
    np.testing.assert_array_equal(ours[:, 2] > 0, seen)
    np.testing.assert_allclose(ours[seen, :2], theirs[seen, :2], atol=0.01)


def test_files_with_fixed_batch_give_the_same(files, tmp_path):
    single = yolox(tmp_path / "y.onnx", batch=1), simcc(tmp_path / "p.onnx", batch=1)
    frames = [picture(seed) for seed in range(2)]
    a, b = (DWPose(*paths, ONE_THREAD).detect(frames) for paths in (files, single))
    for one, other in zip(a.people, b.people):
        np.testing.assert_allclose(one, other, atol=1e-3)


def test_still_picture_gives_the_same_with_rare_looks(files):
    frames = [picture(3)] * 7
    rare = DWPose(*files, DWPoseConfig(detect_every=4, threads=1)).detect(frames)
    often = DWPose(*files, ONE_THREAD).detect(frames)
    assert len(rare.people) == 7
    for one, other in zip(rare.people, often.people):
        np.testing.assert_allclose(one, other, atol=1e-3)


def test_cuts_are_found_and_shots_do_not_span_them(files):
    frames = [picture(3)] * 5 + [255 - picture(9)] * 4
    found = DWPose(*files, DWPoseConfig(detect_every=4, threads=1)).detect(frames)
    assert found.cuts == (5,)
    assert len(found) == 9


def test_black_frames_have_no_people(tmp_path):
    paths = yolox(tmp_path / "y.onnx", people=-20.0), simcc(tmp_path / "p.onnx")
    found = DWPose(*paths, ONE_THREAD).detect([np.zeros((120, 90, 3), np.uint8)] * 3)
    assert [len(p) for p in found.people] == [0, 0, 0]


def test_boxes_in_between_move_evenly():
    first, last = (
        np.array([[0.0, 0, 100, 200], [300, 0, 400, 200]]),
        np.array([[310.0, 0, 410, 200], [10, 0, 110, 200]]),
    )
    boxes = interpolate(first, last, 3)
    np.testing.assert_allclose(boxes[1], [[5, 0, 105, 200], [305, 0, 405, 200]])
    assert interpolate(first, last[:1], 3) == []
    assert interpolate(first[:1], last[:1] + 1000, 3) == []


def test_openpose_order_of_one_known_person():
    coco = np.zeros((133, 3))
    coco[:, 0] = np.arange(133)
    coco[:, 2] = 1
    coco[91, 2] = 0.2
    pose = openpose_from_coco(coco)
    assert pose[BODY, 0].tolist() == [0, 5.5, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3]
    assert pose[FACE, 0].tolist() == [*range(23, 91), 2, 1]
    assert pose[LEFT_HAND][0].tolist() == [0, 0, 0]
    assert pose[RIGHT_HAND][0, 0] == 112


def test_the_provider_is_logged(files, caplog):
    with caplog.at_level(logging.INFO):
        DWPose(*files, ONE_THREAD)
    assert "runs on CPUExecutionProvider" in caplog.text


def test_broken_and_foreign_networks_are_explained(files, tmp_path):
    broken = tmp_path / "yolox_l.onnx"
    broken.write_bytes(b"not a network")
    with pytest.raises(CheckpointError, match="not a readable ONNX"):
        DWPose(broken, files[1], ONE_THREAD)
    truncated = tmp_path / "t.onnx"
    truncated.write_bytes(files[1].read_bytes()[:2000])
    with pytest.raises(CheckpointError):
        DWPose(files[0], truncated, ONE_THREAD)
    with pytest.raises(CheckpointError, match="expected"):
        DWPose(files[1], files[0], ONE_THREAD).detect([picture(0)])


def test_missing_files_name_files_source_and_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(MissingFileError) as caught:
        DWPose.from_folders([tmp_path / "first", tmp_path / "second"])
    for word in ("yolox_l.onnx", "dw-ll_ucoco_384.onnx", "yzd-v/DWPose", str(tmp_path / "second"), "blazepose"):
        assert word in str(caught.value)


def test_files_are_found_wherever_they_are(files, tmp_path):
    assert dwpose.present([tmp_path, files[0].parent])
    assert not dwpose.present([tmp_path])


class Server(http.server.BaseHTTPRequestHandler):
    data = bytes(range(256)) * 20000
    ranges: list = []

    def do_GET(self):
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        self.ranges.append(start)
        self.send_response(206 if start else 200)
        self.end_headers()
        self.wfile.write(self.data[start:])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{running.server_port}")
    Server.ranges.clear()
    yield running
    running.shutdown()
    running.server_close()


def remote(tmp_path, digest: str | None = None) -> RemoteFile:
    whole = tmp_path / "whole"
    whole.write_bytes(Server.data)
    return RemoteFile("a/b", "net.onnx", digest or sha256(whole), len(Server.data))


def test_download_continues_and_is_checked(server, tmp_path):
    file, folder = remote(tmp_path), tmp_path / "models"
    folder.mkdir()
    (folder / "net.onnx.part").write_bytes(Server.data[:1000])
    seen = []
    path = fetch(file, folder, lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == Server.data
    assert Server.ranges == [1000]
    assert seen[-1] == (len(Server.data), len(Server.data))
    assert [p.name for p in folder.iterdir()] == ["net.onnx"]


def test_wrong_digest_leaves_no_file(server, tmp_path):
    with pytest.raises(MissingFileError, match="sha256"):
        fetch(remote(tmp_path, "0" * 64), tmp_path / "models")
    assert list((tmp_path / "models").iterdir()) == []
