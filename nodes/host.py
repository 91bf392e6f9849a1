"""The host: the only file of the pack that touches ComfyUI's modules. When the host moves, change this file.

Written for the public V3 API of ComfyUI 0.3.75 and later. Imported by node modules only, never by dpidm_model.
"""

import contextlib
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from comfy_api.latest import ComfyExtension, io, ui
from einops import rearrange

__all__ = ["ComfyExtension", "io", "ui"]

log = logging.getLogger(__name__)

PACK = Path(__file__).resolve().parents[1]
SHIPPED_WEIGHTS = PACK / "dpidm_model" / "weights"
MODEL_FOLDER = "dpidm"
SAMPLES = {"sample/person.mp4": "dpidm_sample_person.mp4", "sample/garment.jpg": "dpidm_sample_garment.jpg"}


# ---------------------------------------------------------------------------------------------- folders


def register_folders() -> None:
    """Make `models/dpidm` and the shipped weights known to the host (extra_model_paths.yaml may add more)."""
    import folder_paths

    folder_paths.add_model_folder_path(MODEL_FOLDER, str(Path(folder_paths.models_dir) / MODEL_FOLDER))
    folder_paths.add_model_folder_path(MODEL_FOLDER, str(SHIPPED_WEIGHTS))
    paths, extensions = folder_paths.folder_names_and_paths[MODEL_FOLDER]
    folder_paths.folder_names_and_paths[MODEL_FOLDER] = (paths, set(extensions) | {".safetensors"})
    folder_paths.add_model_folder_path("dpidm_import", str(Path(folder_paths.models_dir) / "dpidm_import"))
    paths, extensions = folder_paths.folder_names_and_paths["dpidm_import"]
    extensions = set(extensions) | folder_paths.supported_pt_extensions
    folder_paths.folder_names_and_paths["dpidm_import"] = (paths, extensions)
    folder_paths.add_model_folder_path("vae", str(SHIPPED_WEIGHTS / "vae"))  # so the core Load VAE offers ours


def offer_samples() -> None:
    """Put the sample clip and garment into the host's input folder where absent: the quick start names them."""
    for sample, name in SAMPLES.items():
        target = input_folder() / name
        try:
            if not target.exists() and (PACK / sample).is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(PACK / sample, target)
        except OSError as error:  # a read-only input folder must not keep the nodes from loading
            log.info("the sample %s could not be copied to %s: %s", sample, target, error)


def model_files(folder: str = MODEL_FOLDER) -> list[str]:
    """Names of the weight files in one of the host's model folders, as its combo boxes show them."""
    import folder_paths

    return folder_paths.get_filename_list(folder)


def model_path(name: str, folder: str = MODEL_FOLDER) -> str:
    """Full path of a weight file. Raises MissingFileError that names the folders it was looked for in."""
    import folder_paths

    from ..dpidm_model.errors import MissingFileError

    path = folder_paths.get_full_path(folder, name)
    if path is None or not Path(path).is_file():
        searched = ", ".join(folder_paths.get_folder_paths(folder))
        raise MissingFileError(f"weight file {name!r} was not found; put it into one of: {searched}")
    return path


def model_folders(folder: str = MODEL_FOLDER) -> list[Path]:
    """The folders that the host searches for a kind of model (may not exist); [] for a kind it does not know."""
    import folder_paths

    try:
        return [Path(p) for p in folder_paths.get_folder_paths(folder)]
    except KeyError:
        return []


def models_root() -> Path:
    """The host's `models` folder."""
    import folder_paths

    return Path(folder_paths.models_dir)


IMPORT_FOLDERS = ("dpidm_import", "checkpoints", "diffusion_models", "animatediff_models")


def import_files() -> list[str]:
    """Weight files of other projects that can be imported, as "folder/name"."""
    return [f"{kind}/{name}" for kind in IMPORT_FOLDERS if model_folders(kind) for name in model_files(kind)]


def import_path(listed: str) -> str:
    """Full path of a file as `import_files` lists it."""
    kind, _, name = listed.partition("/")
    return model_path(name, kind)


def new_model_path(name: str) -> Path:
    """Where a model file called `name` is to be written: a plain name, never over an existing file."""
    from ..dpidm_model.errors import InputError

    stem = name.removesuffix(".safetensors").strip()
    if not stem or Path(stem).name != stem or stem.startswith("."):
        raise InputError(f"name={name!r} is no plain file name; use letters, digits, - and _")
    path = models_root() / MODEL_FOLDER / f"{stem}.safetensors"
    if path.exists():
        raise InputError(f"{path} exists; choose another name or remove it first")
    return path


