"""The pack in a real host: how it loads, what it leaves alone."""

import json
import re
import subprocess

import pytest

from tests.host.graphs import sampler_graph
from tools.build_workflows import write
from tools.comfy_server import PYTHON, ROOT

HEAVY = ("diffusers", "cv2", "onnxruntime", "ai_edge_litert", "controlnet_aux", "scipy.signal")


def test_loads_without_a_warning(server):
    log = server.log().partition("Starting server")[0]
    assert "IMPORT FAILED" not in log
    assert re.search(r"seconds: .*ComfyUI-DPIDM\.v1", log), "the host does not list the pack"
    ours = [
        line for line in log.splitlines() if "dpidm" in line.lower() and re.search(r"warn|error|traceback", line, re.I)
    ]
    assert not ours, ours


def test_every_node_is_complete(server):
    """Ids, categories, tooltips and output names, as the page gets them."""
    nodes = {k: v for k, v in server.get("/object_info").items() if k.startswith("DPIDM")}
    assert len(nodes) >= 9
    for name, info in nodes.items():
        assert info["category"].startswith("DPIDM/"), name
        assert info["description"], name
        assert all(info["output_name"]), name
        inputs = {**info["input"].get("required", {}), **info["input"].get("optional", {})}
        for key, spec in inputs.items():
            assert len(spec) > 1, f"{name}.{key} has no tooltip"
            assert spec[1].get("tooltip"), f"{name}.{key} has no tooltip"


def test_the_hosts_own_modules_stay_its_own(server):
    assert "KSampler" in server.get("/object_info")
    run = server.run(
        {
            "1": {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0}},
            "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
        }
    )
    assert run.status == "success"


def test_workflows_name_only_what_exists(server):
    """Every class, input and link of the shipped API workflows exists in the host."""
    info = server.get("/object_info")
    for path in (ROOT / "workflows" / "api").glob("*.json"):
        graph = json.loads(path.read_text())
        for number, node in graph.items():
            assert node["class_type"] in info, f"{path.name}: no node {node['class_type']}"
            spec = info[node["class_type"]]["input"]
            known = set(spec.get("required", {})) | set(spec.get("optional", {}))
            assert set(node["inputs"]) <= known, f"{path.name} {number}: {set(node['inputs']) - known}"


def test_workflows_are_what_the_description_says(server, tmp_path):
    """The committed JSON is the output of tools/build_workflows.py."""
    for path in write(server.get("/object_info"), tmp_path):
        shipped = ROOT / "workflows" / path.relative_to(tmp_path)
        assert json.loads(path.read_text()) == json.loads(shipped.read_text()), (
            f"{shipped.name}: run python -m tools.build_workflows"
        )


def test_start_imports_nothing_heavy():
    from bench.bench_startup import probe

    found = probe()
    assert not [m for m in found["modules"] if m.split(".")[0] in HEAVY or m in HEAVY]
    assert found["megabytes"] < 20


def test_requirements_leave_the_host_as_it_was():
    """Versions of what the host owns are those from before requirements.txt was installed; and cv2 imports."""
    before = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / ".venv" / "host-freeze.txt").read_text(), re.M))
    now = subprocess.run([PYTHON, "-m", "pip", "freeze"], capture_output=True, text=True, check=True).stdout
    now = dict(re.findall(r"^([\w.-]+)==(\S+)$", now, re.M))
    changed = {name: (version, now.get(name)) for name, version in before.items() if now.get(name) != version}
    assert not changed
    assert {"torch", "numpy", "transformers"} <= set(before)
    again = subprocess.run(
        [PYTHON, "-m", "pip", "install", "--dry-run", "-r", ROOT / "requirements.txt"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Would install" not in again.stdout
    code = "import cv2, torch, transformers, diffusers; print(cv2.__version__)"
    subprocess.run([PYTHON, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize("interrupt_after", [3])
def test_interrupt_while_sampling(server, quickstart, interrupt_after):
    """Cancel stops within one denoiser call, and the next run works."""
    graph = sampler_graph(server)
    graph["sampler"]["inputs"]["steps"] = 40
    seen = []

    def cancel(event):
        if event["type"] == "progress":
            seen.append(event["data"]["value"])
            if len(seen) == interrupt_after:
                server.interrupt()

    run = server.run(graph, on_event=cancel, timeout=120)
    assert run.status == "interrupted"
    assert len(seen) <= interrupt_after + 2, f"went on for {len(seen) - interrupt_after} more steps"
    graph["sampler"]["inputs"]["steps"] = 2
    assert server.run(graph, timeout=120).status == "success"
