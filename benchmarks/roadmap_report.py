"""`ROADMAP.md`: each claim with its numbers, and whether these bear it out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agents.learning.run import MODEL
from agents.models.hf import HFModel
from benchmarks.behaviours import NOTE, behaviour_table
from benchmarks.compute import rows_of, seconds_of
from benchmarks.metrics import Estimate
from benchmarks.roadmap_pictures import families_picture, scores_picture
from benchmarks.roadmap_plan import (
    ESTIMATORS,
    GREEDY,
    LINE,
    REWARDS,
    SAMPLE,
    SEARCH,
    STARTS,
    Plan,
    stages_of,
)
from benchmarks.roadmap_scores import Score, Scores
from benchmarks.tables import percent, table

REPORT = "ROADMAP.md"
STAGES = (*LINE, "control")
WANTED = 0.20
"""What R1 asks for: 20 points."""
SAMPLED = "one sample at temperature 1, which is what policy gradients raise"


def write_roadmap(plan: Plan, scores: Scores, out: Path, command: str) -> Path:
    """Write the report and its pictures into `out`; returns the report's path."""
    report = _Report(plan, scores, out)
    parts = [
        "# Roadmap: the claims, measured",
        report.introduction(command),
        *report.gain(),
        *report.rewards(),
        *report.data(),
        *report.parameters(),
        *report.estimators(),
        *report.behaviours(),
        *report.costs(),
    ]
    path = out / REPORT
    path.write_text("\n\n".join(part.strip() for part in parts) + "\n", encoding="utf-8")
    return path


def points(difference: Estimate) -> str:
    """A difference of accuracies with its interval, in points."""
    value, low, high = (100 * x for x in (difference.value, difference.low, difference.high))
    return f"**{value:+.1f} points** [{low:+.1f}, {high:+.1f}]"


def verdict(difference: Estimate, least: float = 0.0) -> str:
    """What an interval says of the claim that the difference is above `least`."""
    if difference.low > least:
        return "**Holds**"
    if difference.high <= least:
        return "**Does not hold**"
    return "**Not shown**: the interval reaches both sides"


