"""What the pages made here have in common: templates that escape everything, and a policy under
which an injection that got through would still do nothing."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from reason_env.errors import require


def templates(folder: Path, **settings: Any) -> Any:
    """A Jinja2 environment that escapes what it prints and refuses names that it does not know.

    Raises:
        MissingExtra: Jinja2 is not installed.
    """
    jinja = require("jinja2", "bench")
    return jinja.Environment(
        loader=jinja.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        **settings,
    )


def content_policy(style: str, script: str) -> str:
    """A Content-Security-Policy: nothing but this style sheet and this script, by their hashes, and
    the script must not make markup of text either."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _hash(text: str) -> str:
    # Browsers normalise line ends first; templates have none but newlines.
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
