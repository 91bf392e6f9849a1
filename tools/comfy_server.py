"""Run a real ComfyUI with this pack in it, and talk to it over HTTP and its websocket.

Used by the demo, the tests, the benchmarks and `make host`. Listens on loopback only.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMFYUI = ROOT / ".host" / "comfyui"
PYTHON = ROOT / ".venv" / "bin" / "python"
PACK_NAME = "ComfyUI-DPIDM"
ENDINGS = ("execution_success", "execution_error", "execution_interrupted")


class ServerError(Exception):
    """ComfyUI did not start, refused a workflow or failed while running it; the message holds its own words."""


@dataclass(frozen=True)
class Run:
    """How one queued workflow ended. status: success, error or interrupted. error: {} or the host's error message.

    outputs: node id -> what the node reported. executed: ids of nodes that ran. cached: ids answered from cache.
    progress: (node id, value, maximum) in the order received. seconds: from queueing to the end.
    """

    prompt_id: str
    status: str
    outputs: dict
    error: dict
    executed: list[str]
    cached: list[str]
    progress: list[tuple[str, float, float]]
    previews: int
    seconds: float


@dataclass
class ComfyServer:
    """A ComfyUI process. base: its folder for inputs, outputs, models and custom_nodes (made if absent)."""

    base: Path
    port: int = 0
    pack_name: str = PACK_NAME
    pack: Path | None = ROOT
    arguments: tuple[str, ...] = ()
    process: subprocess.Popen | None = field(default=None, repr=False)

    def __post_init__(self):
        self.base = Path(self.base).resolve()
        self.port = self.port or _free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log_path(self) -> Path:
        return self.base / "server.log"

    def log(self) -> str:
        """Everything the server has printed so far."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    # ---- life

    def start(self, timeout: float = 240) -> "ComfyServer":
        """Start the process and wait until it answers. Raises ServerError with the end of its log."""
        if not (COMFYUI / "main.py").exists():
            raise ServerError(f"no ComfyUI in {COMFYUI}; run: make setup")
        for name in ("custom_nodes", "input", "output", "models", "user", "temp"):
            (self.base / name).mkdir(parents=True, exist_ok=True)
        if self.pack is not None:
            self._link_pack()
        with self.log_path.open("w") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=COMFYUI,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1", "HF_HUB_OFFLINE": "1"},
            )
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise ServerError(f"ComfyUI ended with code {self.process.returncode}:\n{self.log()[-3000:]}")
            with contextlib.suppress(OSError):
                self.get("/system_stats")
                return self
            time.sleep(0.2)
        self.stop()
        raise ServerError(f"ComfyUI did not answer within {timeout:.0f} s:\n{self.log()[-3000:]}")

    def command(self) -> list[str]:
        """The command line of the server."""
        device = [] if _has_cuda() else ["--cpu"]
        # A base folder of its own needs a database of its own; API nodes would make the page call outside.
        return [
            str(PYTHON),
            "main.py",
            *device,
            "--listen",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--base-directory",
            str(self.base),
            "--database-url",
            "sqlite:///:memory:",
            "--disable-api-nodes",
            *self.arguments,
        ]

    def stop(self) -> None:
        """End the process (and its children), politely first."""
        if self.process is None or self.process.poll() is not None:
            return
        for sign, patience in ((signal.SIGINT, 8), (signal.SIGKILL, 5)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(patience)
                return

    def alive(self) -> bool:
        """Whether the server still answers."""
        try:
            self.get("/system_stats")
        except OSError:
            return False
        return True

    def __enter__(self) -> "ComfyServer":
        return self.start()

    def __exit__(self, *_) -> None:
        self.stop()

    def _link_pack(self) -> None:
        link = self.base / "custom_nodes" / self.pack_name
        if link.is_symlink() and link.resolve() == self.pack:
            return
        if link.is_symlink():
            link.unlink()
        link.symlink_to(self.pack, target_is_directory=True)

    # ---- talk

    def get(self, path: str):
        """GET a JSON answer."""
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return json.load(answer)

    def post(self, path: str, body: dict | None = None):
        """POST JSON; returns the JSON answer or None. A refusal raises ServerError with the host's explanation."""
        request = urllib.request.Request(
            self.url + path, json.dumps(body or {}).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise ServerError(f"{path} answered {error.code}: {error.read().decode(errors='replace')}") from error
        return json.loads(text) if text.strip() else None

    def interrupt(self) -> None:
        """What the page's Cancel button does."""
        self.post("/interrupt")

    def free(self) -> None:
        """Drop models and cached results, so that the next run is a real one."""
        self.post("/free", {"unload_models": True, "free_memory": True})
        time.sleep(1.2)

    def run(self, graph: dict, on_event: Callable[[dict], None] | None = None, timeout: float = 900) -> Run:
        """Queue an API-format workflow and wait for its end. on_event sees every websocket message as it comes."""
        import websocket

        client = uuid.uuid4().hex
        channel = websocket.create_connection(f"ws://127.0.0.1:{self.port}/ws?clientId={client}", timeout=timeout)
        try:
            start = time.monotonic()
            prompt_id = self.post("/prompt", {"prompt": graph, "client_id": client})["prompt_id"]
            run = _follow(channel, prompt_id, on_event or (lambda _: None))
        finally:
            channel.close()
        time.sleep(0.3)  # the history is written just after the last message
        outputs = self.get(f"/history/{prompt_id}").get(prompt_id, {}).get("outputs", {})
        return Run(prompt_id=prompt_id, outputs=outputs, seconds=time.monotonic() - start, **run)

    def output_files(self, run: Run) -> list[Path]:
        """Paths of all files that the run's nodes saved."""
        found = []
        for output in run.outputs.values():
            for items in output.values():
                for item in items if isinstance(items, list) else []:
                    if isinstance(item, dict) and "filename" in item:
                        found.append(self.base / item["type"] / item.get("subfolder", "") / item["filename"])
        return found


def _follow(channel, prompt_id: str, on_event: Callable[[dict], None]) -> dict:
    executed, cached, progress, previews = [], [], [], 0
    for message in _messages(channel):
        if message is None:
            previews += 1
            continue
        on_event(message)
        kind, data = message["type"], message.get("data", {})
        if kind == "progress":
            progress.append((data.get("node"), data["value"], data["max"]))
        elif kind == "executing" and data.get("node"):
            executed.append(data["node"])
        elif kind == "execution_cached":
            cached += data.get("nodes", [])
        elif kind in ENDINGS and data.get("prompt_id") == prompt_id:
            error = data if kind == "execution_error" else {}
            status = kind.removeprefix("execution_")
            return dict(
                status=status, error=error, executed=executed, cached=cached, progress=progress, previews=previews
            )
    raise ServerError("the server closed the connection before the run ended")


def _messages(channel) -> Iterator[dict | None]:
    """JSON messages; None for a binary one (a preview picture)."""
    while True:
        message = channel.recv()
        if message == "":
            return
        yield None if isinstance(message, bytes) else json.loads(message)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _has_cuda() -> bool:
    command = shutil.which("nvidia-smi")
    return command is not None and subprocess.run([command, "-L"], capture_output=True, check=False).returncode == 0