def custom_nodes_folders() -> list[Path]:
    """Where other packs live (some keep weights inside their own folder)."""
    return model_folders("custom_nodes")


def input_folder() -> Path:
    """The host's `input` folder."""
    import folder_paths

    return Path(folder_paths.get_input_directory())


def output_path(prefix: str, suffix: str) -> Path:
    """A new file name in the host's `output` folder, counted up like the host's own savers do."""
    import folder_paths

    folder, name, counter, _, _ = folder_paths.get_save_image_path(prefix, folder_paths.get_output_directory())
    return Path(folder) / f"{name}_{counter:05}_{suffix}"


def temporary_picture(picture_HW3) -> dict[str, str]:
    """Save a uint8 picture into the host's temp folder; returns what the page asks for it with at /view."""
    import folder_paths
    from PIL import Image

    place = folder_paths.get_save_image_path("dpidm", folder_paths.get_temp_directory())
    folder, name, counter, subfolder, _ = place
    file = f"{name}_{counter:05}_.jpg"
    Image.fromarray(picture_HW3).save(Path(folder) / file, quality=90)
    return {"filename": file, "subfolder": subfolder, "type": "temp"}


# ---------------------------------------------------------------------------------------------- progress


class Progress:
    """The node's progress bar; also lets a click on Cancel through.

    total: number of steps. Call `step(done, preview)` after each; `preview` is a PIL image or None. It raises the
    host's own interrupt exception when the user has cancelled, so call it (or `check`) at least once per network call.
    """

    def __init__(self, total: int):
        import comfy.utils

        self._bar = comfy.utils.ProgressBar(total)
        self._total = total

    def step(self, done: int, preview=None) -> None:
        check_interrupt()
        if preview is None:
            self._bar.update_absolute(done, self._total)
        else:
            self._bar.update_absolute(done, self._total, ("JPEG", preview, 512))

    def check(self) -> None:
        check_interrupt()


def check_interrupt() -> None:
    """Raise the host's interrupt exception if the user has cancelled the run."""
    import comfy.model_management

    comfy.model_management.throw_exception_if_processing_interrupted()


# ---------------------------------------------------------------------------------------------- devices and models


def compute_device() -> torch.device:
    """The device networks run on."""
    import comfy.model_management

    return comfy.model_management.get_torch_device()


def intermediate_device() -> torch.device:
    """The device on which results travel between nodes."""
    import comfy.model_management

    return comfy.model_management.intermediate_device()


def network_dtype(parameters: int) -> torch.dtype:
    """The dtype the host would choose for a U-Net of that many parameters (fp16, bf16 or fp32; its flags decide)."""
    import comfy.model_management

    return comfy.model_management.unet_dtype(device=compute_device(), model_params=parameters)


def manage(network: torch.nn.Module):
    """Wrap a plain network in a ModelPatcher, so that the host moves, offloads and partially loads its weights.

    Layers become the host's casting variants of themselves (same parameters, same maths): that is what lets the host
    keep part of the weights in system memory.
    """
    import comfy.model_management
    import comfy.model_patcher
    import comfy.ops

    operations = comfy.ops.manual_cast
    castable = {
        getattr(torch.nn, name): getattr(operations, name) for name in ("Linear", "Conv2d", "GroupNorm", "LayerNorm")
    }
    for module in network.modules():
        module.__class__ = castable.get(type(module), type(module))
    return comfy.model_patcher.ModelPatcher(
        network,
        load_device=comfy.model_management.get_torch_device(),
        offload_device=comfy.model_management.unet_offload_device(),
    )


def load(patcher, working_memory: int = 0) -> torch.nn.Module:
    """Bring a managed network to the compute device, leaving `working_memory` bytes free for activations."""
    import comfy.model_management

    comfy.model_management.load_models_gpu([patcher], memory_required=working_memory)
    return patcher.model


def free_memory() -> int:
    """Bytes free on the compute device."""
    import comfy.model_management

    return comfy.model_management.get_free_memory(compute_device())


