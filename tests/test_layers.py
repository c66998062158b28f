"""Imports go reason_env <- agents <- benchmarks <- leaderboards, and the core stays light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = ["reason_env", "agents", "benchmarks", "leaderboards"]
CORE_MAY_IMPORT = {"numpy", "gymnasium", "reason_env"}
FILES = [path for layer in LAYERS for path in sorted((ROOT / layer).rglob("*.py"))]


def imported(path: Path, top_level_only: bool) -> Iterator[str]:
    """Names of the imported packages."""
    nodes = [ast.parse(path.read_text(encoding="utf-8"))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield str(node.module).split(".")[0]
        for child in ast.iter_child_nodes(node):
            is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            if not (top_level_only and (is_function or is_type_checking(child))):
                nodes.append(child)


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_backward_import(path: Path) -> None:
    layer = path.relative_to(ROOT).parts[0]
    above = set(LAYERS[LAYERS.index(layer) + 1 :])
    backward = above & set(imported(path, top_level_only=False))
    assert not backward, f"{layer} must not import {backward}"
    if layer == "reason_env":
        heavy = set(imported(path, top_level_only=True)) - CORE_MAY_IMPORT
        heavy -= sys.stdlib_module_names
        if path.parent.name == "tasks":
            # Loaded when a family is first made, not by `import reason_env`.
            heavy -= {"sympy", "pysat"}
        assert not heavy, f"import {heavy} inside the function that needs it"


def test_every_layer_is_looked_at() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in FILES} >= set(LAYERS[:2])


def test_core_is_light(capsys: pytest.CaptureFixture[str]) -> None:
    """The time is printed, not asserted: it depends on the machine. The aim is 0.3 s."""
    code = (
        "import sys, time; start = time.perf_counter(); import reason_env; "
        "print(time.perf_counter() - start); print(*sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, modules = run.stdout.splitlines()
    heavy = {"torch", "sympy", "transformers", "pandas", "scipy", "matplotlib"}
    assert not heavy & set(modules.split())
    # Families are imported when they are first made.
    assert "reason_env.tasks.countdown" not in modules.split()
    with capsys.disabled():
        print(f" [import reason_env: {float(seconds):.2f} s] ", end="")
