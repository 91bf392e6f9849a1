"""The workflow writer, on a small made-up description of a host."""

import pytest

from tools.workflow_format import Link, Node, api_format, page_format

OBJECT_INFO = {
    "Load": {
        "input": {
            "required": {
                "file": [["a.mp4", "b.mp4"], {"video_upload": True}],
                "seed": ["INT", {"default": 3, "control_after_generate": True}],
            }
        },
        "output": ["IMAGE", "INT"],
        "output_name": ["images", "count"],
        "display_name": "Load",
    },
    "Show": {
        "input": {"required": {"images": ["IMAGE"], "count": ["INT", {"default": 1}]}, "optional": {"mask": ["MASK"]}},
        "output": [],
        "output_name": [],
        "display_name": "Show",
    },
}


def _nodes(**show):
    return {
        "load": Node("Load", 0),
        "show": Node("Show", 1, inputs={"images": Link("load", "images"), **show}),
    }


def test_api_format_links_and_defaults():
    graph = api_format(_nodes(count=Link("load", "count")), OBJECT_INFO)
    assert graph["1"]["inputs"] == {"file": "a.mp4", "seed": 3}
    assert graph["2"]["inputs"] == {"images": ["1", 0], "count": ["1", 1]}


def test_page_format_keeps_widget_order_and_link_table():
    page = page_format(_nodes(count=Link("load", "count")), OBJECT_INFO, {"In": "#333", "Out": "#333"})
    load, show = page["nodes"]
    assert load["widgets_values"] == ["a.mp4", "image", 3, "fixed"]
    assert page["links"] == [[1, 1, 0, 2, 0, "IMAGE"], [2, 1, 1, 2, 1, "INT"]]
    assert [entry["link"] for entry in show["inputs"]] == [1, 2, None]
    assert load["outputs"][0]["links"] == [1]


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ({"x": Node("Gone", 0)}, "no node 'Gone'"),
        (_nodes(colour=1), "no input"),
        (_nodes(count=Link("load", "length")), "no output 'length'"),
        ({"show": Node("Show", 0)}, "needs its input 'images'"),
    ],
)
def test_a_stale_description_fails_with_the_name(nodes, message):
    with pytest.raises(ValueError, match=message):
        api_format(nodes, OBJECT_INFO)
