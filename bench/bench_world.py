"""The generated world: frames a second on one core, and what a second garment on the same motion costs."""

import time

import cv2

from dpidm_model.world.clip import make_clip

CLIPS, FRAMES = 4, 24


def _seconds(**wishes) -> float:
    """Processor time of one frame, mean over a few clips."""
    start = time.process_time()
    for seed in range(CLIPS):
        make_clip(seed, FRAMES, **wishes)
    return (time.process_time() - start) / (CLIPS * FRAMES)


def run() -> dict:
    """Processor seconds a frame (24-frame clips, one thread) at 128x96, and ratios of other wishes to that."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        make_clip(0, 2)
        plain = _seconds(size=(96, 128))
        both = _seconds(size=(96, 128), unpaired=True)
        flow = _seconds(size=(96, 128), flow=True)
        large = _seconds(size=(192, 256))
    finally:
        cv2.setNumThreads(threads)
    return {
        "seconds_per_frame_128x96": plain,
        "frames_per_second_128x96": 1 / plain,
        "with_second_garment_ratio": both / plain,
        "with_flow_ratio": flow / plain,
        "size_256x192_ratio": large / plain,
    }
