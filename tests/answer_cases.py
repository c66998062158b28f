"""The cases in `data/answer_cases.txt`."""

from pathlib import Path

Case = tuple[str, str, str]
"""Gold answer, answer, and the form that is asked for."""


def read() -> dict[str, list[str]]:
    """The lines of each section, without headings."""
    found: dict[str, list[str]] = {}
    path = Path(__file__).parent / "data" / "answer_cases.txt"
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("== "):
            section = found.setdefault(line[3:], [])
        elif line and not line.startswith("# "):
            section.append(line)
    return found


_SECTIONS = read()
GOLDS = _SECTIONS["golds"]


def cases(verdict: str) -> list[Case]:
    """All cases of "accept", "reject" or "unscored"."""
    found: list[Case] = []
    for section, lines in _SECTIONS.items():
        name, _, form = section.partition(" ")
        if name == verdict:
            pairs = [line.split(" | ", 1) for line in lines]
            found += [(gold, answer, form) for gold, answer in pairs]
    return found
