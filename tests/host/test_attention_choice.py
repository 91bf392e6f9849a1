"""The attention that the user chose for the host is used; on a CPU without a choice torch's, and the log says so."""

import pytest

from tests.host.graphs import with_host_modules

SCRIPT = """
import importlib, json, logging, sys, types
import torch
import comfy.options
comfy.options.enable_args_parsing()
folder, sys.argv = sys.argv[1], ["main.py", "--cpu", *sys.argv[2:]]
import comfy.cli_args
from comfy.ldm.modules import attention as theirs

package = types.ModuleType("pack"); package.__path__ = [folder]
nodes = types.ModuleType("pack.nodes"); nodes.__path__ = [folder + "/nodes"]
sys.modules.update({"pack": package, "pack.nodes": nodes})
parts = importlib.import_module("pack.nodes.sampling_parts")

said = []
parts.log.addHandler(types.SimpleNamespace(level=0, handle=lambda record: said.append(record.getMessage())))
parts.log.setLevel(logging.INFO)
used = []
whole = theirs.optimized_attention
theirs.optimized_attention = lambda *a, **k: (used.append(whole.__name__), whole(*a, **k))[1]
draw = torch.Generator().manual_seed(0)
q, k, v = (torch.randn(2, 3, n, 8, generator=draw) for n in (5, 11, 11))
expected = torch.nn.functional.scaled_dot_product_attention(q, k, v)
found = [parts.attention_on(torch.device("cpu"))(q, k, v) for _ in range(2)]
print(json.dumps({"used": used, "said": said, "error": max((x - expected).abs().max().item() for x in found)}))
"""


@pytest.mark.parametrize(
    ("flags", "used"),
    [
        ([], None),
        (["--use-split-cross-attention"], "attention_split"),
        (["--use-quad-cross-attention"], "attention_sub_quad"),
        (["--use-pytorch-cross-attention"], "attention_pytorch"),
    ],
)
def test_the_users_choice_of_attention_counts_on_a_cpu_too(flags, used):
    found = with_host_modules(SCRIPT, *flags)
    assert found["used"] == ([] if used is None else [used] * 2), found
    assert len(found["said"]) == (used is None), found  # once, not at every run
    assert found["error"] < 1e-5