@contextlib.contextmanager
def out_of_memory_cleanup() -> Iterator[None]:
    """Give cached device memory back when the body raises."""
    import comfy.model_management

    try:
        yield
    except BaseException:
        comfy.model_management.soft_empty_cache()
        raise


ATTENTION_CHOICES = ("split_cross", "quad_cross", "pytorch_cross", "sage", "flash")


def attention_chosen() -> bool:
    """Whether the user chose an attention on the host's command line (--use-split-cross-attention, ...)."""
    from comfy.cli_args import args

    return any(getattr(args, f"use_{name}_attention", False) for name in ATTENTION_CHOICES)


def attention() -> Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]:
    """The attention the host was started with, as a function (q_BNLD, k_BNSD, v_BNSD) -> out_BNLD."""
    from comfy.ldm.modules.attention import optimized_attention

    def attend(q_BNLD, k_BNSD, v_BNSD):
        heads = q_BNLD.shape[1]
        out_BLC = optimized_attention(q_BNLD, k_BNSD, v_BNSD, heads, skip_reshape=True)
        return rearrange(out_BLC, "b l (n d) -> b n l d", n=heads)

    return attend


# ---------------------------------------------------------------------------------------------- previews


def empty_cache() -> None:
    """Give cached device memory back."""
    import comfy.model_management

    comfy.model_management.soft_empty_cache()


def unfinished_folder() -> Path:
    """Where the states of unfinished runs lie: `temp/dpidm_unfinished`.

    The host empties `temp` when it starts and when it ends, so this is a link to `user/dpidm_unfinished`: emptying
    takes the link away and leaves the states. Where links are not allowed, it is the `user` folder itself.
    """
    import folder_paths

    kept = Path(folder_paths.get_user_directory()).resolve() / "dpidm_unfinished"
    kept.mkdir(parents=True, exist_ok=True)
    link = Path(temp_folder()) / kept.name
    try:
        if not link.exists():
            link.symlink_to(kept, target_is_directory=True)
    except OSError as error:
        log.info("no link in temp to %s: %s", kept, error)
        return kept
    return link


def temp_folder() -> str:
    """The host's `temp` folder, which it empties when it starts."""
    import folder_paths

    Path(folder_paths.get_temp_directory()).mkdir(parents=True, exist_ok=True)
    return folder_paths.get_temp_directory()


def sd15_picture() -> Callable[[torch.Tensor], object]:
    """Turns one SD 1.5 latent (4, H, W), scaled, into a small PIL picture: by the preview method the host was started
    with, or its linear map if it was started with none."""
    import comfy.latent_formats
    import latent_preview

    layout = comfy.latent_formats.SD15()
    previewer = latent_preview.get_previewer(compute_device(), layout)
    previewer = previewer or latent_preview.Latent2RGBPreviewer(layout.latent_rgb_factors)
    return lambda latent_CHW: previewer.decode_latent_to_preview(latent_CHW[None])


def to_picture(image_3HW: torch.Tensor):
    """A PIL picture of an image in 0..1."""
    from PIL import Image

    return Image.fromarray((image_3HW.clamp(0, 1) * 255).byte().permute(1, 2, 0).cpu().numpy())


# ---------------------------------------------------------------------------------------------- native MODEL


def native_conditioning(conditions: object, half: float) -> list:
    """CONDITIONING for `native_model`. half: 1 with the garment, 0 without."""
    return [[torch.zeros(1, 1, 768), {"dpidm_conditions": conditions, "dpidm_half": half}]]


def native_model(
    network: torch.nn.Module,
    owner,
    *,
    prediction_type: str,
    sigmas: torch.Tensor,
    unit_start: bool,
    latent: dict,
    row_bytes: Callable[[int, int], int],
):
    """A MODEL whose network is called as network(x_NCHW, t_N, conditions=, half_N=, transformer_options=, ...).

    owner: the ModelPatcher that manages the network's weights; loaded together with this model.
    prediction_type: epsilon, v_prediction or sample.  sigmas: noise levels of the training steps, rising.
    unit_start: an empty latent starts with noise * sqrt(1 + sigma^2), as diffusers does for "leading"; else noise
    * sigma.
    latent: scale, shift, channels, rgb (factors and bias for previews, or None).
    row_bytes: (latent rows, columns) -> bytes that one frame of one half needs while it is denoised.
    """
    import comfy.model_management
    import comfy.model_patcher
    import comfy.patcher_extension

    base = _native_base()(network, _latent_format(latent), row_bytes)
    base.model_sampling = _native_sampling(prediction_type, sigmas, unit_start)
    patcher = comfy.model_patcher.ModelPatcher(
        base,
        load_device=comfy.model_management.get_torch_device(),
        offload_device=comfy.model_management.unet_offload_device(),
    )
    patcher.set_additional_models("dpidm", [owner])
    patcher.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.PREDICT_NOISE, "dpidm", _one_sigma)
    return patcher


