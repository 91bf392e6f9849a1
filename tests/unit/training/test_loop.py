"""The loop on a small real network: phases, resume, signals, broken numbers, broken checkpoints."""

import json
import os
import signal
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from dpidm_model.checkpoint.file import load_model
from dpidm_model.errors import CheckpointError, InputError
from dpidm_model.training import state
from dpidm_model.training.loop import DivergedError, Trainer, learning_rate
from dpidm_model.training.meter import Meter


@pytest.fixture(autouse=True)
def one_thread():
    AcceleratorState._reset_state(reset_partial_state=True)  # a process normally trains once
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def trainer(config, lines=None):
    return Trainer(config, say=(lines.append if lines is not None else lambda line: None))


def weights(model):
    return {n: p.detach().clone() for n, p in model.state_dict().items()}


def changed(before, after):
    return {n for n in before if not torch.equal(before[n], after[n])}


def group_names(model, *groups):
    return {name for group in groups for name, _ in model.parameter_groups()[group]}


def one_step(run):
    from itertools import islice

    meter = Meter(1000, torch.device("cpu"))
    run._count(run._one_step(list(islice(run._loader(), run.config.optim.accumulate)), meter))
    return meter


def test_image_step_moves_only_pasa_and_ca_then_video_step_only_tsa_and_pata(tmp_path, make_config):
    run = trainer(make_config(tmp_path, "phases.image_groups=[pasa, ca]", "loss.garment_drop=0"))
    start = weights(run.model)
    one_step(run)
    after_image = weights(run.model)
    moved = changed(start, after_image)
    assert moved
    assert moved <= group_names(run.model, "pasa", "ca")
    assert {".pasa." in n for n in moved} == {True, False}  # both took part
    one_step(run)
    moved = changed(after_image, weights(run.model))
    assert moved
    assert moved <= group_names(run.model, "tsa", "pata")
    assert {".tsa." in n for n in moved} == {True, False}
    one_step(run)  # Adam's momentum of the frozen ones must not move them either
    assert changed(after_image, weights(run.model)) - moved <= group_names(run.model, "pasa", "ca")


@pytest.mark.parametrize(("step", "own", "other"), [(0, ("pasa", "ca"), ("tsa", "pata")), (1, ("tsa", "pata"), ())])
def test_gradients_reach_the_phase_and_nothing_else(tmp_path, make_config, step, own, other):
    run = trainer(make_config(tmp_path, "phases.image_groups=[pasa, ca]", "loss.garment_drop=0"))
    phase = ("image", "video")[step]
    run.progress.step = step
    run.trainable.enter(phase)
    (samples,) = [next(iter(run._loader()))]
    run.forward(run.encoder.batch(samples), phase)[0].backward()
    touched = {n for n, p in run.model.named_parameters() if p.grad is not None}
    assert touched
    assert touched <= group_names(run.model, *own)
    zero_start = {n for n in group_names(run.model, *own) if n not in touched}
    assert not zero_start, f"without gradient: {sorted(zero_start)[:4]}"


def test_default_phase_one_also_trains_the_pose_encoder_and_says_how_many(tmp_path, make_config):
    lines = []
    run = trainer(make_config(tmp_path), lines)
    counts = run.trainable.report(run.model)
    expected = sum(p.numel() for g in ("pasa", "ca", "pose_encoder") for _, p in run.model.parameter_groups()[g])
    assert counts["image"] == expected
    assert f"phase (i) trains {expected:,}" in lines[0]


def test_adapters_only_fine_tuning(tmp_path, make_config):
    run = trainer(make_config(tmp_path, "phases.image_groups=[adapters]", "phases.video_groups=[tsa]"))
    assert all(".adapter." in n for n in run.trainable.image)
    assert run.trainable.report(run.model)["image"] < run.trainable.report(run.model)["all"] / 20
    start = weights(run.model)
    one_step(run)
    assert changed(start, weights(run.model)) <= set(run.trainable.image)


def test_a_group_the_network_lacks_is_refused(tmp_path, make_config):
    with pytest.raises(InputError, match="'tsa'"):
        trainer(make_config(tmp_path, "model.config.tsa=false"))


