"""Real people, real garments, all the way: keeps frames, rate and sound, and leaves the rest of the picture alone."""

import json
import shutil

import av
import numpy as np
import pytest

from tests.host.graphs import message, number_of
from tools.comfy_server import ROOT
from tools.demo import fill_in

CLIPS = {
    "vivid_upper1.mp4": ("vivid_00057_00.jpg", "upper"),
    "vivid_lower1.mp4": ("oot_051827_1.jpg", "lower"),
    "magictryon_upper_1219222.mp4": ("oot_03244_00.jpg", "upper"),
    "magictryon_lower_1221158.mp4": ("oot_051515_1.jpg", "lower"),
}


def read_frames(path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def shape_of(path) -> tuple[int, int, float, bool]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return stream.width, stream.height, float(stream.average_rate), bool(container.streams.audio)


def with_region_and_copy(graph: dict, frames: int, size: tuple[int, int], work: tuple[int, int]) -> dict:
    """The quick start, which also saves where Paste Back paints (white on black) and the source, re-encoded."""
    clip, paste = number_of(graph, "GetVideoComponents"), number_of(graph, "DPIDMPasteBack")

    def plain(width: int, height: int, colour: int) -> dict:
        return {
            "class_type": "EmptyImage",
            "inputs": {"width": width, "height": height, "batch_size": frames, "color": colour},
        }

    def saved(images: list, name: str) -> dict:
        video = {"class_type": "CreateVideo", "inputs": {"images": images, "fps": [clip, 2]}}
        inputs = {"video": [f"{name}_video", 0], "filename_prefix": name, "format": "auto", "codec": "auto"}
        return {f"{name}_video": video, f"{name}_file": {"class_type": "SaveVideo", "inputs": inputs}}

    region = {"source": ["black", 0], "result": ["white", 0], "colour_match": "none"}
    extra = {
        "black": plain(*size, 0),
        "white": plain(*work, 0xFFFFFF),
        "region": {"class_type": "DPIDMPasteBack", "inputs": {**graph[paste]["inputs"], **region}},
        **saved(["region", 0], "region"),
        **saved([clip, 0], "copy"),
    }
    titled = {key: {**node, "_meta": {"title": key}} for key, node in extra.items()}
    return {**graph, **titled}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(CLIPS))
def test_real_clip_with_a_real_garment(server, realset, artifacts, name):
    garment, category = CLIPS[name]
    source = realset / "person_video" / name
    for file in (source, realset / "garment" / garment):
        shutil.copyfile(file, server.base / "input" / file.name)
    graph = fill_in(
        json.loads((ROOT / "workflows" / "api" / "tryon_quickstart.json").read_text()), name, garment, category
    )
    graph[number_of(graph, "DPIDMVideoSampler")]["inputs"]["steps"] = 4  # the path, not the picture, is in question
    before = read_frames(source)
    width, height, rate, _ = shape_of(source)
    graph = with_region_and_copy(graph, len(before), (width, height), (96, 128))
    run = server.run(graph, timeout=1100)
    assert run.status == "success", message(run)
    files = {f.name.split("_0")[0]: f for f in server.output_files(run)}
    shutil.copyfile(files["contact_sheet"], artifacts / f"{source.stem}.png")

    after, region, copy = (read_frames(files[key]) for key in ("tryon", "region", "copy"))
    assert shape_of(files["tryon"])[:2] == (width, height)
    assert shape_of(files["tryon"])[2] == pytest.approx(rate, rel=1e-3)
    assert len(after) == len(before)
    painted = np.mean([(r > 128).mean() for r in region])
    assert 0.01 < painted < 0.7, f"{painted:.0%} of the picture is painted"
    ours, codec = [], []
    for source_frame, result, where, again in zip(before, after, region, copy, strict=True):
        outside = where.max(-1) < 8
        ours.append(np.abs(result.astype(int) - source_frame)[outside].mean())
        codec.append(np.abs(again.astype(int) - source_frame)[outside].mean())
    assert np.mean(ours) <= 1.25 * np.mean(codec) + 0.3, (
        f"outside the mask: {np.mean(ours):.2f}, codec {np.mean(codec):.2f}"
    )


def test_sample_keeps_its_sound(server, quickstart):
    """Frames, rate and audio of the sample clip, whose sound is a tone."""
    quickstart[number_of(quickstart, "DPIDMVideoSampler")]["inputs"]["steps"] = 2
    run = server.run(quickstart, timeout=600)
    assert run.status == "success", message(run)
    result = next(f for f in server.output_files(run) if f.suffix == ".mp4")
    sample = ROOT / "sample" / "person.mp4"
    assert shape_of(result)[:2] == shape_of(sample)[:2]
    assert shape_of(result)[2] == pytest.approx(shape_of(sample)[2], rel=1e-3)
    assert shape_of(result)[3]
    assert len(read_frames(result)) == len(read_frames(sample))
    loud = []
    for path in (sample, result):
        with av.open(str(path)) as container:
            sound = np.concatenate([f.to_ndarray().astype(np.float32).mean(0) for f in container.decode(audio=0)])
            loud.append((len(sound) / container.streams.audio[0].rate, float(np.abs(sound).mean())))
    assert loud[1][0] == pytest.approx(loud[0][0], abs=0.2)
    assert loud[1][1] > 0
