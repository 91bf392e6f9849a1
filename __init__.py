"""ComfyUI-DPIDM: video virtual try-on nodes. Importing this package does nothing until the host asks for its nodes."""

WEB_DIRECTORY = "./web"


async def comfy_entrypoint():
    """Called by ComfyUI: returns the extension that lists the nodes (imports happen here, not at import time)."""
    from .nodes.extension import DPIDMExtension

    return DPIDMExtension()
