"""Write one workflow in both of ComfyUI's formats: the page's (nodes, links, places) and the API's (class and inputs).

The source is a short Python description; what it does not say (types, widget order, defaults) comes from the running
host's /object_info, so a renamed input or a removed node fails here and not on a user's screen.
"""

import uuid
from dataclasses import dataclass, field

COLUMN_WIDTH, COLUMN_GAP, ROW_GAP, TOP = 340, 90, 50, 80
TITLE, SLOT, WIDGET = 40, 20, 25  # heights in the page, in its pixels
WIDGET_TYPES = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}
NOTE = "MarkdownNote"  # lives in the page only


@dataclass(frozen=True)
class Link:
    """An output of another node: its key in the description and the name of the output."""

    node: str
    output: str


@dataclass(frozen=True)
class Node:
    """One node of a description.

    column: where it stands, from the left; nodes of a column stand below each other in the order of the description.
    inputs: Link or a widget's value; widgets left out keep the host's default.  room: height left free for a preview.
    """

    type: str
    column: int
    inputs: dict = field(default_factory=dict)
    title: str | None = None
    room: int = 0


def api_format(nodes: dict[str, Node], object_info: dict) -> dict:
    """The description as POST /prompt takes it. Raises ValueError naming an unknown node, input or output."""
    numbers = _numbers(nodes)
    graph = {}
    for key, node in nodes.items():
        if node.type == NOTE:
            continue
        specs = _input_specs(node.type, object_info)
        unknown = set(node.inputs) - set(specs)
        if unknown:
            raise ValueError(f"{node.type} has no input {sorted(unknown)}; it has {sorted(specs)}")
        inputs = {}
        for name, (kind, options, required) in specs.items():
            value = node.inputs.get(name, options.get("default") if kind in WIDGET_TYPES else None)
            if isinstance(value, Link):
                inputs[name] = [
                    str(numbers[value.node]),
                    _output_slot(nodes[value.node].type, value.output, object_info),
                ]
            elif kind in WIDGET_TYPES:
                inputs[name] = _first_choice(kind, options) if value is None else value
            elif required:
                raise ValueError(f"{node.type} needs its input {name!r}")
        entry = {"class_type": node.type, "inputs": inputs}
        entry["_meta"] = {"title": node.title or object_info[node.type].get("display_name") or node.type}
        graph[str(numbers[key])] = entry
    return graph


def page_format(nodes: dict[str, Node], object_info: dict, columns: dict[str, str]) -> dict:
    """The description as the page saves it. columns: title -> colour of the group around a column, from the left."""
    numbers = _numbers(nodes)
    links, made = [], {}
    bottoms = [TOP] * len(columns)
    for order, (key, node) in enumerate(nodes.items()):
        made[key] = _page_node(key, node, order, numbers, object_info)
        made[key]["pos"] = [40 + (COLUMN_WIDTH + COLUMN_GAP) * node.column, bottoms[node.column]]
        bottoms[node.column] += made[key]["size"][1] + ROW_GAP
    groups = [
        {
            "id": index + 1,
            "title": title,
            "bounding": [(COLUMN_WIDTH + COLUMN_GAP) * index + 20, TOP - 80, COLUMN_WIDTH + 40, bottom - TOP + 90],
            "color": colour,
            "font_size": 24,
            "flags": {},
        }
        for index, ((title, colour), bottom) in enumerate(zip(columns.items(), bottoms, strict=True))
    ]
    for key, node in nodes.items():
        for slot, entry in enumerate(made[key]["inputs"]):
            value = node.inputs.get(entry["name"])
            if not isinstance(value, Link):
                continue
            output = _output_slot(nodes[value.node].type, value.output, object_info)
            number = len(links) + 1
            links.append([number, numbers[value.node], output, numbers[key], slot, entry["type"]])
            entry["link"] = number
            made[value.node]["outputs"][output]["links"].append(number)
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, " ".join(nodes))),
        "revision": 0,
        "last_node_id": len(nodes),
        "last_link_id": len(links),
        "nodes": list(made.values()),
        "links": links,
        "groups": groups,
        "config": {},
        "extra": {},
        "version": 0.4,
    }


def _page_node(key: str, node: Node, order: int, numbers: dict[str, int], object_info: dict) -> dict:
    base = {
        "id": numbers[key],
        "type": node.type,
        "pos": [0, 0],
        "size": _size(node, object_info),
        "flags": {},
        "order": order,
        "mode": 0,
    }
    if node.type == NOTE:
        return base | {
            "inputs": [],
            "outputs": [],
            "properties": {},
            "title": node.title,
            "widgets_values": [node.inputs["text"]],
            "color": "#432",
            "bgcolor": "#653",
        }
    inputs, widgets = [], []
    for name, (kind, options, _) in _input_specs(node.type, object_info).items():
        entry = {"name": name, "type": kind, "link": None}
        if kind in WIDGET_TYPES:
            entry["widget"] = {"name": name}
            value = node.inputs.get(name, options.get("default"))
            widgets.append(_first_choice(kind, options) if value is None or isinstance(value, Link) else value)
            if options.get("control_after_generate"):
                widgets.append("fixed")
            if any(option.endswith("_upload") and options[option] for option in options):
                widgets.append("image")
        inputs.append(entry)
    info = object_info[node.type]
    outputs = [{"name": n, "type": t, "links": []} for n, t in zip(info["output_name"], info["output"])]
    page = base | {
        "inputs": inputs,
        "outputs": outputs,
        "properties": {"Node name for S&R": node.type},
        "widgets_values": widgets,
    }
    return page | ({"title": node.title} if node.title else {})


def _size(node: Node, object_info: dict) -> list[int]:
    if node.type == NOTE:
        return [COLUMN_WIDTH, node.room]
    kinds = [kind for kind, _, _ in _input_specs(node.type, object_info).values()]
    widgets = sum(kind in WIDGET_TYPES for kind in kinds)
    slots = max(len(kinds) - widgets, len(object_info[node.type]["output"]))
    return [COLUMN_WIDTH, TITLE + SLOT * slots + WIDGET * widgets + node.room]


def _numbers(nodes: dict[str, Node]) -> dict[str, int]:
    return {key: number for number, key in enumerate(nodes, start=1)}


def _input_specs(node_type: str, object_info: dict) -> dict[str, tuple[str, dict, bool]]:
    """name -> (type, options, required), in the host's order."""
    if node_type not in object_info:
        raise ValueError(f"the host has no node {node_type!r}")
    info = object_info[node_type]
    specs = {}
    for part in ("required", "optional"):
        entries = info["input"].get(part, {})
        for name in info.get("input_order", {}).get(part, entries):
            kind, options = entries[name][0], (entries[name][1] if len(entries[name]) > 1 else {})
            if isinstance(kind, list):  # the older way of saying COMBO
                kind, options = "COMBO", {**options, "options": kind}
            specs[name] = (kind, options, part == "required")
    return specs


def _first_choice(kind: str, options: dict):
    return (
        options["options"][0]
        if kind == "COMBO" and options.get("options")
        else {"STRING": "", "BOOLEAN": False}.get(kind, 0)
    )


def _output_slot(node_type: str, output: str, object_info: dict) -> int:
    names = object_info[node_type]["output_name"]
    if output not in names:
        raise ValueError(f"{node_type} has no output {output!r}; it has {names}")
    return names.index(output)