class _Report:
    """The sections, in order."""

    def __init__(self, plan: Plan, scores: Scores, out: Path) -> None:
        self.plan, self.scores, self.out = plan, scores, out
        self.roots = {seed: out / f"seed-{seed}" for seed in plan.seeds}
        self.stages = stages_of(plan, plan.seeds[0], self.roots[plan.seeds[0]])
        shown = f"{len(plan.seeds)} training seeds" if len(plan.seeds) > 1 else "one training seed"
        problems = scores.solved((LINE[0], GREEDY)).shape[1]
        self.over = f"{shown} and {problems} unseen problems"

    def introduction(self, command: str) -> str:
        """What was done, and how to do it again."""
        config = self.scores.runs((LINE[0], GREEDY))[0].manifest.config
        one = (
            " One seed tells nothing about the luck of training: its intervals are over problems "
            "only (`--full` has three seeds)."
            if len(self.plan.seeds) == 1
            else " Intervals are over both (bootstrap)."
        )
        return (
            f"Models made from nothing, over {self.over} of `{config['suite']['name']}` "
            f"({', '.join(self.scores.families)}).{one} All differences are paired. Search has at "
            f"most {config['budget_tokens']} generated tokens a problem. Search-made data comes "
            "from MCTS that sees the verifier at the end of episodes and nothing else.\n\n"
            f"```bash\n{command}\n```\n\n"
            "| claim | measured | |\n|:--|:--|:--|\n" + "\n".join(self._claims())
        )

    def _claims(self) -> list[str]:
        rows = []
        gain = self.scores.difference((LINE[0], GREEDY), ("trained", GREEDY))
        rows.append(("R1: 20 points and more by search and learning", gain, WANTED))
        control = self.scores.difference(("control", GREEDY), ("trained", GREEDY))
        rows.append(("... more than the same compute spent on supervised training", control, 0.0))
        data = self.scores.difference(("expert-data", GREEDY), ("searched", GREEDY))
        rows.append(("R4: search-made data beats as much of an expert's", data, 0.0))
        for name, what in (
            ("large", "R3: beats four times the parameters, initialised alike"),
            ("large-long", "R3: ... and with equal training compute"),
        ):
            difference = self.scores.difference((name, GREEDY), ("trained", GREEDY))
            rows.append((what, difference, 0.0))
        return [f"| {what} | {points(d)} | {verdict(d, least)} |" for what, d, least in rows]

    # -- Sections ----------------------------------------------------------------------------

    def gain(self) -> list[str]:
        """R1."""
        picture = self.out / "stages.png"
        listed = [(name, strategy) for strategy in (GREEDY, SEARCH) for name in STAGES]
        families_picture(self.scores, listed, self._labels(), picture, self.over)
        lines = []
        for strategy in (GREEDY, SEARCH):
            first = (LINE[0], strategy)
            lines += [
                f"- {strategy}: search and learning "
                f"{points(self.scores.difference(first, ('trained', strategy)))}, control "
                f"{points(self.scores.difference(first, ('control', strategy)))}."
            ]
        for family in self.scores.families:
            d = self.scores.difference((LINE[0], GREEDY), ("trained", GREEDY), family)
            lines.append(f"- {family}, greedy: {points(d)}.")
        for stage in ("initialised", "trained"):
            d = self.scores.difference((stage, GREEDY), (stage, SEARCH))
            lines.append(f"- What search adds to the {stage} model: {points(d)}.")
        for strategy, how in ((GREEDY, "greedy"), (SAMPLE, SAMPLED)):
            d = self.scores.difference(("searched", strategy), ("trained", strategy))
            lines.append(f"- What PPO adds to expert iteration, {how}: {points(d)}.")
        seconds = self._seconds("searched", "trained")
        return [
            "## R1: search and learning",
            f"![Accuracy by stage and family]({picture.name})",
            self._accuracies(listed),
            "\n".join(lines),
            f"The control went on from the initialised model with as much more ({seconds} s) of "
            "supervised training on more of the same demonstrations, of whose lines "
            f"{self.plan.sft.expert_share:.0%} are an expert's and the others merely legal.",
        ]

    def rewards(self) -> list[str]:
        """Outcome, process and shaped rewards."""
        return [
            "## Rewards: outcome, process, shaped",
            "PPO with as many episodes under each, after expert iteration and from the initialised "
            "model (early). The critic's head is fitted to what each pays before the policy moves. "
            f"`sample` is {SAMPLED}.",
            *self._from_each_start([f"reward-{reward}" for reward in REWARDS], "rewards"),
        ]

    def estimators(self) -> list[str]:
        """Without a critic."""
        names = ["reward-outcome", *(f"estimator-{name}" for name in ESTIMATORS)]
        return [
            "## Advantages: PPO's critic, or none",
            f"Outcome reward, {self.plan.choice.samples} episodes of each problem and as many "
            "under each, after expert iteration and from the initialised model (early). `outcome "
            "reward` has the critic (GAE).",
            *self._from_each_start(names, "estimators"),
        ]

    def _from_each_start(self, names: Sequence[str], picture: str) -> list[str]:
        return [
            part
            for prefix, start in STARTS.items()
            for part in self._choices(
                [prefix + name for name in names], f"{prefix}{picture}.png", start
            )
        ]

    def data(self) -> list[str]:
        """R4."""
        names = ["searched", "expert-data"]
        found = [
            sum(row["found"] for row in rows_of(root / "searched")) * self.plan.search.problems
            for root in self.roots.values()
        ]
        difference = self.scores.difference(("expert-data", GREEDY), ("searched", GREEDY))
        gains = [self.scores.difference((LINE[0], GREEDY), (name, GREEDY)) for name in names]
        return [
            "## R4: data from search, or from an expert",
            f"The initialised model goes on with the {' / '.join(f'{n:.0f}' for n in found)} "
            "solutions that its own search found, or with as many of an expert that knows a "
            f"shortest way from everywhere; {self.plan.search.epochs} passes over each. Search, "
            f"which needs no expert, gains {points(gains[0])}, the expert's data "
            f"{points(gains[1])}; search less expert: {points(difference)}.",
            *self._choices(names, "data.png", "initialised"),
        ]

    def parameters(self) -> list[str]:
        """R3."""
        names = [*LINE, "large", "large-long"]
        listed = [(name, strategy) for strategy in (GREEDY, SEARCH) for name in names]
        root = next(iter(self.roots.values()))
        rows = []
        for name in names:
            model = HFModel.load(str(root / name / MODEL))
            size = sum(parameter.numel() for parameter in model.network.parameters())
            line = names[: names.index(name) + 1] if name in LINE else [name]
            rows.append(
                [
                    self.stages[name].label,
                    f"{size / 1e6:.2f} M",
                    self._seconds(*line),
                    *(percent(self.scores.accuracy((name, s))) for s in (GREEDY, SEARCH)),
                ]
            )
        picture = self.out / "parameters.png"
        scores_picture(self.scores, listed, self._labels(), picture, self.over)
        header = ["model", "parameters", "seconds of training, in all", "greedy", "MCTS"]
        lines = []
        for name in ("large", "large-long"):
            for strategy in (GREEDY, SEARCH):
                d = self.scores.difference((name, strategy), ("trained", strategy))
                label = self.stages[name].label
                lines.append(f"- trained less {label}, {strategy}: {points(d)}.")
        return [
            "## R3: fewer parameters",
            f"![Accuracy of small and large models]({picture.name})",
            table(header, rows),
            "\n".join(lines),
        ]

    def behaviours(self) -> list[str]:
        """What is written, before and after."""
        runs = [self.scores.runs((name, GREEDY))[0] for name in STAGES]
        return ["## Behaviours", f"Seed {self.plan.seeds[0]}.", behaviour_table(runs), NOTE]

    def costs(self) -> list[str]:
        """Seconds of everything."""
        rows = [
            [stage.label, *(f"{seconds_of(root / name):.0f}" for root in self.roots.values())]
            for name, stage in self.stages.items()
        ]
        header = ["stage", *(f"seed {seed}" for seed in self.roots)]
        note = "By the clock: stages made side by side (`--jobs`) take longer than alone."
        return ["## Seconds of training", note, table(header, rows)]

    # -- Parts -------------------------------------------------------------------------------

    def _seconds(self, *names: str) -> str:
        """What stages took together, seed by seed."""
        took = [seconds_of(*(root / name for name in names)) for root in self.roots.values()]
        return " / ".join(f"{seconds:.0f}" for seconds in took)

    def _labels(self) -> dict[str, str]:
        return {name: stage.label for name, stage in self.stages.items()}

    def _accuracies(self, listed: Sequence[Score]) -> str:
        families = self.scores.families
        rows = [
            [
                self.stages[name].label,
                strategy,
                percent(self.scores.accuracy((name, strategy))),
                *(percent(self.scores.accuracy((name, strategy), family)) for family in families),
            ]
            for name, strategy in listed
        ]
        return table(["stage", "strategy", "all", *families], rows, left=2)

    def _choices(self, names: Sequence[str], picture: str, start: str) -> list[str]:
        """A table and a picture of stages and what they go on from, with what all are scored
        with."""
        compared = list(dict.fromkeys((start, *names)))
        strategies = [
            s for s in (GREEDY, SAMPLE) if all(s in self.stages[n].strategies for n in compared)
        ]
        listed = [(name, strategy) for strategy in strategies for name in compared]
        scores_picture(self.scores, listed, self._labels(), self.out / picture, self.over)
        first = names[0]
        lines = [
            f"- {self.stages[name].label} less {self.stages[first].label}, {strategy}: "
            f"{points(self.scores.difference((first, strategy), (name, strategy)))}."
            for strategy in strategies
            for name in names[1:]
        ]
        parts = [f"![{picture.removesuffix('.png')}]({picture})", self._accuracies(listed)]
        return [*parts, "\n".join(lines)]
