"""The real page in headless Chromium, against a real server with the pack."""

import contextlib
import json
import shutil
import time
from pathlib import Path

import pytest

from tools.comfy_server import ComfyServer

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]
PACK_NAME = "ComfyUI-DPIDM"

STATE = """() => {
  const graph = window.app.graph, known = window.LiteGraph.registered_node_types
  return {
    nodes: graph._nodes.map(n => ({id: n.id, type: n.type, known: n.type in known, red: !!n.has_errors})),
    lastNodeErrors: window.app.lastNodeErrors ?? null, lastExecutionError: window.app.lastExecutionError ?? null,
    dialogs: [...document.querySelectorAll('.p-dialog, .comfy-modal, .p-toast-message-error, .p-toast-message-warn')]
      .filter(e => e.getClientRects().length).map(e => e.innerText.slice(0, 400)),
  } }"""


def pytest_collection_modifyitems(items):
    """Everything in this folder needs the browser."""
    for item in items:
        if "tests/browser" in str(item.path):
            item.add_marker(pytest.mark.browser)


def find_chromium() -> str:
    """The system's Chromium, or playwright's own. Fails (never skips) with the line to run."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if shutil.which(name):
            return shutil.which(name)
    own = sorted(Path.home().glob(".cache/ms-playwright/chromium-*/chrome-linux*/chrome"))
    if own:
        return str(own[-1])
    pytest.fail(
        "no Chromium found; run: apt-get install chromium  (or: .venv/bin/python -m playwright install chromium)"
    )


class Page:
    """The page as a user works with it."""

    def __init__(self, page, server: ComfyServer, shots: Path):
        self.page, self.server, self.shots = page, server, shots
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)[:300]))

    def open(self) -> None:
        self.page.goto(self.server.url, wait_until="domcontentloaded")
        self.page.wait_for_function(
            "() => window.app && window.app.graph && window.LiteGraph && window.app.vueAppReady"
            " && Object.keys(window.LiteGraph.registered_node_types).length > 100"
            " && !document.querySelector('.p-blockui-mask')",
            timeout=90_000,
        )
        self.page.wait_for_selector("canvas#graph-canvas", timeout=30_000)
        time.sleep(1.5)
        self.close_dialogs()

    def close_dialogs(self) -> None:
        for _ in range(3):
            if self.page.locator(".p-dialog-mask, [role=dialog]").count() == 0:
                return
            self.page.keyboard.press("Escape")
            time.sleep(0.4)

    def shot(self, name: str) -> None:
        self.page.screenshot(path=str(self.shots / f"{name}.png"))

    def state(self) -> dict:
        return self.page.evaluate(STATE)

    def command(self, name: str) -> None:
        self.page.evaluate("name => window.app.extensionManager.command.execute(name)", name)

    def clear(self) -> None:
        self.page.evaluate("() => window.app.graph.clear()")
        time.sleep(0.3)

    def load(self, workflow: Path, via: str) -> dict:
        """Load a workflow by drop (a file on the canvas), load (the page's loader) or template (its browser)."""
        self.clear()
        getattr(self, f"_load_{via}")(workflow)
        expected = len(json.loads(workflow.read_text())["nodes"])
        self.page.wait_for_function("n => window.app.graph._nodes.length === n", arg=expected, timeout=20_000)
        time.sleep(1)
        state = self.state()
        self.close_dialogs()
        self.command("Comfy.Canvas.FitView")
        time.sleep(0.8)
        self.shot(f"{workflow.stem}_{via}_loaded")
        return state

    def _load_load(self, workflow: Path) -> None:
        self.page.evaluate("graph => window.app.loadGraphData(graph)", json.loads(workflow.read_text()))

    def _load_drop(self, workflow: Path) -> None:
        transfer = self.page.evaluate_handle(
            """([name, text]) => { const d = new DataTransfer();
               d.items.add(new File([text], name, {type: 'application/json'})); return d }""",
            [workflow.name, workflow.read_text()],
        )
        for event in ("dragenter", "dragover", "drop"):
            place = {"dataTransfer": transfer, "clientX": 700, "clientY": 450}
            self.page.dispatch_event("canvas#graph-canvas", event, place)

    def _load_template(self, workflow: Path) -> None:
        self.command("Comfy.BrowseTemplates")
        self.page.wait_for_selector(f"text={PACK_NAME}", timeout=20_000)
        time.sleep(1)
        self.page.get_by_text(PACK_NAME, exact=True).first.click()
        time.sleep(1.5)
        self.shot("template_browser")
        self.page.locator(f"[data-testid*='{workflow.stem}']").first.click()

    def run(self, timeout: float = 300) -> dict:
        """Press Run and wait for the server's verdict; returns the history entry."""
        self.server.free()  # so that nothing is answered from cache
        before = set(self.server.get("/history"))
        self.page.locator(
            "[data-testid='queue-button'], .queue-button-group button, button:has-text('Run')"
        ).first.click()
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            history = self.server.get("/history")
            new = [entry for key, entry in history.items() if key not in before]
            if new and new[0].get("status", {}).get("completed") is not None:
                time.sleep(2)
                return new[0]
            if self.state()["lastNodeErrors"]:
                self.shot("refused")
                pytest.fail(f"the page refused to run: {json.dumps(self.state()['lastNodeErrors'])[:800]}")
            time.sleep(0.3)
        pytest.fail(f"no result within {timeout:.0f} s")


@pytest.fixture(scope="session")
def server(tmp_path_factory, pose_models):
    base = tmp_path_factory.mktemp("page") / "base"
    shutil.copytree(pose_models, base / "models" / "dpidm" / "blazepose")
    with ComfyServer(base=base, pack_name=PACK_NAME) as server:
        yield server


@pytest.fixture(scope="session")
def page(server, artifacts, tmp_path_factory):
    from playwright.sync_api import sync_playwright

    shots = artifacts / "page"
    shots.mkdir(exist_ok=True)
    for key, value in {"Comfy.TutorialCompleted": True, "Comfy.InstalledVersion": "1.32.9"}.items():
        _set(server, key, value)
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(tmp_path_factory.mktemp("profile")),
            executable_path=find_chromium(),
            headless=True,
            args=FLAGS,
            viewport={"width": 1800, "height": 1000},
        )
        # nothing outside this machine may be asked for
        context.route(lambda url: url.startswith("http") and "127.0.0.1" not in url, lambda route: route.abort())
        page = Page(context.pages[0] if context.pages else context.new_page(), server, shots)
        page.open()
        yield page
        with contextlib.suppress(Exception):
            context.close()


def _set(server: ComfyServer, key: str, value) -> None:
    import urllib.request

    request = urllib.request.Request(
        f"{server.url}/api/settings/{key}", json.dumps(value).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=10).close()
