"""Import: public weights become a DPIDM model file, without a terminal."""

from . import host
from .host import io

NONE = "none"
SOURCES = ["swifttry", "vivid", "sd15"]
# what the three sources call the files of the node's four inputs
OPTIONS = {
    "sd15": {"main": "--main", "garment": "--garment", "motion": "--motion"},
    "swifttry": {"main": "--denoiser", "garment": "--reference", "guider": "--guider", "motion": "--motion"},
}
OPTIONS["vivid"] = OPTIONS["swifttry"]


def command(source: str, files: dict[str, str], dtype: str, output: str) -> list[str]:
    """The converter's arguments. files: input name -> path, NONE left out."""
    arguments = [source, "--dtype", dtype, "--output", output]
    for name, option in OPTIONS[source].items():
        if files.get(name, NONE) != NONE:
            arguments += [option, files[name]]
    return arguments


def check_files(source: str, files: dict[str, str]) -> None:
    """Raise InputError when a file that the source needs was not chosen."""
    from ..dpidm_model.errors import InputError

    missing = [name for name in OPTIONS[source] if name != "motion" and files.get(name, NONE) == NONE]
    if missing:
        raise InputError(
            f"{source} needs a file for {', '.join(missing)}; put it into models/dpidm_import, refresh the page (R) "
            "and choose it"
        )


class DPIDMImportModel(io.ComfyNode):
    """Writes models/dpidm/NAME.safetensors from weights of SwiftTry, ViViD or Stable Diffusion 1.5."""

    @classmethod
    def define_schema(cls):
        files = [NONE, *host.import_files()]
        return io.Schema(
            node_id="DPIDMImportModel",
            display_name="DPIDM Import Model",
            category="DPIDM/loaders",
            description="Makes a DPIDM model file from public weights; DPIDM Load Model then offers it.",
            is_output_node=True,
            inputs=[
                io.Combo.Input(
                    "source", options=SOURCES, tooltip="Whose weights the files hold; sd15 is a start for training."
                ),
                io.Combo.Input(
                    "main", options=files, tooltip="denoising_unet.pth; for sd15 the SD 1.5 inpainting checkpoint."
                ),
                io.Combo.Input(
                    "garment", options=files, tooltip="reference_unet.pth; for sd15 the plain SD 1.5 checkpoint."
                ),
                io.Combo.Input("guider", options=files, tooltip="pose_guider.pth; not used for sd15."),
                io.Combo.Input(
                    "motion",
                    options=files,
                    tooltip="motion_module.pth or mm_sd_v15_v2.ckpt; none if the main file holds the motion modules.",
                ),
                io.Combo.Input(
                    "dtype", options=["fp16", "bf16", "fp32"], tooltip="Number format of the file; fp16 is half as big."
                ),
                io.String.Input("name", default="imported", tooltip="Name of the new file in models/dpidm."),
            ],
            outputs=[
                io.String.Output("model_name", display_name="model_name", tooltip="File name for DPIDM Load Model."),
                io.String.Output(
                    "report", display_name="report", tooltip="What was loaded, left out and why, initialised; licence."
                ),
            ],
        )

    @classmethod
    def execute(cls, source, main, garment, guider, motion, dtype, name) -> io.NodeOutput:
        from ..dpidm_model.checkpoint.separate import convert_separately

        chosen = {"main": main, "garment": garment, "guider": guider, "motion": motion}
        check_files(source, chosen)
        files = {key: host.import_path(value) for key, value in chosen.items() if value != NONE}
        output = host.new_model_path(name)
        result = convert_separately(command(source, files, dtype, str(output)), host.check_interrupt)
        return io.NodeOutput(output.name, result["table"], ui=host.ui.PreviewText(result["table"]))


NODES = [DPIDMImportModel]
