"""The commands of `reason-board`: pack, verify, add, remove, render, check a submission."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from leaderboards import board, bundle, decisions, entries, submission, verify
from leaderboards import regenerate as regeneration
from leaderboards.board import TIERS
from leaderboards.commitments import Commitment
from leaderboards.entries import NotAccepted
from leaderboards.generation import Source
from leaderboards.regenerate import SAMPLE
from leaderboards.round_commands import app as round_app
from leaderboards.rounds import ROUNDS
from leaderboards.strict import Refused
from leaderboards.verify import Result

REFUSED = 1
"""Exit code for a bundle that does not pass."""

app = typer.Typer(
    help="Pack runs, verify bundles by replay, and render the leaderboard.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(round_app, name="round")
Entries = Annotated[Path, typer.Option("--entries", help="Folder of the entries.")]
Model = Annotated[
    str | None,
    typer.Option(help="Folder or hub id of the published weights: generate episodes again."),
]
RewardModel = Annotated[
    str | None, typer.Option(help="Likewise of the model that served the guide.")
]
Agent = Annotated[
    str | None,
    typer.Option(help="In place of a model: random, expert, or package.module:make (imported!)."),
]
Sample = Annotated[int, typer.Option(help="Episodes that are generated again, drawn at random.")]
Rerun = Annotated[bool, typer.Option("--rerun", help="Generate all of them again.")]
SampleSeed = Annotated[
    int | None, typer.Option(help="Of the draw, to repeat one. [default: a new one each time]")
]


@app.command()
def pack(
    run: Annotated[Path, typer.Argument(help="A finished run folder of `reason-bench run`.")],
    out: Annotated[Path, typer.Argument(help="NAME.tar.gz, or a new directory.")],
    name: Annotated[str, typer.Option(help="Who submits it; shown on the board.")],
    link: Annotated[str, typer.Option(help="An https address, or empty.")] = "",
    notes: Annotated[str, typer.Option(help="How to repeat the run.")] = "",
) -> None:
    """Make a bundle of a finished run, without machine paths."""
    print(f"Packed: {bundle.pack(run, out, bundle.Submitter(name, link, notes))}")


@app.command("verify")
def verify_command(
    path: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Directory or .tar.gz.")],
    model: Model = None,
    reward_model: RewardModel = None,
    agent: Agent = None,
    sample: Sample = SAMPLE,
    rerun: Rerun = False,
    sample_seed: SampleSeed = None,
    rounds: Annotated[Path, typer.Option(help="Folder of the sealed rounds.")] = ROUNDS,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
) -> None:
    """Replay every recorded action and recompute the score; exit code 1 if refused."""
    source = _source(model, reward_model, agent)
    if source is None and (rerun or sample_seed is not None or sample != SAMPLE):
        raise ValueError("To generate episodes again, name what wrote them: --model or --agent")
    if source is None:
        result = verify.verify(path, rounds)
    else:
        result = regeneration.regenerate(
            path, source, sample=None if rerun else sample, seed=sample_seed, rounds=rounds
        )
    if as_json:
        print(json.dumps({"accepted": result.accepted, **asdict(result)}, indent=2))
    else:
        show(result)
    if not result.accepted:
        raise typer.Exit(REFUSED)


@app.command()
def regenerate(
    entry: Annotated[str, typer.Argument(help="Id of an entry: the name of its folder.")],
    model: Model = None,
    reward_model: RewardModel = None,
    agent: Agent = None,
    sample: Sample = SAMPLE,
    rerun: Rerun = False,
    sample_seed: SampleSeed = None,
    folder: Entries = entries.ENTRIES,
) -> None:
    """Generate episodes of an entry again from its weights; its tier rises if they come out the
    same, but for the few that rounding explains."""
    source = _source(model, reward_model, agent) or Source()
    try:
        result, decision = regeneration.raise_tier(
            entry, source, folder, sample=None if rerun else sample, seed=sample_seed
        )
    except NotAccepted as error:
        show(error.result)
        print(error, file=sys.stderr)
        raise typer.Exit(REFUSED) from None
    show(result)
    _announce(decision)


def _source(model: str | None, reward_model: str | None, agent: str | None) -> Source | None:
    given = (model, reward_model, agent)
    return Source(*given) if any(value is not None for value in given) else None


@app.command()
def add(
    path: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Directory or .tar.gz.")],
    folder: Entries = entries.ENTRIES,
    partial: Annotated[
        bool, typer.Option("--partial", help="Accept a run of part of a suite too.")
    ] = False,
) -> None:
    """Verify a bundle and add it to the entries; nothing is overwritten."""
    try:
        added = entries.add_entry(path, folder, partial=partial)
    except NotAccepted as error:
        show(error.result)
        print(f"Not added: {error}", file=sys.stderr)
        raise typer.Exit(REFUSED) from None
    print(f"Added: {added}")
    if shared := entries.overlap(added):
        print(f"note: {shared}")


@app.command()
def render(
    out: Annotated[Path, typer.Argument(help="Folder for the pages.")] = Path("build/board"),
    folder: Entries = entries.ENTRIES,
) -> None:
    """Verify all entries again and write the board as static pages."""
    print(f"Board: {board.render(folder, out)}")


@app.command()
def remove(
    entry: Annotated[str, typer.Argument(help="Id of an entry: the name of its folder.")],
    reason: Annotated[str, typer.Option(help="For the public; shown on the board.")],
    folder: Entries = entries.ENTRIES,
) -> None:
    """Take an entry off the board; its folder and its id stay, and the decision is logged."""
    _decide(entry, decisions.REMOVE, reason, folder)


@app.command()
def reinstate(
    entry: Annotated[str, typer.Argument(help="Id of an entry that was removed.")],
    reason: Annotated[str, typer.Option(help="For the public; shown on the board.")],
    folder: Entries = entries.ENTRIES,
) -> None:
    """Put a removed entry back on the board; the decision is logged."""
    _decide(entry, decisions.REINSTATE, reason, folder)


def _decide(entry: str, action: str, reason: str, folder: Path) -> None:
    _announce(entries.decide(entry, action, reason, folder))


def _announce(decision: decisions.Decision) -> None:
    print(
        f"Decision {decision.number} of {decision.date}: {decision.action} {decision.entry} "
        f"({decision.reason})"
    )


@app.command("check-submission")
def check_submission(
    base: Annotated[Path, typer.Option(help="Checkout of the branch that is asked to take it.")],
    head: Annotated[Path, typer.Option(help="Checkout with the submission; read, never run.")],
) -> None:
    """Verify a pull request that should add one entry, or one commitment, and nothing else; exit
    code 1 if refused."""
    try:
        new = submission.check_submission(base, head)
    except NotAccepted as error:
        show(error.result)
        print(f"Refused: {error}", file=sys.stderr)
        raise typer.Exit(REFUSED) from None
    except (Refused, FileExistsError) as error:
        print(f"Refused: {error}", file=sys.stderr)
        raise typer.Exit(REFUSED) from None
    if isinstance(new, Commitment):
        print(f"New commitment: {new.submitter} to {new.digest}")
    else:
        show(new.result)
        print(f"New entry: {new.id}")


def show(result: Result) -> None:
    """Print a result for people: one line for each thing that a bundle says, with its name before
    it, so that no text of a stranger begins a line (a log's reader may take that for a command)."""
    if result.score is not None:
        score, accuracy = result.score, result.score.accuracy
        for key, value in {
            "suite": result.suite,
            "player": " ".join(filter(None, [result.player, result.label])),
            "strategy": result.strategy or "agent",
            **({"commitment": result.commitment} if result.commitment else {}),
            "division": result.division,
            "accuracy": f"{accuracy.value:.1%}, 95 % interval {accuracy.low:.1%} to "
            f"{accuracy.high:.1%} ({score.solved} of {score.episodes})",
            "tokens": f"{score.tokens:.0f} per problem, budget {result.budget_tokens or 'none'}",
            "tier": f"{result.tier}: {TIERS[result.tier]}",
        }.items():
            print(f"{key:12}{value}")
    for note in result.notes:
        print(f"note: {note}")
    for discrepancy in result.discrepancies:
        print(discrepancy)
    print("ACCEPTED" if result.accepted else "REFUSED")
