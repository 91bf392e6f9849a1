"""What this pack adds to ComfyUI's start: seconds and megabytes of importing it and listing its nodes."""

import json
import subprocess
from statistics import median

from dpidm_model.errors import DPIDMError
from tools.comfy_server import COMFYUI, PYTHON, ROOT

# In a process where the host's own modules are loaded, as at the host's start: the pack, through its entry point.
PROBE = """
import asyncio, importlib.util, json, sys, time
sys.argv = ["main.py", "--cpu"]
import comfy.options; comfy.options.enable_args_parsing()
import utils.install_util  # before comfy adds a module of that name to the path
import server, folder_paths, nodes, comfy.sd, comfy_api.latest, comfy_extras.nodes_video
import psutil
def load():
    name = PACK.replace(".", "_x_")
    spec = importlib.util.spec_from_file_location(name, PACK + "/__init__.py")
    module = importlib.util.module_from_spec(spec); sys.modules[name] = module; spec.loader.exec_module(module)
    async def list_nodes():
        return await (await module.comfy_entrypoint()).get_node_list()
    return [node.GET_SCHEMA().node_id for node in asyncio.run(list_nodes())]
before, memory, start = set(sys.modules), psutil.Process().memory_info().rss, time.perf_counter()
ids = load()
seconds = time.perf_counter() - start
grown = psutil.Process().memory_info().rss - memory
new = sorted(set(sys.modules) - before)
print(json.dumps({"seconds": seconds, "megabytes": grown / 2**20, "nodes": ids, "modules": new}))
"""


def probe() -> dict:
    """One measurement in a fresh process: seconds, megabytes, node ids and the modules that were newly imported."""
    code = f"PACK = {str(ROOT)!r}\n{PROBE}"
    done = subprocess.run([str(PYTHON), "-c", code], cwd=COMFYUI, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DPIDMError(f"the pack does not load into the host: {done.stderr[-1500:]}")
    return json.loads(done.stdout.splitlines()[-1])


def run() -> dict:
    """Median of five fresh processes; the limits the project sets itself beside them."""
    runs = [probe() for _ in range(5)]
    return {
        "seconds": round(median(r["seconds"] for r in runs), 3),
        "megabytes": round(median(r["megabytes"] for r in runs), 1),
        "limit_seconds": 0.3,
        "limit_megabytes": 20,
        "nodes": len(runs[0]["nodes"]),
    }
