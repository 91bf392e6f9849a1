#!/usr/bin/env python3
"""Write the shipped workflows in both formats from one description, checked against a running ComfyUI.

workflows/<name>.json is the page's format (template browser), workflows/api/<name>.json the API's (demo and tests).
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tools.comfy_server import ROOT, ComfyServer
from tools.workflow_format import NOTE, Link, Node, api_format, page_format

COLUMNS = {"Input": "#3f789e", "Poses": "#8a5", "Conditions": "#a1a", "Sampling": "#b06634", "Output": "#88a"}

QUICKSTART_NOTE = """\
## DPIDM quick start
1. **Load Video** and **Garment photo**: choose your own clip and picture.
2. Set the **category** (upper, lower, dress) in *Agnostic Mask*.
3. Press **Run**. The dressed video and a contact sheet are saved.

dpidm-tiny is best with few steps; give a full-size model 25.

Every stage can be swapped: any POSE_KEYPOINT, any MASK, any VAE that fits the model."""
TINY_STEPS = 2  # see dpidm_model/weights/dpidm-tiny.md


KSAMPLER_NOTE = """\
## DPIDM with KSampler
*DPIDM Native Model* gives ComfyUI's own MODEL and CONDITIONING: use any sampler, any scheduler.
**Context Windows (Manual)** with dim 0 takes clips longer than 32 frames.
Scheduler: *simple* for dpidm-tiny, *ddim_uniform* for SD 1.5 checkpoints."""


def quickstart() -> tuple[dict[str, Node], dict[str, str]]:
    """The quick start: a clip and a garment photo in, the dressed clip and a contact sheet out."""
    size = {"width": Link("model", "width"), "height": Link("model", "height")}
    frames, photo = Link("clip", "images"), Link("photo", "IMAGE")
    crop, crop_pose = Link("crop", "images"), Link("crop", "pose")
    garment_pose, garment_mask = Link("garment_pose", "garment_pose"), Link("garment_pose", "mask")
    vae, model, mask = Link("vae", "vae"), Link("model", "model"), Link("mask", "mask")
    nodes = {
        "note": Node(NOTE, 0, {"text": QUICKSTART_NOTE}, "How to use", room=240),
        "video": Node("LoadVideo", 0, {"file": "dpidm_sample_person.mp4"}, room=420),
        "photo": Node("LoadImage", 0, {"image": "dpidm_sample_garment.jpg"}, "Garment photo", room=320),
        "model": Node("DPIDMLoadModel", 0, {"model_name": "dpidm-tiny.safetensors"}),
        "vae": Node("DPIDMLoadVAE", 0, {"vae_name": "dpidm-tiny-vae.safetensors"}),
        "clip": Node("GetVideoComponents", 1, {"video": Link("video", "VIDEO")}),
        "human": Node("DPIDMHumanPose", 1, {"images": frames}),
        "crop": Node("DPIDMCropToPerson", 1, {"images": frames, "pose": Link("human", "pose"), **size}),
        "garment_pose": Node("DPIDMGarmentPose", 1, {"image": photo}, room=420),
        "fit": Node("DPIDMFitGarment", 1, {"image": photo, "pose": garment_pose, "garment_mask": garment_mask, **size}),
        "mask": Node("DPIDMAgnosticMask", 2, {"images": crop, "pose": crop_pose, "category": "upper"}),
        "agnostic": Node("VAEEncode", 2, {"pixels": Link("mask", "agnostic"), "vae": vae}, "Encode agnostic video"),
        "garment": Node("VAEEncode", 2, {"pixels": Link("fit", "garment"), "vae": vae}, "Encode garment"),
        "poses": Node(
            "DPIDMEncodePoses",
            2,
            {"human_pose": crop_pose, "garment_pose": Link("fit", "garment_pose"), **size},
        ),
        "sampler": Node(
            "DPIDMVideoSampler",
            3,
            {
                "model": model,
                "poses": Link("poses", "poses"),
                "garment_latent": Link("garment", "LATENT"),
                "agnostic_latents": Link("agnostic", "LATENT"),
                "mask": mask,
                "garment_mask": Link("fit", "mask"),
                "steps": TINY_STEPS,
            },
            room=260,
        ),
        "preview": Node(
            "DPIDMInstantPreview",
            3,
            {
                "images": frames,
                "pose": Link("human", "pose"),
                "garment": photo,
                "garment_pose": garment_pose,
                "garment_mask": garment_mask,
            },
        ),
        "decode": Node("VAEDecode", 4, {"samples": Link("sampler", "latents"), "vae": vae}),
        "paste": Node(
            "DPIDMPasteBack",
            4,
            {"source": frames, "result": Link("decode", "IMAGE"), "crop": Link("crop", "crop"), "mask": mask},
        ),
        "make": Node(
            "CreateVideo",
            4,
            {"images": Link("paste", "images"), "audio": Link("clip", "audio"), "fps": Link("clip", "fps")},
        ),
        "save": Node("SaveVideo", 4, {"video": Link("make", "VIDEO"), "filename_prefix": "dpidm/tryon"}, room=420),
        "sheet": Node(
            "DPIDMContactSheet",
            4,
            {
                "garment": photo,
                "source": frames,
                "poses": Link("human", "preview"),
                "mask": mask,
                "warp_preview": Link("preview", "preview"),
                "result": Link("paste", "images"),
                "title": Link("model", "label"),
            },
        ),
        "save_sheet": Node(
            "SaveImage", 4, {"images": Link("sheet", "sheet"), "filename_prefix": "dpidm/contact_sheet"}, room=300
        ),
    }
    return nodes, COLUMNS


def ksampler() -> tuple[dict[str, Node], dict[str, str]]:
    """The quick start with the host's own KSampler and context windows in place of our sampler."""
    nodes, columns = quickstart()
    conditions = {name: value for name, value in nodes.pop("sampler").inputs.items() if isinstance(value, Link)}
    nodes["native"] = Node("DPIDMNativeModel", 3, conditions)
    nodes["windows"] = Node(
        "ContextWindowsManual",
        3,
        {
            "model": Link("native", "model"),
            "context_length": 24,
            "context_overlap": 8,
            "context_schedule": "standard_static",
            "fuse_method": "pyramid",
            "dim": 0,
        },
    )
    nodes["sampler"] = Node(
        "KSampler",
        3,
        {
            "model": Link("windows", "MODEL"),
            "positive": Link("native", "positive"),
            "negative": Link("native", "negative"),
            "latent_image": Link("native", "latent"),
            "steps": TINY_STEPS,
            "cfg": 1.5,
            "sampler_name": "euler",
            "scheduler": "simple",
        },
        room=200,
    )
    nodes["decode"].inputs["samples"] = Link("sampler", "LATENT")
    nodes["note"].inputs["text"] = KSAMPLER_NOTE
    return nodes, columns


WORKFLOWS = {"tryon_quickstart": quickstart, "tryon_ksampler": ksampler}


def write(object_info: dict, folder: Path) -> list[Path]:
    """Write every workflow in both formats into `folder` and `folder`/api. Returns the paths."""
    written = []
    for name, describe in WORKFLOWS.items():
        nodes, columns = describe()
        for path, content in (
            (folder / f"{name}.json", page_format(nodes, object_info, columns)),
            (folder / "api" / f"{name}.json", api_format(nodes, object_info)),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
            written.append(path)
    return written


def main() -> int:
    """Start a server, ask it for its nodes, write."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="example:\n  python -m tools.build_workflows",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=ROOT / "workflows")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as base, ComfyServer(base=Path(base)) as server:
        for path in write(server.get("/object_info"), args.out):
            print(path, file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