def test_image_data_alone(tmp_path, make_config, made):
    made.vitonhd(tmp_path / "vh")
    source = f"data.sources=[{{kind: vitonhd, root: {tmp_path / 'vh'}}}]"
    with pytest.raises(InputError, match="video_steps=0"):
        trainer(make_config(tmp_path / "run", source))
    result = trainer(make_config(tmp_path / "run", source, "phases.video_steps=0", "run.steps=2")).run()
    assert result["step"] == 2


def test_twenty_steps_equal_ten_and_resume_and_ten_bit_for_bit(tmp_path, make_config):
    changes = ("data.workers=0", "optim.schedule=cosine", "optim.warmup=3")
    whole = trainer(make_config(tmp_path / "a", "run.steps=20", *changes))
    whole.run()
    first = trainer(make_config(tmp_path / "b", "run.steps=20", *changes))
    for _ in range(10):
        one_step(first)
    assert first.save()
    lines = []
    second = trainer(make_config(tmp_path / "b", "run.steps=20", *changes), lines)
    assert second.progress.step == 10
    assert any("resumed step-00000010" in line for line in lines)
    second.run()
    assert changed(weights(whole.model), weights(second.model)) == set()
    for name, average in whole.ema.average.items():
        assert torch.equal(average, second.ema.average[name])
    a, b = whole.optimizer.state_dict()["state"], second.optimizer.state_dict()["state"]
    assert a.keys() == b.keys()
    assert all(torch.equal(a[i][k], b[i][k]) for i in a for k in a[i])


@pytest.fixture
def scaled(monkeypatch):
    """accelerate makes a gradient scaler on GPUs only; torch's works on a CPU just as well."""
    begin = Accelerator.__init__

    def with_scaler(self, *args, **kwargs):
        begin(self, *args, **kwargs)
        self.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=3)

    monkeypatch.setattr(Accelerator, "__init__", with_scaler)


def test_a_gradient_scaler_counts_what_it_skips_and_resumes_bit_for_bit(tmp_path, make_config, scaled):
    """fp16: the scale shrinks after an overflow, grows after quiet steps, and goes into the checkpoint."""

    def step(run, broken=False):
        encode = run.encoder._encode
        if broken:
            run.encoder._encode = lambda images: encode(images) * float("inf")
        one_step(run)
        run.encoder._encode = encode

    changes = ("data.workers=0", "loss.garment_drop=0", "run.steps=8", "run.precision=fp16")
    whole, first = (trainer(make_config(tmp_path / name, *changes)) for name in "ab")
    scaler = whole.accelerator.scaler
    for number in range(6):
        before, ema = weights(whole.model), {n: v.clone() for n, v in whole.ema.average.items()}
        step(whole, broken=number == 1)
        if number == 1:
            assert changed(before, weights(whole.model)) == set()
            assert all(torch.equal(v, whole.ema.average[n]) for n, v in ema.items())
            assert (whole.progress.skipped, scaler.get_scale()) == (1, 512.0)
    assert (whole.progress.skipped, whole.progress.skipped_in_a_row, scaler.get_scale()) == (1, 0, 1024.0)
    for number in range(4):
        step(first, broken=number == 1)
    assert first.save()
    second = trainer(make_config(tmp_path / "b", *changes))
    assert second.accelerator.scaler.get_scale() == 512.0
    for _ in range(2):
        step(second)
    assert second.accelerator.scaler.get_scale() == 1024.0
    assert changed(weights(whole.model), weights(second.model)) == set()


def test_fp16_on_a_cpu_is_said_to_be_float32(tmp_path, make_config):
    lines = []
    trainer(make_config(tmp_path, "run.precision=fp16"), lines)
    assert any("float32" in line for line in lines)


def test_loader_processes_change_nothing(tmp_path, make_config):
    here, there = (trainer(make_config(tmp_path / str(n), "run.steps=3", f"data.workers={n}")) for n in (0, 2))
    here.run()
    there.run()
    assert changed(weights(here.model), weights(there.model)) == set()


