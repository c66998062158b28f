r"""What must not be published: keys and passwords, and the paths of somebody's machine.

`find_secret` knows the formats that the common services give their keys, and what stands next to
words such as `password`; a key without either cannot be told from any other word. `without_paths`
cuts paths down to their last name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from benchmarks.records import EpisodeRecord
from leaderboards.strict import Refused, shown

# Each begins where a word does (`task-specific-...` is no `sk-specific-...`), and no part of one
# is without a bound, so that no text takes long.
_KEYS = re.compile(
    r"(?<![A-Za-z0-9_-])(?:"
    r"sk-(?:proj-|ant-|or-|svcacct-)?[A-Za-z0-9_-]{20}"  # OpenAI, Anthropic, OpenRouter, DeepSeek
    r"|[sr]k_(?:live|test)_[A-Za-z0-9]{16}"  # Stripe
    r"|hf_[A-Za-z0-9]{30}|api_org_[A-Za-z0-9]{30}"  # Hugging Face
    r"|gh[pousr]_[A-Za-z0-9]{30}|github_pat_[A-Za-z0-9_]{30}|glpat-[A-Za-z0-9_-]{20}"
    r"|(?:AKIA|ASIA)[0-9A-Z]{16}"  # AWS
    r"|AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20}|GOCSPX-[A-Za-z0-9_-]{20}"  # Google
    r"|xox[abeoprs]-[A-Za-z0-9-]{10}|xapp-[0-9]-[A-Za-z0-9-]{10}"  # Slack
    r"|(?:gsk|xai|r8|npm|dop_v1|tgp_v1|csk|pplx)[_-][A-Za-z0-9]{32}|nvapi-[A-Za-z0-9_-]{32}"
    r"|pypi-AgE[A-Za-z0-9_-]{20}|SG\.[A-Za-z0-9_-]{20,24}\.[A-Za-z0-9_-]{20}"
    r"|eyJ[A-Za-z0-9_-]{8,2000}\.eyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{8}"  # JWT
    r")"
    r"|-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY"
    r"|(?i:\bauthorization\b[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:bearer|basic|token)\s{1,3}"
    r"[A-Za-z0-9._~+/=-]{8})"
    r"|(?i:\bbearer\s{1,3}(?=[A-Za-z._~+/=-]{0,40}[0-9])[A-Za-z0-9._~+/=-]{20})"
    r"|://[^\s/:@'\"]{0,100}:[^\s/@'\"]{1,100}@"  # a password in an address
)
_NAMES = (
    r"(?:api|access|auth|secret|private)[_-]?(?:access[_-]?)?(?:key|token)|client[_-]?secret"
    r"|passw(?:or)?d|passphrase"
)
# `password: hunter2hunter2`, where what follows is no plain word and no plain number.
_NAMED = re.compile(
    rf"(?i:(?:{_NAMES})[\"']?\s{{0,3}}[:=]\s{{0,3}}[\"']?)"
    r"(?=[^\s\"']{0,60}[0-9])(?=[^\s\"']{0,60}[A-Za-z])[^\s\"']{8}"
)
_NAME = re.compile(rf"(?i:.{{0,40}}(?:{_NAMES}|authorization))")

_ROOT = (
    # Relative paths stay, unless they lead to somebody's home.
    r"(?:file:/{0,2}(?=/)|\\\\\?\\)?(?:[A-Za-z]:[/\\]|~[\w.-]*[/\\]|[/\\]"
    r"|(?:\.\.[/\\]+){1,32}(?=(?i:home|users)[/\\]))"
)
_PATH = re.compile(
    r"(?P<address>\b(?!(?i:file):)[A-Za-z][A-Za-z0-9+.-]{1,20}://\S*)"
    # In quotes there may be spaces.
    rf"|(?<=(?P<quote>['\"])){_ROOT}[^'\"\n]*(?=(?P=quote))"
    rf"|(?<![\w/\\.~-]){_ROOT}[^\s'\":]*"
)
_WHOLE = re.compile(rf"{_ROOT}[^\n]*")
_HOMES = ("home", "users", "documents and settings")
"""Folders whose folders are named for people."""


def no_secrets(value: Any, where: str) -> None:
    """Check that no text in a JSON value looks like a key or a password.

    Raises:
        Refused: says where, and no more of it than its beginning.
    """
    if found := find_secret(value):
        raise Refused(
            "secret",
            f"{where}: {shown(found[:4])}... looks like a secret key or password; remove it from "
            "the run (and replace the key) before publishing",
        )


def of_episode(record: EpisodeRecord) -> list[Any]:
    """What is free text in a record, for `no_secrets`."""
    return ["\n".join(record.actions), record.error, record.kwargs]


def find_secret(value: Any) -> str | None:
    """What looks like a key or a password in a JSON value, or None."""
    for name, text in _texts(value):
        if match := _KEYS.search(text) or _NAMED.search(text):
            return match[0]
        if _NAME.fullmatch(name) and re.fullmatch(r"(?=.*\d)\S{8,}", text):
            return text
    return None


def _texts(value: Any) -> Iterator[tuple[str, str]]:
    """All texts in a value with the key that each stands under; keys are texts too."""
    todo = [("", value)]
    while todo:
        name, value = todo.pop()
        if isinstance(value, str):
            yield name, value
        elif isinstance(value, Mapping):
            for key, item in value.items():
                yield "", str(key)
                todo.append((str(key), item))
        elif isinstance(value, Iterable):
            todo.extend((name, item) for item in value)


def without_paths(value: Any) -> Any:
    """A JSON value with every absolute path in its texts cut down to its last name, or to `...`
    where that would be a person's."""
    if isinstance(value, str):
        # A text that is a path as a whole may have spaces in it.
        if _WHOLE.fullmatch(value):
            return _last_name(value)
        return _PATH.sub(lambda match: match["address"] or _last_name(match[0]), value)
    if isinstance(value, Mapping):
        return {key: without_paths(item) for key, item in value.items()}
    if isinstance(value, Iterable):
        return [without_paths(item) for item in value]
    return value


def _last_name(path: str) -> str:
    root, *names = [part for part in re.split(r"[/\\]+", path) if part] or [""]
    if path[0] in "/\\":
        names = [root, *names]
        if len(names) < 2:
            return path  # a slash, or a name right below the root
    if len(names) > 1 and names[-2].lower() in _HOMES:
        return "..."
    return names[-1] if names else "..."
