"""Fixtures that several folders of tests share."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def realset() -> Path:
    """Real people, clips and garments, kept beside the project; tests that need them skip where they are absent."""
    folder = Path(os.environ.get("DPIDM_REALSET", ROOT.parent / "shared" / "data" / "realset"))
    if not folder.is_dir():
        pytest.skip(f"no real test pictures in {folder}; set DPIDM_REALSET to a folder that has them")
    return folder


@pytest.fixture(scope="session")
def artifacts() -> Path:
    """Where tests leave pictures to look at (git-ignored)."""
    folder = ROOT / "artifacts"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def pose_models() -> Path:
    """The offline pose models, fetched once into .host and shared by all test servers."""
    folder = ROOT / ".host" / "base" / "models" / "dpidm" / "blazepose"
    command = [sys.executable, ROOT / "tools" / "fetch_blazepose.py", folder]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder
