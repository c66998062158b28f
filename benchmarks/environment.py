"""What a run ran on: package versions, commit, hardware."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGES = (
    "reason-env",
    "numpy",
    "gymnasium",
    "sympy",
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
)


def capture() -> dict[str, Any]:
    """Packages, commit and dirty flag, Python, hardware; no names of users or machines."""
    commit, dirty = _commit(Path(__file__).resolve().parent.parent)
    return {
        "packages": {name: _version(name) for name in _PACKAGES},
        "commit": commit,
        "dirty": dirty,
        "python": platform.python_version(),
        "hardware": {
            "system": f"{platform.system()} {platform.machine()}",
            "cpu": _cpu(),
            "cores": os.cpu_count(),
            **_torch(),
        },
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit(root: Path) -> tuple[str | None, bool | None]:
    """Commit of the checkout that this package lies in, and whether files differ from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(root), *arguments],
            check=True,
            capture_output=True,
            text=True,
            timeout=30,
        ).stdout.strip()

    try:
        # Installed below someone else's checkout, their commit says nothing.
        if Path(git("rev-parse", "--show-toplevel")).resolve() != root:
            return None, None
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain"))
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
