"""A side of a comparison: one run, or several that differ only in their seeds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.metrics import families
from benchmarks.records import EpisodeRecord
from benchmarks.run_folder import Run, load_run

Model = tuple[str | None, str | None]
"""Digests of a run's model and of its reward model; None where it has none."""


@dataclass(frozen=True, slots=True)
class Side:
    """Runs of one suite, played alike with several seeds.

    Seeds are of sampling where the model is the same, and of training where it is not; a side may
    have both.

    Raises:
        ValueError: no run, or runs that differ in more than seed and model, or in neither.
    """

    runs: tuple[Run, ...] = field(repr=False)

    def __post_init__(self) -> None:
        if not self.runs:
            raise ValueError("A side of a comparison needs at least one run")
        first = self.runs[0]
        known = {_replicate(first): first}
        for run in self.runs[1:]:
            if different := _differences(first, run):
                raise ValueError(
                    f"{first.folder} and {run.folder} cannot be one side: they differ in "
                    f"{'; '.join(different)}; its runs may differ only in their seed and model"
                )
            twin = known.setdefault(_replicate(run), run)
            if twin is not run:
                raise ValueError(
                    f"{twin.folder} and {run.folder} have the same model and the same seed "
                    f"({run.manifest.config['seed']}): a side's runs differ in one or both"
                )

    @property
    def name(self) -> str:
        """How reports call it: as its run, without the seed if there are several."""
        first = self.runs[0]
        if len(self.runs) == 1:
            return first.name
        config = {**first.manifest.config, "seed": 0}
        plain = replace(first, manifest=replace(first.manifest, config=config))
        stages = dict.fromkeys(run.stage for run in self.runs)
        return f"{', '.join(stages)} / {plain.strategy}, {len(self.runs)} runs"

    @property
    def division(self) -> str:
        """`oracle` if any run is."""
        return "oracle" if any(run.division == "oracle" for run in self.runs) else "open"

    @property
    def models(self) -> tuple[Model, ...]:
        """The model of each run."""
        return tuple(_model(run) for run in self.runs)

    @property
    def accuracy(self) -> float:
        """Share solved, over all runs."""
        return self._mean(lambda episode: episode.solved)

    @property
    def tokens(self) -> float:
        """Generated tokens per problem, over all runs."""
        return self._mean(lambda episode: episode.ledger["generated_tokens"])

    @property
    def errors(self) -> float:
        """Episodes that ended in an error, per run."""
        per_problem = self._mean(lambda episode: episode.status == "error")
        return per_problem * len(self.runs[0].episodes)

    @property
    def episodes(self) -> list[Sequence[EpisodeRecord]]:
        """Episodes of each run."""
        return [run.episodes for run in self.runs]

    def families(self) -> dict[str, list[Sequence[EpisodeRecord]]]:
        """Episodes of each run by family and level (`metrics.families`)."""
        groups = [families(run.episodes) for run in self.runs]
        return {name: [group[name] for group in groups] for name in groups[0]}

    def _mean(self, number: Callable[[EpisodeRecord], float]) -> float:
        values = [number(episode) for run in self.runs for episode in run.episodes]
        return sum(values) / len(values)


def load_side(folders: str | Path) -> Side:
    """A side from a run folder, or from several with commas between them.

    Raises:
        FileNotFoundError: not a run folder.
        ValueError: an unfinished run, or runs that are not one side.
    """
    text = str(folders)
    # A folder's own name may have a comma.
    names = [text] if Path(text).exists() else [name.strip() for name in text.split(",")]
    if not all(names):
        raise ValueError(f"Expected run folders with commas between them, received {text!r}")
    return Side(tuple(load_run(name) for name in names))


def side_of(runs: Run | Iterable[Run] | Side) -> Side:
    """The side that a run, or several, are."""
    if isinstance(runs, Side):
        return runs
    return Side((runs,) if isinstance(runs, Run) else tuple(runs))


def _model(run: Run) -> Model:
    config = run.manifest.config
    return config["model_digest"], config["options"].get("reward_model")


def _replicate(run: Run) -> tuple[Model, int]:
    """What tells the runs of a side apart."""
    return _model(run), run.manifest.config["seed"]


def _differences(first: Run, second: Run) -> list[str]:
    """Settings of two runs that are not the same, seed and model left out."""
    one, two = _settings(first), _settings(second)
    keys = [key for key in {**one, **two} if one.get(key) != two.get(key)]
    if "suite_hash" in keys:
        keys = [key for key in keys if key not in ("suite", "limit")]
    return [f"{key} ({_short(one.get(key))} and {_short(two.get(key))})" for key in keys]


def _settings(run: Run) -> dict[str, Any]:
    config = dict(run.manifest.config)
    for key in ("seed", "model_digest"):
        config.pop(key)
    options = {k: v for k, v in config["options"].items() if k != "reward_model"}
    return {**config, "options": options, "defaults": dict(run.manifest.defaults)}


def _short(value: Any) -> str:
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= 60 else f"{text[:57]}..."
