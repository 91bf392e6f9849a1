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

COLUMN, ROW = 380, 200

QUICKSTART_NOTE = """\
## DPIDM quick start
1. **Load Video** and **Load Image**: choose your own clip and garment photo.
2. Set the **category** (upper, lower, dress) in *DPIDM Agnostic Mask*.
3. Press **Run**. The dressed video and a contact sheet are saved.

Every stage can be swapped: any POSE_KEYPOINT, any MASK, any VAE that fits the model."""

KSAMPLER_NOTE = """\
## DPIDM with KSampler
*DPIDM Native Model* gives ComfyUI's own MODEL and CONDITIONING: use any sampler, any scheduler.
**Context Windows (Manual)** with dim 0 takes clips longer than 32 frames.
Scheduler: *simple* for dpidm-tiny, *ddim_uniform* for SD 1.5 checkpoints."""


def quickstart() -> tuple[dict[str, Node], list[dict]]:
    """The quick start: a clip and a garment photo in, the dressed clip and a contact sheet out."""

    def at(column: int, row: float) -> tuple[int, int]:
        return 40 + COLUMN * column, int(60 + ROW * row)

    size = {"width": Link("model", "width"), "height": Link("model", "height")}
    nodes = {
        "video": Node("LoadVideo", at(0, 1), inputs={"file": "dpidm_sample_person.mp4"}),
        "clip": Node("GetVideoComponents", at(0, 2.6), (320, 90), {"video": Link("video", "VIDEO")}),
        "photo": Node("LoadImage", at(0, 3.4), (320, 300), {"image": "dpidm_sample_garment.jpg"}, "Garment photo"),
        "model": Node("DPIDMLoadModel", at(0, 5.3), (320, 150), {"model_name": "dpidm-tiny.safetensors"}),
        "vae": Node("DPIDMLoadVAE", at(0, 6.4), (320, 80), {"vae_name": "dpidm-tiny-vae.safetensors"}),
        "human": Node("DPIDMHumanPose", at(1, 0), inputs={"images": Link("clip", "images")}),
        "crop": Node(
            "DPIDMCropToPerson",
            at(1, 1.9),
            (320, 180),
            {"images": Link("clip", "images"), "pose": Link("human", "pose"), **size},
        ),
        "garment_pose": Node("DPIDMGarmentPose", at(1, 3.4), (320, 220), {"image": Link("photo", "IMAGE")}),
        "fit": Node(
            "DPIDMFitGarment",
            at(1, 5),
            (320, 160),
            {
                "image": Link("photo", "IMAGE"),
                "pose": Link("garment_pose", "garment_pose"),
                "garment_mask": Link("garment_pose", "mask"),
                **size,
            },
        ),
        "mask": Node(
            "DPIDMAgnosticMask",
            at(2, 0),
            inputs={"images": Link("crop", "images"), "pose": Link("crop", "pose"), "category": "upper"},
        ),
        "agnostic_latents": Node(
            "VAEEncode", at(2, 2), (320, 60), {"pixels": Link("mask", "agnostic"), "vae": Link("vae", "vae")}
        ),
        "poses": Node(
            "DPIDMEncodePoses",
            at(2, 3.4),
            (320, 160),
            {
                "model": Link("model", "model"),
                "human_pose": Link("crop", "pose"),
                "garment_pose": Link("fit", "garment_pose"),
                **size,
            },
        ),
        "garment_latent": Node(
            "VAEEncode", at(2, 5), (320, 60), {"pixels": Link("fit", "garment"), "vae": Link("vae", "vae")}
        ),
        "sampler": Node(
            "DPIDMVideoSampler",
            at(3, 1.5),
            (340, 420),
            {
                "model": Link("model", "model"),
                "poses": Link("poses", "poses"),
                "garment_latent": Link("garment_latent", "LATENT"),
                "agnostic_latents": Link("agnostic_latents", "LATENT"),
                "mask": Link("mask", "mask"),
            },
        ),
        "decode": Node(
            "VAEDecode", at(4, 0), (320, 60), {"samples": Link("sampler", "latents"), "vae": Link("vae", "vae")}
        ),
        "paste": Node(
            "DPIDMPasteBack",
            at(4, 0.7),
            (320, 160),
            {
                "source": Link("clip", "images"),
                "result": Link("decode", "IMAGE"),
                "crop": Link("crop", "crop"),
                "mask": Link("mask", "mask"),
            },
        ),
        "preview": Node(
            "DPIDMInstantPreview",
            at(3, 4),
            (340, 220),
            {
                "images": Link("clip", "images"),
                "pose": Link("human", "pose"),
                "garment": Link("photo", "IMAGE"),
                "garment_pose": Link("garment_pose", "garment_pose"),
                "garment_mask": Link("garment_pose", "mask"),
            },
        ),
        "make": Node(
            "CreateVideo",
            at(4, 2),
            (320, 90),
            {"images": Link("paste", "images"), "audio": Link("clip", "audio"), "fps": Link("clip", "fps")},
        ),
        "save": Node(
            "SaveVideo", at(5, 0), (360, 400), {"video": Link("make", "VIDEO"), "filename_prefix": "dpidm/tryon"}
        ),
        "sheet": Node(
            "DPIDMContactSheet",
            at(4, 3.2),
            (320, 220),
            {
                "garment": Link("photo", "IMAGE"),
                "source": Link("clip", "images"),
                "poses": Link("human", "preview"),
                "warp_preview": Link("preview", "preview"),
                "mask": Link("mask", "mask"),
                "result": Link("paste", "images"),
                "title": Link("model", "label"),
            },
        ),
        "save_sheet": Node(
            "SaveImage",
            at(5, 2.4),
            (360, 320),
            {"images": Link("sheet", "sheet"), "filename_prefix": "dpidm/contact_sheet"},
        ),
        "note": Node(NOTE, (40, 20), (320, 220), {"text": QUICKSTART_NOTE}, "How to use"),
    }
    return nodes, []


def ksampler() -> tuple[dict[str, Node], list[dict]]:
    """The quick start with the host's own KSampler and context windows in place of our sampler."""
    nodes, groups = quickstart()
    old = nodes.pop("sampler")
    nodes["native"] = Node("DPIDMNativeModel", (1180, 330), (340, 180), dict(old.inputs))
    nodes["windows"] = Node(
        "ContextWindowsManual",
        (1180, 560),
        (340, 250),
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
        (1180, 1090),
        (340, 300),
        {
            "model": Link("windows", "MODEL"),
            "positive": Link("native", "positive"),
            "negative": Link("native", "negative"),
            "latent_image": Link("native", "latent"),
            "steps": 25,
            "cfg": 1.5,
            "sampler_name": "euler",
            "scheduler": "simple",
        },
    )
    nodes["decode"].inputs["samples"] = Link("sampler", "LATENT")
    nodes["note"].inputs["text"] = KSAMPLER_NOTE
    return nodes, groups


WORKFLOWS = {"tryon_quickstart": quickstart, "tryon_ksampler": ksampler}


def write(object_info: dict, folder: Path) -> list[Path]:
    """Write every workflow in both formats into `folder` and `folder`/api. Returns the paths."""
    written = []
    for name, describe in WORKFLOWS.items():
        nodes, groups = describe()
        for path, content in (
            (folder / f"{name}.json", page_format(nodes, object_info, groups)),
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
