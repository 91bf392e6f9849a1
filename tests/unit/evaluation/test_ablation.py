"""The ablation's arms are what they say, and a small one runs, resumes and reports."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dpidm_model.evaluation.ablation import ARMS, MEASURES, Trial, load_results, table
from dpidm_model.training.build import network
from dpidm_model.training.config import load_config

ROOT = Path(__file__).parents[3]


def model_of(arm, tmp_path):
    trial = Trial(arm=arm, seed=3, steps=10, seconds_a_step=0.5, slowest=1.0)
    config = load_config(ROOT / "configs/tiny.yaml", trial.overrides(tmp_path, 10))
    return config, network(config.model, 0)[0]


def test_arms_have_the_parts_their_name_says(tmp_path):
    names = {arm: [n for n, _ in model_of(arm, tmp_path)[1].named_parameters()] for arm in ARMS}

    def has(arm, part):
        return any(part in name for name in names[arm])

    assert [has(arm, "tsa") for arm in ("a", "input", "b", "c", "d")] == [False, False, False, True, True]
    assert [has(arm, "pose_encoder") for arm in ("a", "input", "b", "c", "d")] == [False, True, True, True, True]
    assert [has(arm, "adapter") for arm in ("a", "input", "b", "c", "d")] == [False, False, True, True, True]
    assert all(has(arm, "temporal") or has(arm, "pata") for arm in ARMS)
    assert names["c"] == names["d"]
    assert [model_of(arm, tmp_path)[0].loss.tra_weight > 0 for arm in ("c", "d")] == [False, True]


def test_equal_time_gives_a_cheap_arm_more_steps():
    assert Trial(arm="a", seed=0, steps=100, seconds_a_step=0.5, slowest=1.0).steps_of_equal_time == 200


@pytest.mark.slow
def test_a_small_ablation_runs_and_is_not_done_twice(tmp_path):
    small = ["--steps", "2", "--clips", "1", "--arms", "a", "d", "--out", str(tmp_path / "runs"), "--matched-time"]
    changes = ["data.height=64", "data.width=48", "data.sources=[{kind: synthetic, clips: 2, frames: 16}]"]
    command = [sys.executable, "evaluate.py", "ablation", *small, "--results", str(tmp_path / "found"), "--json"]
    done = subprocess.run([*command, "--set", *changes], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["trials"] == 4
    found = load_results(tmp_path / "found")
    by_name = {(r["arm"], r["matched"]): r for r in found}
    assert by_name["a", "time"]["steps"] >= by_name["a", "steps"]["steps"] == 2
    assert set(by_name["d", "steps"]["metrics"]) == set(MEASURES)
    assert "| (d) (c) + TRA | 1 | 2 |" in table(found, "steps")
    assert (tmp_path / "found" / "plot.png").stat().st_size > 5000
    again = subprocess.run([*command, "--set", *changes], cwd=ROOT, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert "training to step" not in again.stderr
