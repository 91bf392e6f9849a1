"""Small API-format graphs for the server tests, and scripts among the host's modules."""

import json
import subprocess
import sys

from tools.comfy_server import COMFYUI, ROOT


def node_of(graph: dict, class_type: str) -> dict:
    """The inputs of the first node of a class."""
    return next(node["inputs"] for node in graph.values() if node["class_type"] == class_type)


def number_of(graph: dict, class_type: str) -> str:
    """The number of the first node of a class."""
    return next(number for number, node in graph.items() if node["class_type"] == class_type)


def message(run) -> str:
    """What the user reads on the red node."""
    return run.error.get("exception_message", "")


def odd_image(kind: str = "grey", frames: int = 4, width: int = 96, height: int = 128) -> dict:
    return {"class_type": "OddImage", "inputs": {"kind": kind, "frames": frames, "width": width, "height": height}}


def odd_pose(frames: int = 4, width: int = 96, height: int = 128, nan: bool = False) -> dict:
    return {"class_type": "OddPose", "inputs": {"frames": frames, "width": width, "height": height, "nan": nan}}


def swallow(number: str, slot: int = 0) -> dict:
    return {"class_type": "Swallow", "inputs": {"value": [number, slot]}}


def defaults(server, class_type: str, **given) -> dict:
    """A node with the host's defaults for whatever is not given."""
    info = server.get(f"/object_info/{class_type}")[class_type]["input"]
    inputs = {}
    for part in ("required", "optional"):
        for name, spec in info.get(part, {}).items():
            options = spec[1] if len(spec) > 1 else {}
            if name in given:
                inputs[name] = given[name]
            elif "default" in options:
                inputs[name] = options["default"]
            elif options.get("options") or isinstance(spec[0], list):
                inputs[name] = (options.get("options") or spec[0])[0]
    return {"class_type": class_type, "inputs": inputs}


def fails(server, graph: dict, *words: str) -> str:
    """Run a graph that must fail with all of `words` in its message; afterwards the server still works."""
    run = server.run(graph, timeout=120)
    assert run.status == "error", f"the run ended in {run.status}"
    text = message(run)
    for word in words:
        assert word.lower() in text.lower(), f"{word!r} is not in: {text}"
    assert server.alive()
    after = server.run({"1": odd_image(), "2": swallow("1")})
    assert after.status == "success"
    return text


def sampler_graph(server, **changes) -> dict:
    """A small clip through encode and sampler, without video files."""
    graph = {
        "model": defaults(server, "DPIDMLoadModel", model_name="dpidm-tiny.safetensors"),
        "vae": defaults(server, "DPIDMLoadVAE", vae_name="dpidm-tiny-vae.safetensors"),
        "frames": odd_image(frames=3),
        "pose": odd_pose(frames=3),
        "garment": odd_image(frames=1),
        "garment_pose": odd_pose(frames=1),
        "poses": defaults(
            server,
            "DPIDMEncodePoses",
            human_pose=["pose", 0],
            garment_pose=["garment_pose", 0],
            width=96,
            height=128,
        ),
        "agnostic": {"class_type": "VAEEncode", "inputs": {"pixels": ["frames", 0], "vae": ["vae", 0]}},
        "garment_latent": {"class_type": "VAEEncode", "inputs": {"pixels": ["garment", 0], "vae": ["vae", 0]}},
        "sampler": defaults(
            server,
            "DPIDMVideoSampler",
            model=["model", 0],
            poses=["poses", 0],
            garment_latent=["garment_latent", 0],
            agnostic_latents=["agnostic", 0],
            mask=["frames", 1],
            steps=2,
        ),
        "out": swallow("sampler"),
    }
    return {**graph, **changes}


def with_host_modules(script: str, *arguments: str) -> dict:
    """Run Python that imports the host's modules without a server; returns the JSON of its last line."""
    done = subprocess.run(
        [sys.executable, "-c", script, str(ROOT), *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": f"{COMFYUI}:{ROOT}", "PATH": "/usr/bin:/bin", "HOME": "/tmp"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])
