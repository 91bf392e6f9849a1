"""Video files as streams of frames: read one by one, written one by one, the sound kept.

F frames, H W pixels; frames are RGB uint8 (H, W, 3).
"""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, require
from ..files import atomic_path


def _av() -> Any:
    return require("av", pip="av", needed_for="reading and writing video files")


@dataclass(frozen=True)
class VideoInfo:
    """size: (width, height) as shown.  fps: frames a second.  frames: as the container says, 0 if it does not.
    audio: whether there is sound.
    """

    size: tuple[int, int]
    fps: Fraction
    frames: int
    audio: bool


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The container of a file that has a video stream. Raises InputError if it cannot be read."""
    av = _av()
    try:
        container = av.open(str(path))
    except (OSError, ValueError) as error:  # av's own errors are OSErrors or ValueErrors too
        raise InputError(f"{path} cannot be read as a video ({error}); convert it to mp4 (h264)") from error
    with container:
        if not container.streams.video:
            raise InputError(f"{path} has no video stream; choose a video file")
        yield container


def video_info(path: Path) -> VideoInfo:
    """What a video file says about itself, without decoding it."""
    with _opened(path) as container:
        stream = container.streams.video[0]
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        size = stream.codec_context.width, stream.codec_context.height
        return VideoInfo(size, Fraction(rate), int(stream.frames), bool(container.streams.audio))


def read_frames(path: Path) -> Iterator[np.ndarray]:
    """The frames of a video file, one by one, as RGB uint8 (H, W, 3). Raises InputError if it cannot be decoded."""
    av = _av()
    with _opened(path) as container:
        container.streams.video[0].thread_type = "AUTO"
        count = 0
        try:
            for frame in container.decode(video=0):
                count += 1
                yield frame.to_ndarray(format="rgb24")
        except av.error.FFmpegError as error:
            raise InputError(f"{path} is broken after frame {count} ({error}); convert it to mp4 (h264)") from error
        if count == 0:
            raise InputError(f"{path} has no frames; choose another file")


def write_frames(
    path: Path,
    frames: Iterable[np.ndarray],
    fps: Fraction | float,
    *,
    sound_from: Path | None = None,
    quality: int = 18,
) -> int:
    """Write RGB uint8 frames as h264 mp4, one by one; returns how many.

    sound_from: a video whose sound is copied as it is (cut at the end of the pictures).  quality: x264's CRF, lower is
    better.  Odd sizes lose their last row or column (h264 has half-size colour). The file appears when it is complete.
    """
    av = _av()
    rate = Fraction(fps).limit_denominator(100000)
    with atomic_path(path) as temporary, contextlib.ExitStack() as stack:
        out = stack.enter_context(av.open(str(temporary), "w", format="mp4"))
        sound = _sound(stack, sound_from)
        picture_stream, sound_stream, count = None, None, 0
        for frame in frames:
            even = frame[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2]
            if even.shape[0] < 2 or even.shape[1] < 2:
                raise InputError(
                    f"frame {count} is {frame.shape[1]}x{frame.shape[0]} pixels; a video needs at least 2x2"
                )
            if picture_stream is None:
                picture_stream = out.add_stream("libx264", rate=rate, options={"crf": str(quality)})
                picture_stream.width, picture_stream.height = even.shape[1], even.shape[0]
                picture_stream.pix_fmt = "yuv420p"
                sound_stream = out.add_stream_from_template(sound.streams.audio[0]) if sound else None
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
            out.mux(picture_stream.encode(picture))
            count += 1
        if picture_stream is None:
            raise InputError("there are no frames to write; expected at least one")
        out.mux(picture_stream.encode())
        if sound is not None and sound_stream is not None:
            _copy_sound(sound, out, sound_stream, float(count / rate))
    return count


def _sound(stack: contextlib.ExitStack, path: Path | None) -> Any:
    """The opened container to take sound from; None without a path or without sound in it."""
    if path is None:
        return None
    container = stack.enter_context(_opened(path))
    return container if container.streams.audio else None


def _copy_sound(source: Any, out: Any, stream: Any, seconds: float) -> None:
    """Packets of the first sound stream up to the end of the pictures, unchanged."""
    for packet in source.demux(source.streams.audio[0]):
        if packet.dts is None or float(packet.dts * packet.time_base) >= seconds:
            continue
        packet.stream = stream
        out.mux(packet)
