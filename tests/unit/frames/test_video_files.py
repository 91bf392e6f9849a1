"""Video files as streams: what is written comes back, sound included."""

from fractions import Fraction

import numpy as np
import pytest

from dpidm_model.errors import InputError
from dpidm_model.frames.video import read_frames, video_info, write_frames

av = pytest.importorskip("av")


def gradient(frames: int, size: tuple[int, int]):
    """Smooth moving colours: h264 keeps them to a few levels."""
    xs, ys = np.meshgrid(np.linspace(0, 1, size[0]), np.linspace(0, 1, size[1]))
    for f in range(frames):
        yield (np.stack([xs, ys, (xs + f / 20) % 1 * 0 + 0.5], axis=-1) * 200 + 20).astype(np.uint8)


@pytest.fixture
def with_sound(tmp_path):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = out.add_stream("aac", rate=16000)
        for frame in gradient(10, (64, 48)):
            out.mux(video.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        out.mux(video.encode())
        tone = (np.sin(np.arange(16000) / 20) * 0.3).astype(np.float32)
        for start in range(0, 16000, 1024):
            piece = av.AudioFrame.from_ndarray(tone[None, start : start + 1024], format="fltp", layout="mono")
            piece.sample_rate, piece.pts = 16000, start
            out.mux(audio.encode(piece))
        out.mux(audio.encode())
    return path


@pytest.mark.parametrize("size", [(64, 48), (65, 49), (16, 64)])
def test_round_trip(tmp_path, size):
    path = tmp_path / "a" / "clip.mp4"
    assert write_frames(path, gradient(7, size), Fraction(25, 2)) == 7
    info = video_info(path)
    assert info.size == (size[0] // 2 * 2, size[1] // 2 * 2)
    assert info.fps == Fraction(25, 2)
    assert not info.audio
    frames = list(read_frames(path))
    assert len(frames) == 7
    wanted = next(gradient(1, size))[: info.size[1], : info.size[0]]
    assert np.abs(frames[3].astype(int) - wanted).mean() < 4


def test_sound_is_copied(tmp_path, with_sound):
    path = tmp_path / "copy.mp4"
    write_frames(path, read_frames(with_sound), 10, sound_from=with_sound)
    assert video_info(path).audio
    with av.open(str(path)) as copy, av.open(str(with_sound)) as source:
        ours = [bytes(p) for p in copy.demux(audio=0) if p.size]
        theirs = [bytes(p) for p in source.demux(audio=0) if p.size]
    assert ours == theirs[: len(ours)]
    assert len(ours) >= len(theirs) - 2


def test_broken_files_are_explained_and_nothing_half_is_left(tmp_path, with_sound):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a video")
    with pytest.raises(InputError, match="cannot be read"):
        list(read_frames(broken))
    with pytest.raises(InputError, match="cannot be read"):
        list(read_frames(tmp_path / "absent.mp4"))
    target = tmp_path / "out.mp4"

    def failing():
        yield np.zeros((48, 64, 3), np.uint8)
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError):
        write_frames(target, failing(), 10)
    with pytest.raises(InputError, match="no frames"):
        write_frames(target, [], 10)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["broken.mp4", "sound.mp4"]
