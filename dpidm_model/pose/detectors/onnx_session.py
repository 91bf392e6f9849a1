"""An ONNX network on whichever provider onnxruntime has here."""

import logging
from pathlib import Path

import numpy as np

from ...errors import CheckpointError, require

log = logging.getLogger(__name__)

# best first; TensorRT is left out: it compiles for minutes on the first frame
PROVIDERS = (
    "CUDAExecutionProvider",
    "ROCMExecutionProvider",
    "MIGraphXExecutionProvider",
    "DmlExecutionProvider",
    "CoreMLExecutionProvider",
    "CPUExecutionProvider",
)


class Session:
    """One network. Call with an array (N, 3, H, W); returns its outputs, however many N the file itself allows."""

    def __init__(self, path: Path, size: tuple[int, int], threads: int = 0):
        """size: (width, height) it must take.  threads: CPU threads, 0 = onnxruntime's choice.

        Raises CheckpointError if the file cannot be loaded or takes something else.
        """
        runtime = require("onnxruntime", pip="onnxruntime", needed_for="the DW-Pose backend")
        available = runtime.get_available_providers()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        wanted = [p for p in PROVIDERS if p in available] or ["CPUExecutionProvider"]
        try:
            self._session = runtime.InferenceSession(str(path), options, providers=wanted)
        except Exception as error:  # onnxruntime raises its own classes, not exported in all versions
            raise CheckpointError(
                f"{path} is not a readable ONNX network ({str(error).strip()[:300]}); delete it and fetch it again"
            ) from error
        self.path = path
        self.provider = self._session.get_providers()[0]
        if self.provider != wanted[0]:
            log.warning("%s: %s could not be used, it runs on %s", path.name, wanted[0], self.provider)
        else:
            log.info("%s runs on %s", path.name, self.provider)
        first = self._session.get_inputs()[0]
        self._input, shape = first.name, first.shape
        expected = (3, size[1], size[0])
        if len(shape) != 4 or any(isinstance(n, int) and n != e for n, e in zip(shape[1:], expected)):
            raise CheckpointError(f"{path} takes input of shape {shape}; expected (batch, {expected}): a file swapped?")
        self.one_by_one = shape[0] == 1

    def __call__(self, batch_N3HW: np.ndarray) -> list[np.ndarray]:
        if not self.one_by_one or len(batch_N3HW) == 1:
            return self._session.run(None, {self._input: batch_N3HW})
        runs = [self._session.run(None, {self._input: batch_N3HW[i : i + 1]}) for i in range(len(batch_N3HW))]
        return [np.concatenate(parts) for parts in zip(*runs)]
