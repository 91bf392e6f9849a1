"""The network under the host's ModelPatcher: partly loaded, cast, unloaded; the same numbers as the plain network."""

from tests.host.graphs import with_host_modules

SCRIPT = """
import copy, importlib, json, sys, types
import torch
import comfy.cli_args
comfy.cli_args.args.cpu = True
from dataclasses import replace
from dpidm_model.checkpoint.file import build_model
from dpidm_model.config import PRESETS
from dpidm_model.network.conditions import TryOnConditions

package = types.ModuleType("pack"); package.__path__ = [sys.argv[1]]
nodes = types.ModuleType("pack.nodes"); nodes.__path__ = [sys.argv[1] + "/nodes"]
sys.modules.update({"pack": package, "pack.nodes": nodes})
host = importlib.import_module("pack.nodes.host")

def step(model, attention=None, dtype=torch.float32):
    draw = torch.Generator().manual_seed(0)
    image = lambda *shape: torch.rand(shape, generator=draw).to(dtype)
    more = {} if attention is None else {"attention": attention}
    garment = model.encode_garment(image(1, 16, 8, 6), image(1, 3, 64, 48), image(1, 768), **more)
    given = TryOnConditions(agnostic_BFCHW=image(1, 3, 16, 8, 6), mask_BF1HW=image(1, 3, 1, 8, 6),
                            pose=model.encode_pose(image(1, 3, 3, 64, 48)), garment=garment)
    return torch.stack(model(image(1, 3, 16, 8, 6), 500, given, half="both", **more))

result = {}
with torch.no_grad():
    plain = build_model(PRESETS["tiny"][0], 0)
    expected = step(plain)
    managed = host.manage(copy.deepcopy(plain))
    result["wrapped"] = (step(host.load(managed)) - expected).abs().max().item()
    result["attention"] = (step(managed.model, host.attention()) - expected).abs().max().item()
    partly = host.manage(copy.deepcopy(plain))
    partly.load(torch.device("cpu"), lowvram_model_memory=partly.model_size() // 3)
    offloaded = [m for m in partly.model.modules() if hasattr(m, "prev_comfy_cast_weights")]  # stays offloaded
    result["offloaded_layers"] = len(offloaded)
    result["all_layers"] = sum(hasattr(m, "comfy_cast_weights") for m in partly.model.modules())
    result["partly"] = (step(partly.model) - expected).abs().max().item()
    for name in ("float16", "bfloat16"):
        dtype = getattr(torch, name)
        low = host.manage(copy.deepcopy(plain).to(dtype))
        out = step(host.load(low), dtype=dtype)
        result[name] = [str(out.dtype), bool(out.isfinite().all()), (out.float() - expected).abs().mean().item()]
    mixed = host.manage(copy.deepcopy(plain).to(torch.float16))  # fp16 weights under fp32 activations
    mixed.load(torch.device("cpu"), lowvram_model_memory=1)
    out = step(mixed.model)
    result["manual_cast"] = [str(out.dtype), (out - expected).abs().mean().item()]
    result["scale"] = expected.abs().mean().item()
print(json.dumps(result))
"""


def test_the_host_may_load_cast_and_offload_parts():
    found = with_host_modules(SCRIPT)
    for way in ("wrapped", "attention", "partly"):
        assert found[way] < 1e-5, found
    assert 0 < found["offloaded_layers"] < found["all_layers"]
    for name, tolerance in (("float16", 0.01), ("bfloat16", 0.05)):
        dtype, finite, error = found[name]
        assert dtype == f"torch.{name}"
        assert finite
        assert error < tolerance * found["scale"], found
    dtype, error = found["manual_cast"]
    assert dtype == "torch.float32"
    assert error < 0.01 * found["scale"], found