def test_accumulation_equals_a_larger_batch(tmp_path, make_config):
    """2 micro-batches of 1 clip do not draw the clips of 1 batch of 2; so compare gradients on the same samples."""
    changes = ("loss.garment_drop=0", "optim.clip=0", "run.steps=2")
    run = trainer(make_config(tmp_path / "a", *changes))
    samples = next(iter(run._loader()))
    split = trainer(make_config(tmp_path / "b", "optim.accumulate=2", *changes))
    meter = Meter(1000, torch.device("cpu"))
    run._one_step([samples], meter)
    split._one_step([[samples[0]], [samples[1]]], meter)
    for (name, a), b in zip(run.model.state_dict().items(), split.model.state_dict().values()):
        torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-4, msg=lambda text, n=name: f"{n}: {text}")


def test_trained_file_loads(tmp_path, make_config):
    result = trainer(make_config(tmp_path, "run.steps=2", "model.name=mine")).run()
    model, info = load_model(result["model"])
    assert info.trained
    assert info.label == "mine"
    assert "2 steps on folder at 48x64" in info.origin
    assert all(torch.isfinite(p).all() for p in model.parameters())
    again = trainer(make_config(tmp_path / "tuned", f"model.init={result['model']}", "model.config={}"))
    assert changed(weights(model), weights(again.model)) == set()


def test_parts_are_added_to_trained_weights_and_left_out(tmp_path, make_config):
    start = trainer(make_config(tmp_path)).export(tmp_path / "start.safetensors")
    before = weights(load_model(start)[0])

    def changed_to(name, config):
        return trainer(make_config(tmp_path / name, f"model.init={start}", f"model.config={config}"))

    posed = changed_to("posed", "{pose_input: encoder}")
    assert posed.model.config.pose_input == "encoder"
    after = {name.replace("conv_in.conv.", "conv_in."): x for name, x in weights(posed.model).items()}
    assert after.keys() == before.keys()
    assert changed(before, after) == set()
    one_step(posed)
    bare = weights(changed_to("bare", "{pata_pose: false}").model)
    assert bare.keys() == {name for name in before if ".pata.adapter." not in name}
    assert all(torch.equal(x, before[name]) for name, x in bare.items())
    fuller = changed_to("fuller", "{temporal: after_block}")  # its temporal layers stand elsewhere: fresh ones
    assert any(name not in before for name in weights(fuller.model))
    with pytest.raises(InputError, match=r"another shape \(.*adapter.down"):
        changed_to("other", "{pose_channels: 32}")


