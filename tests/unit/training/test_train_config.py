"""The configuration: round trip, overrides, refusals that name the field."""

import pytest

from dpidm_model.errors import InputError, MissingFileError
from dpidm_model.training.config import TrainConfig, load_config, save_config


def write(tmp_path, text):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    return path


def test_defaults_are_the_papers():
    c = TrainConfig()
    assert (c.optim.lr, c.optim.schedule, c.run.steps) == (2e-5, "constant", 80_000)
    assert (c.phases.video_frames, c.data.height, c.data.width) == (24, 512, 384)
    assert (c.loss.tra_weight, c.loss.tra_gamma, c.loss.tra_layers) == (1e-3, 0.5, 2)
    assert (c.data.keypoint_drop, c.data.flip, c.loss.garment_drop) == (0.05, 0.5, 0.1)


def test_yaml_round_trip(tmp_path):
    c = TrainConfig.from_dict({"data": {"sources": [{"kind": "vivid", "root": "/d", "categories": ["upper"]}]}})
    save_config(c, tmp_path / "x.yaml")
    assert load_config(tmp_path / "x.yaml") == c


def test_overrides_from_the_command_line(tmp_path):
    path = write(tmp_path, "data:\n  sources:\n  - {kind: synthetic}\noptim: {lr: 0.1}\n")
    c = load_config(path, ["optim.lr=1e-4", "data.sources.0.clips=8", "run.trackers=[]", "phases.image_groups=[tsa]"])
    assert c.optim.lr == 1e-4
    assert c.data.sources[0].clips == 8
    assert c.run.trackers == ()
    assert c.phases.image_groups == ("tsa",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("optim: {learning_rate: 1}", "optim.learning_rate"),
        ("optim: {lr: fast}", "optim.lr"),
        ("optim: {lr: -1}", "lr must be"),
        ("run: {steps: 1.5}", "run.steps"),
        ("run: {steps: true}", "run.steps"),
        ("run: {precision: fp8}", "precision"),
        ("data: {sources: []}", "sources is empty"),
        ("data: {sources: [{kind: imagenet}]}", "imagenet"),
        ("data: {sources: [{kind: vivid}]}", "root"),
        ("data: {sources: [{root: x}]}", "data.sources.0.kind"),
        ("data: {width: 100}", "multiples of 8"),
        ("phases: {video_groups: [everything]}", "everything"),
        ("phases: {video_frames: 1}", "video_frames"),
        ("phases: {image_steps: 0, video_steps: 0}", "one must be"),
        ("phases: 3", "expected a mapping"),
        ("[1, 2]", "expected sections"),
        ("a: [", "not YAML"),
    ],
)
def test_refusals_name_the_field(tmp_path, text, words):
    with pytest.raises(InputError, match=words):
        load_config(write(tmp_path, text))


@pytest.mark.parametrize("bad", ["optim.lr", "=3", "data.sources.4.kind=vvt", "optim.lr.x=1"])
def test_bad_overrides(tmp_path, bad):
    with pytest.raises(InputError):
        load_config(write(tmp_path, "data: {sources: [{kind: synthetic}]}\noptim: {lr: 1}"), [bad])


def test_missing_file(tmp_path):
    with pytest.raises(MissingFileError, match="configs/"):
        load_config(tmp_path / "none.yaml")
