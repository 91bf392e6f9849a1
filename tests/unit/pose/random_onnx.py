"""Small random ONNX networks with the signatures of DW-Pose's two files, for comparisons and benchmarks."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def yolox(path: Path, seed: int = 0, *, batch: int | str = "batch", people: float = -3.4, blob: bool = False) -> Path:
    """(batch, 3, 640, 640) -> (batch, 8400, 85): average pools at strides 8, 16, 32, each with a random 1x1 layer.

    people: bias of the person class; higher means more boxes.  blob: instead, a person-sized box on bright things.
    """
    rng = np.random.default_rng(seed)
    nodes, constants, parts = [], [], []
    for stride in (8, 16, 32):
        weight = rng.normal(0, 0.01, (85, 3, 1, 1)).astype(np.float32)
        bias = np.full(85, -6, np.float32)
        bias[:2], bias[2:4], bias[4], bias[5] = 0.5, np.log((60, 140)) - np.log(stride) + 0.3, 2.0, people
        weight[6:] *= 0.1
        if blob:
            weight[:6], bias[2:4] = 0, np.log((90, 240)) - np.log(stride)
            weight[5], bias[5] = 0.02, -8 if stride == 32 else -30
        constants += [numpy_helper.from_array(weight, f"w{stride}"), numpy_helper.from_array(bias, f"b{stride}")]
        pool = {"kernel_shape": [stride] * 2, "strides": [stride] * 2}
        nodes += [
            helper.make_node("AveragePool", ["images"], [f"p{stride}"], **pool),
            helper.make_node("Conv", [f"p{stride}", f"w{stride}", f"b{stride}"], [f"c{stride}"]),
            helper.make_node("Reshape", [f"c{stride}", "flat"], [f"r{stride}"]),
            helper.make_node("Transpose", [f"r{stride}"], [f"t{stride}"], perm=[0, 2, 1]),
        ]
        parts.append(f"t{stride}")
    constants.append(numpy_helper.from_array(np.array([0, 85, -1], np.int64), "flat"))
    constants += [
        numpy_helper.from_array(np.array([0], np.int64), "zero"),
        numpy_helper.from_array(np.array([4], np.int64), "four"),
        numpy_helper.from_array(np.array([85], np.int64), "end"),
        numpy_helper.from_array(np.array([2], np.int64), "axis"),
    ]
    nodes += [
        helper.make_node("Concat", parts, ["all"], axis=1),
        helper.make_node("Slice", ["all", "zero", "four", "axis"], ["boxes"]),
        helper.make_node("Slice", ["all", "four", "end", "axis"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["scores"]),
        helper.make_node("Concat", ["boxes", "scores"], ["output"], axis=2),
    ]
    return _save(path, nodes, constants, ("images", [batch, 3, 640, 640]), [("output", [batch, 8400, 85])])


def simcc(path: Path, seed: int = 1, *, batch: int | str = "batch", work: int = 0) -> Path:
    """(batch, 3, 384, 288) -> simcc_x (batch, 133, 576), simcc_y (batch, 133, 768); `work` extra 3x3 layers."""
    rng = np.random.default_rng(seed)
    constants = [
        numpy_helper.from_array(rng.normal(0, 0.4, (133, 3, 1, 1)).astype(np.float32), "w"),
        numpy_helper.from_array(rng.normal(0, 0.1, (108, 576)).astype(np.float32), "mx"),
        numpy_helper.from_array(rng.normal(0, 0.1, (108, 768)).astype(np.float32), "my"),
        numpy_helper.from_array(np.array([0, 133, 108], np.int64), "flat"),
    ]
    nodes, last = [], "input"
    for index in range(work):
        constants.append(numpy_helper.from_array(rng.normal(0, 0.2, (3, 3, 3, 3)).astype(np.float32), f"k{index}"))
        nodes.append(helper.make_node("Conv", [last, f"k{index}"], [f"x{index}"], pads=[1, 1, 1, 1]))
        last = f"x{index}"
    nodes += [
        helper.make_node("AveragePool", [last], ["pooled"], kernel_shape=[32, 32], strides=[32, 32]),
        helper.make_node("Conv", ["pooled", "w"], ["joints"]),
        helper.make_node("Reshape", ["joints", "flat"], ["rows"]),
        helper.make_node("MatMul", ["rows", "mx"], ["simcc_x"]),
        helper.make_node("MatMul", ["rows", "my"], ["simcc_y"]),
    ]
    outputs = [("simcc_x", [batch, 133, 576]), ("simcc_y", [batch, 133, 768])]
    return _save(path, nodes, constants, ("input", [batch, 3, 384, 288]), outputs)


def _save(path: Path, nodes, constants, given, made) -> Path:
    inputs = [helper.make_tensor_value_info(given[0], TensorProto.FLOAT, given[1])]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in made]
    graph = helper.make_graph(nodes, "random", inputs, outputs, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path
