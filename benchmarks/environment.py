"""What a run ran on: package versions, commit, hardware."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_MOST_FILES = 50
"""Changed files that are named; more are only counted."""


OURS = ("reason_env", "agents", "benchmarks")
"""What decides an episode: environments, searches and models, and how they are run."""


def capture(agent: str | None = None) -> dict[str, Any]:
    """Packages, commit and files that differ from it, hashes of the code, Python, hardware; no
    names of users or machines.

    Args:
        agent: `package.module:make` if one plays, whose code then counts too.
    """
    commit, changed = _commit(Path(__file__).resolve().parent.parent)
    return {
        "packages": _packages(),
        "code": code_hashes(agent),
        "commit": commit,
        "dirty": None if changed is None else bool(changed),
        "dirty_files": changed,
        "python": platform.python_version(),
        "hardware": {
            "system": f"{platform.system()} {platform.machine()}",
            "cpu": _cpu(),
            "cores": os.cpu_count(),
            "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
            **_torch(),
        },
    }


def code_hashes(agent: str | None = None) -> dict[str, str]:
    """`source_hash` of each package that decides an episode.

    Args:
        agent: `package.module:make`; its top-level package or module is one of them.
    """
    names = [*OURS]
    if agent is not None and ":" in agent:
        names += [agent.partition(":")[0].partition(".")[0]]
    found = {}
    for name in dict.fromkeys(names):
        path = _source(name)
        if path is not None:
            found[name] = source_hash(path)
    return found


def _source(name: str) -> Path | None:
    """Folder of a package, or file of a module; None: it was not loaded from one."""
    try:
        spec = importlib.util.find_spec(name)
    except ValueError:  # made by hand, as in a notebook
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    return None if spec.origin is None else Path(spec.origin)


def source_hash(root: Path) -> str:
    """SHA-256 over the Python sources in a folder, names and contents in order; or of one file."""
    if root.is_file():
        return hashlib.sha256(root.read_bytes()).hexdigest()
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py"), key=lambda path: path.relative_to(root).as_posix()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _packages() -> dict[str, str | None]:
    """This package and all that it and its extras (but `dev`) ask for, as far as they are
    installed."""
    name = "reason-env"
    try:
        texts = [text for text in metadata.requires(name) or [] if 'extra == "dev"' not in text]
        asked = {found[0] for found in map(_NAME.match, texts) if found}
    except metadata.PackageNotFoundError:
        return {name: None}
    versions = {package: _version(package) for package in sorted(asked - {name})}
    # The tokenizer and the weights' format decide what a model writes too.
    versions |= {package: _version(package) for package in ("tokenizers", "safetensors")}
    return {name: _version(name), **{key: value for key, value in versions.items() if value}}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit(root: Path) -> tuple[str | None, list[str] | None]:
    """Commit of the checkout that this package lies in, and the files that differ from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(root), *arguments],
            check=True,
            capture_output=True,
            text=True,
            timeout=30,
        ).stdout

    try:
        # Installed below someone else's checkout, their commit says nothing.
        if Path(git("rev-parse", "--show-toplevel").strip()).resolve() != root:
            return None, None
        status = git("status", "--porcelain", "-z", "--no-renames")
        # Unquoted and ended by zeros, so that any name comes out as it is.
        changed = [line[3:] for line in status.split("\0") if line]
        if len(changed) > _MOST_FILES:
            changed[_MOST_FILES:] = [f"... and {len(changed) - _MOST_FILES} more"]
        return git("rev-parse", "HEAD").strip(), changed
    except (OSError, subprocess.SubprocessError):
        return None, None


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(
            line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")
        )
    except (OSError, StopIteration):
        return platform.processor()


def _torch() -> dict[str, Any]:
    """Threads and accelerator, if torch is in use."""
    torch = sys.modules.get("torch")
    if torch is None:
        return {}
    cuda = torch.cuda.is_available()
    return {
        "threads": torch.get_num_threads(),
        "accelerator": torch.cuda.get_device_name() if cuda else None,
    }