def test_corrupted_checkpoint_falls_back_and_says_so(tmp_path, make_config):
    run = trainer(make_config(tmp_path))
    one_step(run)
    run.save()
    one_step(run)
    run.save()
    newest, previous = state.checkpoints(tmp_path)
    victim = max((p for p in newest.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(data)
    lines = []
    assert trainer(make_config(tmp_path), lines).progress.step == 1
    assert any("step-00000002 is broken" in line and victim.name in line for line in lines)
    for path in (newest, previous):
        next(p for p in path.rglob("*.safetensors")).unlink()
    with pytest.raises(CheckpointError, match="none of the 2"):
        trainer(make_config(tmp_path))


def test_rotation_keeps_the_newest(tmp_path, make_config):
    run = trainer(make_config(tmp_path, "run.keep=2"))
    for _ in range(4):
        one_step(run)
        assert run.save()
    assert [state.step_of(p) for p in state.checkpoints(tmp_path)] == [4, 3]
    assert not list(tmp_path.glob(".*part"))


def test_non_finite_loss_skips_counts_and_stops(tmp_path, make_config):
    run = trainer(make_config(tmp_path, "run.steps=50", "run.max_skipped=3", "loss.garment_drop=0"))
    one_step(run)
    before, ema = weights(run.model), {n: v.clone() for n, v in run.ema.average.items()}
    state_before = json.dumps({k: str(v) for k, v in run.optimizer.state_dict()["state"].items()})
    encode = run.encoder._encode
    run.encoder._encode = lambda images: encode(images) * float("nan")  # a VAE that overflows
    one_step(run)
    assert (run.progress.skipped, run.progress.skipped_in_a_row, run.progress.step) == (1, 1, 2)
    assert changed(before, weights(run.model)) == set()
    assert all(torch.equal(v, run.ema.average[n]) for n, v in ema.items())
    assert state_before == json.dumps({k: str(v) for k, v in run.optimizer.state_dict()["state"].items()})
    run.encoder._encode = encode
    one_step(run)
    assert (run.progress.skipped, run.progress.skipped_in_a_row) == (1, 0)
    run.encoder._encode = lambda images: encode(images) * float("inf")
    with pytest.raises(DivergedError, match="3 steps in a row"):
        run.run()


def test_sigterm_saves_and_the_next_run_goes_on(tmp_path, make_config):
    lines = []
    run = trainer(make_config(tmp_path, "run.steps=1000"), lines)
    real = run._count

    def count_and_signal(bad):
        real(bad)
        if run.progress.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    run._count = count_and_signal
    result = run.run()
    assert result["step"] == 4  # the step that was running is finished
    assert "model" not in result
    assert any("run again to resume" in line for line in lines)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert trainer(make_config(tmp_path, "run.steps=1000")).progress.step == 4


def test_checkpoints_follow_the_clock(tmp_path, make_config):
    trainer(make_config(tmp_path, "run.checkpoint_minutes=1e-6", "run.steps=3", "run.keep=9")).run()
    assert [state.step_of(p) for p in state.checkpoints(tmp_path)] == [3, 2, 1]


def test_changed_configuration_is_said_on_resume(tmp_path, make_config):
    run = trainer(make_config(tmp_path))
    one_step(run)
    run.save()
    lines = []
    trainer(make_config(tmp_path, "optim.lr=0.5"), lines)
    assert "configuration changed: optim.lr 0.001 -> 0.5" in lines


def test_unreadable_samples_are_passed_over_and_counted(tmp_path, make_config, made):
    root = made.folder(tmp_path / "data", n=3)
    (root / "clip1/video.mp4").write_bytes(b"broken")
    config = make_config(tmp_path / "run", f"data.sources.0.root={root}", "run.steps=6", "data.unreadable=20")
    result = trainer(config).run()
    assert result["step"] == 6
    assert result["unreadable"] > 0
    for clip in ("clip0", "clip2"):
        (root / clip / "garment.jpg").unlink()
    run = trainer(make_config(tmp_path / "other", f"data.sources.0.root={root}"))
    with pytest.raises(InputError, match="8 samples in a row"):
        run.run()


def test_log_file_and_tensorboard(tmp_path, make_config):
    config = make_config(tmp_path, "run.trackers=[tensorboard]", "run.steps=4")
    trainer(config).run()
    records = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [r["step"] for r in records] == [1, 2, 3, 4]
    assert {"image", "lr", "frames_per_second", "memory_gib", "eta_seconds", "seconds_per_step"} <= set(records[0])
    assert {"video", "tra"} <= set(records[1])
    assert any(k.startswith("image/level") for k in records[0])
    assert list(Path(tmp_path).rglob("events.out.tfevents*"))


def test_the_log_forgets_steps_that_are_done_again(tmp_path, make_config):
    config = make_config(tmp_path, "run.steps=3")
    trainer(config).run()
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write(json.dumps({"step": 9, "image": 0.0}) + "\n")  # logged after the last checkpoint, then a crash
    trainer(make_config(tmp_path, "run.steps=4")).run()
    records = [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert records == [1, 2, 3, 4]


def test_learning_rate_schedules(make_config, tmp_path):
    constant = make_config(tmp_path, "optim.lr=1", "optim.warmup=4").optim
    assert [learning_rate(s, constant, 100) for s in (0, 1, 3, 50)] == [0.25, 0.5, 1, 1]
    cosine = make_config(tmp_path, "optim.lr=1", "optim.schedule=cosine", "optim.lr_end=0.1").optim
    assert learning_rate(0, cosine, 100) == 1
    assert learning_rate(50, cosine, 100) == pytest.approx(0.55)
    assert learning_rate(100, cosine, 100) == pytest.approx(0.1)


def test_bfloat16_and_checkpointing_run(tmp_path, make_config):
    config = make_config(tmp_path, "run.precision=bf16", "run.gradient_checkpointing=true", "run.steps=2")
    assert trainer(config).run()["step"] == 2


def test_gradient_checkpointing_changes_no_gradient(tmp_path, make_config):
    plain = trainer(make_config(tmp_path / "a", "run.steps=2"))
    saving = trainer(make_config(tmp_path / "b", "run.steps=2", "run.gradient_checkpointing=true"))
    plain.run()
    saving.run()
    for a, b in zip(plain.model.state_dict().values(), saving.model.state_dict().values()):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-5)
