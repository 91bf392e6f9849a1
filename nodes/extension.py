"""The list of this pack's nodes, as the host asks for it."""

import importlib

from . import host

# Node modules, relative to the pack; each defines NODES = [node classes].
MODULES = [
    "nodes.loaders",
    "nodes.strength",
    "nodes.convert_node",
    "nodes.conditions",
    "nodes.sampler",
    "nodes.native_model",
    "nodes.contact_sheet",
    "pose_nodes.garment",
    "pose_nodes.human",
    "pose_nodes.tracks",
    "pose_nodes.draw",
    "pose_nodes.files",
    "nodes.masks",
    "nodes.composite",
    "nodes.preview",
]


class DPIDMExtension(host.ComfyExtension):
    """Collects NODES from MODULES and registers the model folders."""

    async def get_node_list(self) -> list[type[host.io.ComfyNode]]:
        host.register_folders()
        host.offer_samples()
        pack = __package__.rpartition(".")[0]
        modules = (importlib.import_module(f".{name}", pack) for name in MODULES)
        return [node for module in modules for node in module.NODES]
