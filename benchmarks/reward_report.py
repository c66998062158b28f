"""Tables and the picture of a study of a reward model (`benchmarks.reward_quality`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.pictures import COLOURS, canvas
from benchmarks.tables import cell, table

PROCESS = {
    "base_rate": "in reach",
    "accuracy": "accuracy",
    "brier": "Brier",
    "ece": "ECE",
    "auc": "AUC",
}
VALUE = {
    "mean_potential": "mean potential",
    "absolute_error": "mean abs. error",
    "bias": "bias",
    "bin_bias": "bias by bin",
    "pearson": "Pearson",
    "spearman": "Spearman",
    "auc": "AUC",
}
COLUMNS = {"prm": PROCESS, "value": VALUE}
HEADS = {"prm": "Process reward", "value": "Value"}
_GREY = "#888888"


def number(estimate: Mapping[str, float] | None) -> str:
    """An estimate and its interval: `0.912 [0.894, 0.930]`; `-` where there is none."""
    if estimate is None:
        return "-"
    value, low, high = (estimate[key] for key in ("value", "low", "high"))
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def score_rows(study: Mapping[str, Any], head: str, parts: bool = True) -> list[list[str]]:
    """Rows of a head's table: all steps, and with `parts` those by depth and by fate."""
    scores = study[head]
    named = [("all steps", scores["all"])]
    if parts:
        named += [(f"depth {depth}", part) for depth, part in scores["by_depth"].items()]
        named += [(fate, part) for fate, part in scores["by_fate"].items()]
    return [
        [name, str(part["n"]), *(number(part.get(key)) for key in COLUMNS[head])]
        for name, part in named
    ]


def describe(study: Mapping[str, Any]) -> list[str]:
    """The headline of each head, a line each."""
    lines = []
    for head in HEADS:
        if study[head]:
            scores = study[head]["all"]
            said = [f"{name} {number(scores[key])}" for key, name in COLUMNS[head].items()]
            lines.append(f"{HEADS[head]} at {scores['n']} states: {', '.join(said)}")
    return lines


def markdown(study: Mapping[str, Any], picture: str) -> str:
    """The report."""
    settings = ", ".join(f"{key}={value}" for key, value in study["kwargs"].items())
    by_itself = study["policy_digest"] == study["model_digest"]
    policy = "itself" if by_itself else f"`{study['policy']}`"
    parts = [
        f"# Reward model on {cell(study['env'])} ({cell(settings)})",
        f"`{study['model']}` (`{study['model_digest'][:12]}`) on {study['steps']} states (and "
        f"{study['prompts']} prompts, depth 0) visited by {study['samples']} rollouts of {policy} "
        f"(`{study['policy_digest'][:12]}`) at temperature {study['temperature']:g} on each of "
        f"{study['problems']} problems; seed {study['seed']}. In brackets: 95 % bootstrap "
        "intervals from resampling problems.",
        f"![Reliability]({picture})",
    ]
    if study["prm"]:
        floor = study["prm"]["calibrated_floor"]
        parts += [
            "## Process reward against exact reachability",
            table(["states", "n", *PROCESS.values()], score_rows(study, "prm")),
            f"Accuracy at 1/2. ECE: {study['bins']} bins of equal mass; a calibrated head with "
            f"these predictions would have {floor:.3f} by chance alone, and resampling adds about "
            "as much again, so its interval leans upwards.",
            _finds(study["prm"]),
        ]
    if study["value"]:
        parts += [
            "## Value against the exact potential",
            table(["states", "n", *VALUE.values()], score_rows(study, "value")),
            f"Bias: mean of value less potential; by bin: its size in {study['bins']} bins of "
            "equal mass. AUC: whether the goal is in reach.",
            _finds(study["value"]),
        ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _finds(scores: Mapping[str, Any]) -> str:
    return (
        f"AUC of states in reach against the mistake itself {number(scores['finds_mistake'])}, "
        f"against states after it {number(scores['finds_after'])}."
    )


def reliability_picture(study: Mapping[str, Any], path: Path) -> None:
    """A reliability diagram for each head: mean outcome of each bin against its mean prediction."""
    heads = [head for head in HEADS if study[head]]
    with canvas(path, 0.6 + 4.6 * len(heads), 4.7) as figure:
        for place, head in enumerate(heads):
            axes = figure.add_subplot(1, len(heads), place + 1)
            _reliability(axes, study[head]["reliability"], COLOURS[place])
            everything = study[head]["all"]
            if head == "prm":
                axes.set_xlabel("process reward, mean of a bin")
                axes.set_ylabel("goal in reach, share of the bin")
                scores = f"ECE {_of(everything, 'ece')}, AUC {_of(everything, 'auc')}"
            else:
                axes.set_xlabel("value, mean of a bin")
                axes.set_ylabel("exact potential, mean of the bin")
                scores = f"mean abs. error {_of(everything, 'absolute_error')}, "
                scores += f"Spearman {_of(everything, 'spearman')}"
            axes.set_title(f"{HEADS[head]}: {scores}", loc="left", fontsize=10)
        family = study["env"].rpartition("/")[2]
        level = study["kwargs"].get("level", 1)
        title = f"Reliability: {family} level {level}, {study['kwargs']['split']} split"
        figure.suptitle(title, x=0.02, ha="left", fontsize=13, fontweight="bold")
        note = f"{study['steps']} states of {study['problems']} problems, {study['bins']} bins of "
        note += "equal mass" + (";\n" if len(heads) == 1 else "; ")
        note += "bars: 95 % bootstrap interval, resampling problems"
        figure.supxlabel(note, x=0.02, ha="left", fontsize=9, color=_GREY)


def _reliability(axes: Any, bins: Sequence[Mapping[str, Any]], colour: str) -> None:
    predicted = [row["predicted"] for row in bins]
    observed = [row["observed"]["value"] for row in bins]
    # Where all of a bin are alike, rounding may put an end of the interval past the mean.
    low = [max(0.0, row["observed"]["value"] - row["observed"]["low"]) for row in bins]
    high = [max(0.0, row["observed"]["high"] - row["observed"]["value"]) for row in bins]
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle="--", label="calibrated")
    axes.errorbar(
        predicted,
        observed,
        yerr=[low, high],
        color=colour,
        marker="o",
        markersize=5,
        linewidth=1.4,
        elinewidth=1.2,
        capsize=3,
        label="this model",
    )
    # A value head may say less than 0 or more than 1.
    axes.set_xlim(min(-0.03, *predicted) - 0.02, max(1.03, *predicted) + 0.02)
    axes.set_ylim(-0.05, 1.05)
    axes.legend(loc="upper left")


def _of(scores: Mapping[str, Any], name: str) -> str:
    return "-" if scores[name] is None else f"{scores[name]['value']:.3f}"