def _one_sigma(executor, x, timestep, *arguments, **options):
    """All frames are at the same noise level, so one number stands for all: with one per frame the core context windows
    of 0.3.75 cannot find the step they are at."""
    return executor(x, timestep[:1], *arguments, **options)


def _native_base() -> type:
    import comfy.conds
    import comfy.model_base
    import comfy.supported_models_base

    class DPIDMNative(comfy.model_base.BaseModel):
        """The host's model object around a network that it did not build."""

        def __init__(self, network, latent_format, row_bytes):
            config = comfy.supported_models_base.BASE({"disable_unet_model_creation": True})
            config.latent_format = latent_format
            super().__init__(config)
            self.diffusion_model = network
            self._row_bytes = row_bytes

        def extra_conds(self, **kwargs):
            if "dpidm_conditions" not in kwargs:
                from ..dpidm_model.errors import InputError

                raise InputError(
                    "this MODEL was given a text conditioning; connect positive and negative of DPIDM Native Model"
                )
            return {
                "conditions": comfy.conds.CONDConstant(kwargs["dpidm_conditions"]),
                "half_N": comfy.conds.CONDRegular(torch.full((1, 1), kwargs["dpidm_half"], device=kwargs["device"])),
            }

        def apply_model(self, x, t, *arguments, **options):
            return super().apply_model(x, t.repeat_interleave(len(x) // len(t)), *arguments, **options)

        def memory_required(self, input_shape, cond_shapes=None):
            return input_shape[0] * self._row_bytes(*input_shape[-2:])

    return DPIDMNative


def _native_sampling(prediction_type: str, sigmas: torch.Tensor, unit_start: bool):
    import comfy.model_sampling as host_sampling

    kinds = {"epsilon": "EPS", "v_prediction": "V_PREDICTION", "sample": "X0"}

    class Sampling(host_sampling.ModelSamplingDiscrete, getattr(host_sampling, kinds[prediction_type])):
        def noise_scaling(self, sigma, noise, latent_image, max_denoise=False):
            if torch.count_nonzero(latent_image):
                return super().noise_scaling(sigma, noise, latent_image, max_denoise)
            return noise * (torch.sqrt(1 + sigma**2) if unit_start else sigma)

    sampling = Sampling()
    sampling.set_sigmas(sigmas)
    return sampling


def _latent_format(latent: dict):
    import comfy.latent_formats

    class Format(comfy.latent_formats.LatentFormat):
        latent_channels = latent["channels"]
        scale_factor = latent["scale"]

        def process_in(self, latents):
            return (latents - latent["shift"]) * latent["scale"]

        def process_out(self, latents):
            return latents / latent["scale"] + latent["shift"]

    if latent["rgb"]:
        Format.latent_rgb_factors, Format.latent_rgb_factors_bias = latent["rgb"]
    elif latent["channels"] == 4:
        sd15 = comfy.latent_formats.SD15()
        Format.latent_rgb_factors, Format.taesd_decoder_name = sd15.latent_rgb_factors, sd15.taesd_decoder_name
    return Format()


# ---------------------------------------------------------------------------------------------- VAE


def load_vae(path: str):
    """A core VAE object from a safetensors file in any layout the core Load VAE reads (TAESD's among them)."""
    import comfy.sd
    import comfy.utils

    from ..dpidm_model.errors import CheckpointError

    state, metadata = comfy.utils.load_torch_file(path, safe_load=True, return_metadata=True)
    try:
        vae = comfy.sd.VAE(sd=state, metadata=metadata)
        vae.throw_exception_if_invalid()
    except Exception as error:
        raise CheckpointError(
            f"{Path(path).name} is not a VAE that ComfyUI knows ({error}); choose a VAE file, for example "
            "vae/dpidm-tiny-vae.safetensors for dpidm-tiny or an SD1.5 VAE for full-size models"
        ) from error
    return vae
