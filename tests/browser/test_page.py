"""The shipped workflows in the real page: loaded three ways, run with the Run button."""

import json

import pytest

from tools.comfy_server import ROOT

QUICKSTART = ROOT / "workflows" / "tryon_quickstart.json"
WORKFLOWS = sorted((ROOT / "workflows").glob("*.json"))


def assert_loaded(state: dict) -> None:
    unknown = [n["type"] for n in state["nodes"] if not n["known"]]
    assert not unknown, f"nodes the page does not know: {unknown}"
    assert not state["dialogs"], f"a dialog on loading: {state['dialogs']}"


@pytest.mark.parametrize("via", ["load", "drop", "template"])
def test_quickstart_loads_and_runs(page, via):
    assert_loaded(page.load(QUICKSTART, via))
    entry = page.run()
    page.shot(f"tryon_quickstart_{via}_done")
    state = page.state()
    assert entry["status"]["status_str"] == "success", entry["status"]
    assert not state["lastNodeErrors"]
    assert not state["lastExecutionError"]
    assert not [n for n in state["nodes"] if n["red"]]
    cached = [m[1]["nodes"] for m in entry["status"]["messages"] if m[0] == "execution_cached"]
    assert cached == [[]], f"answered from cache: {cached}"
    assert any("images" in output for output in entry["outputs"].values())
    assert not page.errors, page.errors


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda p: p.stem)
def test_page_and_api_format_agree(page, workflow):
    """What the page would queue is what the API twin says (apart from titles)."""
    assert_loaded(page.load(workflow, "load"))
    queued = page.page.evaluate("async () => (await window.app.graphToPrompt()).output")
    twin = json.loads((ROOT / "workflows" / "api" / workflow.name).read_text())
    strip = lambda graph: {k: (n["class_type"], n["inputs"]) for k, n in graph.items()}  # noqa: E731
    for node in queued.values():
        for helper in ("upload", "audioUI", "video-preview"):  # buttons of the page, no inputs of the node
            node["inputs"].pop(helper, None)
    assert strip(queued) == strip(twin)


def test_help_page_opens(page):
    """The (i) of the selection toolbox shows the node's own help."""
    page.load(QUICKSTART, "load")
    page.page.evaluate(
        """type => { const node = window.app.graph._nodes.find(n => n.type === type);
           window.app.canvas.selectNode(node); window.app.canvas.setDirty(true, true) }""",
        "DPIDMLoadModel",
    )
    page.page.wait_for_timeout(1000)
    button = page.page.locator("[data-testid='info-button'], .selection-toolbox button:has(.icon-\\[lucide--info\\])")
    button.first.click()
    page.page.wait_for_function("() => document.body.innerText.includes('extra_model_paths.yaml')", timeout=20_000)
    page.shot("help")
