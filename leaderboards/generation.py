"""Write the episodes of a claim again, with what the operator says wrote them, and compare."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from agents.agent import load_agent
from agents.search import strategy_names
from benchmarks.executors import local
from benchmarks.findings import Finding
from benchmarks.players import Player, PlayerSpec, Searcher, load_writer
from benchmarks.preparation import check_arguments, prepare, search_seed
from benchmarks.records import EpisodeRecord
from benchmarks.runner import CHUNK, score
from leaderboards import strict
from leaderboards.claims import Claim
from leaderboards.files import EPISODES, RUN
from leaderboards.strict import Refused, shown

if TYPE_CHECKING:
    from agents.models.base import Completion, LanguageModel, Tokens

SLACK = 10_000
"""Tokens that an episode may take beyond what is recorded: who claims a huge budget shall not keep
a machine busy for ever."""


@dataclass(frozen=True, slots=True)
class Source:
    """What the operator says wrote a bundle; nothing is loaded because a bundle names it.

    Attributes:
        model: directory or hub id of the published weights, or a model that is loaded already;
            either this or `agent`.
        reward_model: likewise of the model that served the guide, if the run names one.
        agent: `random`, `expert`, or `package.module:make`, which is imported.
    """

    model: str | Path | LanguageModel | None = None
    reward_model: str | Path | LanguageModel | None = None
    agent: str | None = None


class Difference(NamedTuple):
    """An episode that came out otherwise; `kind` is `lines` or `search`: what was written,
    or only what the search for it spent."""

    kind: str
    finding: Finding


def differences(
    claim: Claim, records: Sequence[EpisodeRecord], source: Source, drawn: Sequence[int]
) -> Iterator[Difference]:
    """What the source writes otherwise than was recorded.

    Raises:
        Refused: the source is another than the run names, or cannot be run as it says.
        FileNotFoundError, ValueError: the source cannot be loaded.
    """
    player, run_seed = _player(claim, source)
    items = [claim.problems.items[index] for index in drawn]
    pairs = [(item, search_seed(run_seed, item)) for item in items]
    chunks = [pairs[start : start + CHUNK] for start in range(0, len(pairs), CHUNK)]
    if isinstance(player, Searcher):
        most = sum(records[i].ledger["generated_tokens"] + SLACK for i in drawn)
        player = replace(player, model=cast("LanguageModel", _Metered(player.model, most)))
    try:
        for batch in local(player)(chunks, ()):
            for item, played in batch.pairs:
                recorded, again = records[item.index], score(item, played)
                where = f"{EPISODES}, episode {item.index}"
                if detail := _other_lines(recorded, again):
                    yield Difference("lines", Finding("not-regenerated", where, detail))
                elif detail := _other_field(recorded, again, "ledger"):
                    yield Difference("search", Finding("not-regenerated", where, detail))
    except Refused:
        raise
    except Exception as error:  # some settings are only looked at here
        raise _cannot_run(error) from error


def _player(claim: Claim, source: Source) -> tuple[Player, int]:
    """The source as the claim says that it was run, and the seed of its sampling."""
    spec, seed = _spec(claim, source)
    try:
        check_arguments(spec, seed=seed)
        player, config, defaults = prepare(spec, claim.problems, seed)
    except Exception as error:  # settings of a stranger
        raise _cannot_run(error) from error
    for what, ours, theirs in (
        ("config", config, claim.config),
        ("defaults", defaults, claim.defaults),
    ):
        for key in sorted({*ours, *theirs} - {"suite"}):
            one, other = theirs.get(key), ours.get(key)
            # As text: 1 == True == 1.0 in Python, but not in JSON.
            if json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True):
                code = "wrong-model" if key in ("model_digest", "agent") else "wrong-settings"
                raise Refused(
                    code,
                    f"{RUN}: {what}.{key} is {shown(one)}, but what was run here has "
                    f"{shown(other)}",
                )
    return player, seed


def _spec(claim: Claim, source: Source) -> tuple[PlayerSpec, int]:
    """The same as a spec; the source is loaded, so that what fails later is the claim's fault."""
    config = claim.config
    named = config["agent"]
    if (named is None) != (source.agent is None):
        played = "a model" if named is None else f"the agent {shown(named)}"
        raise Refused("wrong-model", f"{RUN}: this is a run of {played}")
    seed = strict.whole(config.get("seed"), f"{RUN}: seed")
    if source.agent is not None:
        load_agent(source.agent)
        return PlayerSpec(agent=source.agent, prompt=config.get("prompt")), seed
    options = dict(config["options"])
    guide, critic = options.pop("guide", None), options.pop("reward_model", None)
    if (critic is None) != (source.reward_model is None):
        used = "no reward model" if critic is None else f"a reward model, {shown(critic)}"
        raise Refused("wrong-model", f"{RUN}: this is a run with {used}")
    assert source.model is not None
    return (
        PlayerSpec(
            load_writer(source.model),
            strict.one_of(config["strategy"], f"{RUN}: strategy", strategy_names()),
            options,
            config["budget_tokens"],
            guide,
            None if source.reward_model is None else load_writer(source.reward_model),
            prompt=config.get("prompt"),
            line_tokens=config.get("line_tokens"),
        ).within(claim.problems.suite),  # no run is without the suite's limits
        seed,
    )


class _Metered:
    """A model that stops where an honest run cannot be, whatever the budget."""

    def __init__(self, model: LanguageModel, most: int) -> None:
        self._model, self._most, self._left = model, most, most

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def generate(self, prefixes: Sequence[Tokens], **options: Any) -> list[Completion]:
        if len(prefixes) > self._left:  # each takes one at least
            detail = f"{RUN}: run as it says, it takes over {self._most} tokens, {SLACK} an episode"
            raise Refused("not-regenerated", f"{detail} more than it records")
        found = self._model.generate(prefixes, **options)
        self._left -= sum(completion.cost for completion in found)
        return found


def _cannot_run(error: Exception) -> Refused:
    return Refused("cannot-run", f"{RUN}: {type(error).__name__}: {shown(str(error), 200)}")


def _other_lines(recorded: EpisodeRecord, again: EpisodeRecord) -> str:
    """The first thing in which what was written differs; empty if in nothing."""
    for number, (one, other) in enumerate(zip_longest(recorded.tokens, again.tokens), 1):
        for place, (token, other_token) in enumerate(zip_longest(one or (), other or ()), 1):
            if token != other_token:
                return (
                    f"line {number}, token {place}: {_name(token)} recorded, "
                    f"{_name(other_token)} generated"
                )
    fields = ("actions", "status", "division")
    return next(filter(None, (_other_field(recorded, again, name) for name in fields)), "")


def _other_field(recorded: EpisodeRecord, again: EpisodeRecord, name: str) -> str:
    one, other = getattr(recorded, name), getattr(again, name)
    return "" if one == other else f"{name}: {shown(one)} recorded, {shown(other)} generated"


def _name(token: int | None) -> str:
    return "the end" if token is None else str(token)
