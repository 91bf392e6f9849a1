"""Weight files from the web: only when asked for, resumable, checked, atomic."""

import hashlib
import logging
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...errors import MissingFileError

log = logging.getLogger(__name__)

CHUNK = 1 << 20


@dataclass(frozen=True)
class RemoteFile:
    """A file in a Hugging Face repository. HF_ENDPOINT in the environment replaces huggingface.co (mirrors)."""

    repo: str
    name: str
    sha256: str
    size: int

    @property
    def url(self) -> str:
        """Where it is."""
        endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
        return f"{endpoint}/{self.repo}/resolve/main/{self.name}"


def fetch(
    file: RemoteFile, folder: Path, on_bytes: Callable[[int, int], None] | None = None, timeout: float = 30
) -> Path:
    """Download into `folder`, continuing where an earlier try stopped; the file appears only when whole and right.

    on_bytes: called with (bytes done, bytes in all). Raises MissingFileError if the network or the digest fails.
    """
    target = folder / file.name
    part = folder / f"{file.name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        log.info("downloading %s (%.0f MB) to %s", file.url, file.size / 1e6, folder)
        if not part.is_file() or part.stat().st_size < file.size:
            _continue(file, part, on_bytes, timeout)
        digest = sha256(part)
        if digest != file.sha256:
            part.unlink()
            raise MissingFileError(f"{file.url} arrived with sha256 {digest}, expected {file.sha256}; try again")
        os.replace(part, target)
    except OSError as error:
        if isinstance(error, MissingFileError):
            raise
        raise MissingFileError(f"{file.url} could not be downloaded to {folder} ({error})") from error
    return target


def _continue(file: RemoteFile, part: Path, on_bytes: Callable[[int, int], None] | None, timeout: float) -> None:
    """Append what is missing to the partial file; start over where the server cannot continue."""
    done = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(file.url, headers={"Range": f"bytes={done}-"} if done else {})
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        if done and answer.status != 206:
            done = 0
        with part.open("ab" if done else "wb") as out:
            while chunk := answer.read(CHUNK):
                out.write(chunk)
                done += len(chunk)
                if on_bytes:
                    on_bytes(done, file.size)
    if done < file.size:
        raise OSError(f"the connection ended after {done} of {file.size} bytes; run again to continue")


def sha256(path: Path) -> str:
    """The file's digest, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
