"""The points on the garment picture in the real page: dragged with the mouse, toggled, reset, used by the next run."""

import json
import shutil

import pytest

from tools.comfy_server import ROOT

GRAPH = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "dpidm_points_garment.jpg"}},
    "2": {"class_type": "DPIDMGarmentPose", "inputs": {"image": ["1", 0], "category": "upper", "overrides": ""}},
    "3": {"class_type": "PreviewAny", "inputs": {"source": ["2", 0]}},
}
WIDGET = """name => { const node = window.app.graph._nodes.find(n => n.type === 'DPIDMGarmentPose');
    return node.widgets.find(w => w.name === name)?.value }"""
R_HIP = 8  # OpenPose's body joint


@pytest.fixture
def points(page):
    """The small graph, run once."""
    shutil.copyfile(ROOT / "sample" / "garment.jpg", page.server.base / "input" / "dpidm_points_garment.jpg")
    page.clear()
    page.page.evaluate("graph => window.app.loadApiJson(graph, 'points')", GRAPH)
    page.page.wait_for_function("() => window.app.graph._nodes.length === 3")
    return Points(page)


class Points:
    """The node's points, as a user works with them."""

    def __init__(self, page):
        self.page = page

    def run(self) -> list[float]:
        """Press Run; x, y and confidence of the right hip in the pose that came out."""
        entry = self.page.run()
        assert entry["status"]["status_str"] == "success", entry["status"]
        pose = json.loads(entry["outputs"]["3"]["text"][0])
        return pose[0]["people"][0]["pose_keypoints_2d"][3 * R_HIP : 3 * R_HIP + 3]

    def overrides(self) -> dict:
        return json.loads(self.page.page.evaluate(WIDGET, "overrides") or "{}")

    def mark(self, name: str):
        return self.page.page.locator(f".dpidm-points circle[data-name={name}]")

    def fit(self) -> None:
        self.page.page.wait_for_selector(".dpidm-points image", timeout=20_000)
        self.page.command("Comfy.Canvas.FitView")
        self.page.page.wait_for_timeout(800)

    def drag(self, name: str, dx: float, dy: float) -> None:
        box, mouse = self.mark(name).bounding_box(), self.page.page.mouse
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        mouse.move(x, y)
        mouse.down()
        mouse.move(x + dx / 2, y + dy / 2)
        mouse.move(x + dx, y + dy)
        mouse.up()

    def picture_scale(self) -> float:
        """Pixels of the picture for one of the screen."""
        size = self.page.page.evaluate(
            "() => document.querySelector('.dpidm-points image').getBoundingClientRect().width"
        )
        view = self.page.page.locator(".dpidm-points").get_attribute("viewBox")
        return float(view.split()[2]) / size


def test_a_dragged_point_is_used_by_the_next_run(points):
    before = points.run()
    points.fit()
    assert points.mark("r_hip").get_attribute("data-visibility") == "2"
    place = points.page.page.evaluate("() => [...window.app.graph._nodes.find(n => n.type === 'DPIDMGarmentPose').pos]")
    points.page.shot("points_found")
    points.drag("r_hip", 24, -18)
    scale = points.picture_scale()
    x, y = points.overrides()["r_hip"]
    assert abs(x - (before[0] + 24 * scale)) < 2 * scale
    assert abs(y - (before[1] - 18 * scale)) < 2 * scale
    points.page.shot("points_dragged")
    after = points.run()
    assert after == pytest.approx([x, y, 1.0], abs=0.01), "the pose has the dragged point"
    assert points.overrides() == {"r_hip": [x, y]}, "a run keeps the user's points"
    assert place == points.page.page.evaluate(
        "() => [...window.app.graph._nodes.find(n => n.type === 'DPIDMGarmentPose').pos]"
    ), "the node itself was not dragged"
    points.mark("r_hip").dblclick()
    assert points.overrides() == {}
    assert points.run() == pytest.approx(before, abs=0.01), "and the point is as found again"
    assert not points.page.errors, points.page.errors


def test_shift_click_goes_through_seen_hidden_absent(points):
    points.run()
    points.fit()
    mark = points.mark("l_hip")
    for visibility in ("1", "0", "2"):
        mark.click(modifiers=["Shift"])
        assert mark.get_attribute("data-visibility") == visibility
        value = points.overrides()["l_hip"]
        assert value is None if visibility == "0" else value[2:] == ([1] if visibility == "1" else [])
    points.page.shot("points_toggled")
    assert not points.page.errors, points.page.errors


def test_the_points_are_neither_sent_nor_saved(points):
    points.run()
    points.fit()
    queued = points.page.page.evaluate("async () => (await window.app.graphToPrompt())")
    inputs = next(n for n in queued["output"].values() if n["class_type"] == "DPIDMGarmentPose")["inputs"]
    assert set(inputs) == {"image", "category", "overrides"}
    saved = next(n for n in queued["workflow"]["nodes"] if n["type"] == "DPIDMGarmentPose")
    assert saved["widgets_values"] == ["upper", ""]
