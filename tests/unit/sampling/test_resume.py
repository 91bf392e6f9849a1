"""A run that was stopped goes on where it was, and ends the same."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from dpidm_model.sampling.fuse import FUSE_AT
from dpidm_model.sampling.resume import StateFile, fingerprint, remove_old, weights_fingerprint
from dpidm_model.sampling.sampler import SamplerConfig
from dpidm_model.sampling.schedulers import SAMPLERS
from dpidm_model.sampling.watch import Watcher
from dpidm_model.sampling.windows import WindowConfig

from .conftest import Setup, make_inputs, small_network

ROOT = Path(__file__).resolve().parents[3]


class StopError(Exception):
    pass


class StopAfter(Watcher):
    def __init__(self, calls):
        self.left = calls

    def check(self):
        self.left -= 1
        if self.left < 0:
            raise StopError


class Count(Watcher):
    calls = 0

    def check(self):
        self.calls += 1


@pytest.mark.parametrize("fuse_at", FUSE_AT)
@pytest.mark.parametrize(("sampler", "calls"), [*((s, 6) for s in sorted(SAMPLERS)), ("dpmpp_2m", 1), ("uni_pc", 11)])
def test_an_interrupted_run_goes_on_bit_for_bit(setup, windows, tmp_path, sampler, fuse_at, calls):
    config = SamplerConfig(steps=3, seed=4, sampler=sampler, windows=windows, fuse_at=fuse_at)
    whole = setup.run(config)
    with pytest.raises(StopError):
        setup.run(config, watcher=StopAfter(calls), store=StateFile(tmp_path, "k"))
    counter = Count()
    resumed = setup.run(config, watcher=counter, store=StateFile(tmp_path, "k"))
    assert torch.equal(resumed, whole)
    windows_a_step = 4
    done = calls if fuse_at == "window" else calls - calls % windows_a_step
    assert counter.calls == 12 - done
    assert list(tmp_path.iterdir()) == []


def test_another_key_starts_anew_and_damage_is_survived(setup, windows, tmp_path, caplog):
    config = SamplerConfig(steps=2, windows=windows)
    whole = setup.run(config)
    for damage in ("none", "cut", "other"):
        store = StateFile(tmp_path, "a")
        with pytest.raises(StopError):
            setup.run(config, watcher=StopAfter(5), store=store)
        if damage == "cut":
            store.path.write_bytes(store.path.read_bytes()[:100])
        if damage == "other":
            store.path.rename(StateFile(tmp_path, "b").path)
        counter = Count()
        assert torch.equal(
            setup.run(config, watcher=counter, store=StateFile(tmp_path, "b" if damage == "other" else "a")), whole
        )
        assert counter.calls == (3 if damage == "none" else 8)
        assert list(tmp_path.iterdir()) == []
    assert "cannot be used" in caplog.text


def test_fingerprint_sees_what_matters():
    x = torch.arange(6.0).reshape(2, 3)
    assert fingerprint(1, x) == fingerprint(1, x.clone())
    different = [fingerprint(1, x), fingerprint(2, x), fingerprint(1, x.reshape(3, 2)), fingerprint(1, x.half())]
    different += [fingerprint(1, x + 1), fingerprint(1, x, None), fingerprint(x, 1), fingerprint(1, [x])]
    assert len(set(different)) == len(different)
    a, b = torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)
    assert weights_fingerprint(a) != weights_fingerprint(b)
    b.load_state_dict(a.state_dict())
    assert weights_fingerprint(a) == weights_fingerprint(b)


def test_old_states_are_removed(tmp_path):
    old, new = tmp_path / "dpidm_resume_a.safetensors", tmp_path / "dpidm_resume_b.safetensors"
    for path in (old, new):
        path.write_bytes(b"")
    os.utime(old, (time.time() - 30 * 86400,) * 2)
    remove_old(tmp_path)
    assert list(tmp_path.iterdir()) == [new]


CHILD = """
import sys, time, torch
sys.path.insert(0, {root!r})
from tests.unit.sampling.test_resume import child
child({folder!r}, {slow})
"""


def child(folder: str, slow: float) -> None:
    """A run that shows a mark when it is in the middle; used by the test below in a process of its own."""

    class Slow(Count):
        def check(self):
            super().check()
            if self.calls == 7:
                (Path(folder) / "middle").touch()
            time.sleep(slow)

    torch.set_num_threads(1)
    network = small_network()
    setup, watcher = Setup(network, make_inputs(network, 12)), Slow()
    config = SamplerConfig(steps=3, sampler="uni_pc", windows=WindowConfig(length=5, overlap=2))
    result = setup.run(config, watcher=watcher, store=StateFile(folder, "kill", min_seconds=0))
    torch.save((result, watcher.calls), Path(folder) / "result.pt")


@pytest.mark.slow
def test_kill_minus_9_in_the_middle(setup, windows, tmp_path):
    command = [sys.executable, "-c", CHILD.format(root=str(ROOT), folder=str(tmp_path), slow=0.2)]
    process = subprocess.Popen(command, cwd=ROOT)
    deadline = time.monotonic() + 60
    while not (tmp_path / "middle").exists():
        assert time.monotonic() < deadline, "the run did not get to its middle"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "result.pt").exists()
    quick = [sys.executable, "-c", CHILD.format(root=str(ROOT), folder=str(tmp_path), slow=0)]
    subprocess.run(quick, cwd=ROOT, check=True)
    resumed, calls = torch.load(tmp_path / "result.pt")
    assert calls == 12 - 6
    whole = setup.run(SamplerConfig(steps=3, sampler="uni_pc", windows=windows))
    assert torch.equal(resumed, whole)
    assert not list(tmp_path.glob("dpidm_resume_*"))
