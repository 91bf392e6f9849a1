"""Configs check themselves and survive JSON."""

import pytest

from dpidm_model.config import PRESETS, CompatConfig, DPIDMConfig, ScheduleConfig
from dpidm_model.errors import CheckpointError, InputError


@pytest.mark.parametrize("name", PRESETS)
def test_presets_round_trip(name):
    config, schedule = PRESETS[name]
    assert DPIDMConfig.from_json(config.to_json()) == config
    assert ScheduleConfig.from_json(schedule.to_json()) == schedule


def test_compat_round_trips():
    config = DPIDMConfig(compat=CompatConfig(guider_widths=(8, 16), guider_range=(-1.0, 1.0), garment_mask=True))
    assert DPIDMConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"temporal": "everywhere"}, "in_block, after_block, none"),
        ({"heads": (8, 8)}, "one entry for each of the 4 levels"),
        ({"heads": (7, 8, 8, 8)}, "divisible by heads=7"),
        ({"norm_groups": 33}, "norm_groups=33"),
        ({"tsa_frames": 0}, "at least 1"),
        ({"pose_input": "encoder", "pose_channels": 64}, "make them equal"),
        ({"temporal_norm_groups": 7}, "temporal_norm_groups=7"),
    ],
)
def test_bad_networks_are_refused(fields, words):
    with pytest.raises(InputError, match=words):
        DPIDMConfig(**fields)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"prediction_type": "x0"}, "epsilon, v_prediction, sample"),
        ({"beta_start": 0.1, "beta_end": 0.01}, "must rise"),
        ({"rescale_betas_zero_snr": True}, "zero terminal SNR"),
    ],
)
def test_bad_schedules_are_refused(fields, words):
    with pytest.raises(InputError, match=words):
        ScheduleConfig(**fields)


def test_fields_of_a_newer_version_are_named():
    with pytest.raises(CheckpointError, match="hair"):
        DPIDMConfig.from_json('{"hair": 1}')
