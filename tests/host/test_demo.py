"""`make demo`, as a user runs it, in a fresh clone with an awkward folder name (what setup installed is shared)."""

import os
import re
import subprocess

import av
import cv2
import pytest

from tools.comfy_server import ROOT

LAST_LINE = re.compile(r"demo: OK output=(\S+) frames=(\d+) size=(\d+)x(\d+) seconds=([\d.]+) weights=(\S+)")


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    target = tmp_path_factory.mktemp("clone") / "Pack-Name.v1"
    subprocess.run(["git", "clone", "-q", ROOT, target], check=True)
    (target / ".venv").symlink_to(ROOT / ".venv")
    (target / ".host" / "base" / "models" / "dpidm").mkdir(parents=True)
    (target / ".host" / "comfyui").symlink_to(ROOT / ".host" / "comfyui")
    (target / ".host" / ".stamp").write_text((ROOT / ".host" / ".stamp").read_text())
    return target


def make(folder, *arguments) -> subprocess.CompletedProcess:
    """make as from a user's shell, also when these tests were started by make itself."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=1000, check=False
    )


@pytest.mark.slow
def test_make_demo_in_a_fresh_clone(clone, artifacts):
    done = make(clone, "demo")
    assert done.returncode == 0, done.stderr[-3000:]
    found = LAST_LINE.fullmatch(done.stdout.splitlines()[-1])
    assert found, done.stdout[-500:]
    output, frames, width, height, _, weights = found.groups()
    with av.open(output) as video:
        stream = video.streams.video[0]
        assert (stream.width, stream.height) == (int(width), int(height))
        assert sum(1 for _ in video.decode(stream)) == int(frames)
        assert video.streams.audio
    sheet = cv2.imread(str(clone / "output" / "demo" / "contact_sheet.png"))
    assert sheet is not None
    assert sheet.shape[1] > 6 * 100
    cv2.imwrite(str(artifacts / "demo_contact_sheet.png"), sheet)
    trained = subprocess.run(
        [".venv/bin/python", "convert.py", "info", "dpidm_model/weights/dpidm-tiny.safetensors", "--json"],
        cwd=clone,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert ("UNTRAINED" in weights) == ('"trained": "false"' in trained)
    assert "demo:" in done.stderr, "no progress was shown"


@pytest.mark.slow
def test_demo_says_what_is_wrong(clone):
    done = make(clone, "demo", "VIDEO=nowhere.mp4")
    assert done.returncode != 0
    assert "nowhere.mp4 is not a file" in done.stderr


@pytest.mark.slow
def test_demo_with_weights_trained_a_moment_ago(clone):
    """The README's "Train your own", two steps of it."""
    small = ["run.steps=2", "run.validate_every=0", "data.workers=0", "data.height=64", "data.width=48"]
    data = "data.sources=[{kind: synthetic, clips: 2, frames: 8}]"
    command = [".venv/bin/python", "train.py", "--config", "configs/tiny.yaml", "output=runs/mine", "model.name=mine"]
    trained = subprocess.run([*command, *small, data], cwd=clone, capture_output=True, text=True, check=False)
    assert trained.returncode == 0, trained.stderr[-2000:]
    done = make(clone, "demo", "MODEL=runs/mine/model.safetensors")
    assert done.returncode == 0, done.stderr[-3000:]
    found = LAST_LINE.fullmatch(done.stdout.splitlines()[-1])
    assert found, done.stdout[-500:]
    assert found.group(6) == "mine"
