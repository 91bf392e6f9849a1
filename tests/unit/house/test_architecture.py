"""The house's rules: who may import whom, and that importing does nothing."""

import ast
import json
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LIBRARY = sorted((ROOT / "dpidm_model").rglob("*.py"))
NODES = sorted([*(ROOT / "nodes").glob("*.py"), *(ROOT / "pose_nodes").glob("*.py")])
HOST_MODULES = {
    "comfy",
    "comfy_api",
    "comfy_extras",
    "comfy_execution",
    "folder_paths",
    "nodes",
    "server",
    "latent_preview",
    "execution",
}


def _imports(path: Path) -> list[tuple[int, str]]:
    """(level, dotted name) of every import statement in a file, inside functions too."""
    found = []
    with tokenize.open(path) as file:
        tree = ast.parse(file.read())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(0, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.level, node.module or ""))
    return found


@pytest.mark.parametrize("path", LIBRARY, ids=lambda p: str(p.relative_to(ROOT)))
def test_library_imports_neither_host_nor_itself_absolutely(path):
    forbidden = HOST_MODULES | {"dpidm_model", "pose_nodes", "tools"}
    depth = len(path.relative_to(ROOT / "dpidm_model").parts)
    for level, name in _imports(path):
        assert level <= depth, f"{path.name} reaches out of dpidm_model: {'.' * level}{name}"
        assert level > 0 or name.split(".")[0] not in forbidden, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", NODES, ids=lambda p: str(p.relative_to(ROOT)))
def test_only_host_py_touches_the_host(path):
    if path == ROOT / "nodes" / "host.py":
        pytest.skip("the one file that may")
    touched = [name for level, name in _imports(path) if level == 0 and name.split(".")[0] in HOST_MODULES]
    assert not touched, f"{path.name} imports {touched}; go through nodes/host.py"


def test_library_imports_without_the_host():
    """Every module of the library imports in a bare process, and no host module is loaded by it."""
    names = [".".join(p.relative_to(ROOT).with_suffix("").parts) for p in LIBRARY if p.name != "__init__.py"]
    code = f"""
import importlib, json, sys
for name in {names!r}:
    importlib.import_module(name)
print(json.dumps(sorted({{m.split(".")[0] for m in sys.modules}} & {HOST_MODULES!r})))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_root_package_imports_nothing_heavy():
    """The pack's root module is imported at ComfyUI's start: it must be free."""
    code = """
import importlib.util, sys
before = set(sys.modules)
spec = importlib.util.spec_from_file_location("Pack-Name_x_v1", "__init__.py", submodule_search_locations=["."])
module = importlib.util.module_from_spec(spec); sys.modules[spec.name] = module; spec.loader.exec_module(module)
print(sorted(m for m in set(sys.modules) - before if m != spec.name))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_scripts_tell_how_they_are_used():
    """Each command line tool has --help with examples."""
    scripts = [[p.name] for p in ROOT.glob("*.py") if p.name != "__init__.py"]
    tools = [["-m", f"tools.{name}"] for name in ("demo", "host", "build_workflows", "make_untrained")]
    for script in scripts + tools:
        done = subprocess.run(
            [sys.executable, *script, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{script}: {done.stderr[-500:]}"
        assert "example" in done.stdout.lower(), f"{script} --help shows no example"


def test_every_node_has_a_help_page():
    """web/docs/<NodeId>.md for every node class."""
    missing = []
    for path in NODES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "node_id" and isinstance(node.value, ast.Constant):
                missing.append(node.value.value)
    missing = [name for name in missing if not (ROOT / "web" / "docs" / f"{name}.md").exists()]
    assert not missing, f"no help page for {missing}"


def test_no_upper_pins():
    """requirements.txt must not take versions away from the host."""
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert not [line for line in lines if "<" in line or "==" in line]
    assert not [line for line in lines if line.startswith("torch")]
