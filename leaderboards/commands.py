"""The commands of `reason-board`: pack, verify, add, remove, render, check a submission."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from leaderboards import board, bundle, decisions, entries, submission, verify
from leaderboards.entries import NotAccepted
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
Entries = Annotated[Path, typer.Option("--entries", help="Folder of the entries.")]


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
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
) -> None:
    """Replay every recorded action and recompute the score; exit code 1 if refused."""
    result = verify.verify(path)
    if as_json:
        print(json.dumps({"accepted": result.accepted, **asdict(result)}, indent=2))
    else:
        show(result)
    if not result.accepted:
        raise typer.Exit(REFUSED)


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
    decision = entries.decide(entry, action, reason, folder)
    print(f"Decision {decision.number} of {decision.date}: {action} {entry}")


@app.command("check-submission")
def check_submission(
    base: Annotated[Path, typer.Option(help="Checkout of the branch that is asked to take it.")],
    head: Annotated[Path, typer.Option(help="Checkout with the submission; read, never run.")],
) -> None:
    """Verify a pull request that should add one entry and nothing else; exit code 1 if refused."""
    try:
        entry = submission.check_submission(base, head)
    except NotAccepted as error:
        show(error.result)
        print(f"Refused: {error}", file=sys.stderr)
        raise typer.Exit(REFUSED) from None
    except (Refused, FileExistsError) as error:
        print(f"Refused: {error}", file=sys.stderr)
        raise typer.Exit(REFUSED) from None
    show(entry.result)
    print(f"New entry: {entry.id}")


def show(result: Result) -> None:
    """Print a result for people: one line for each thing that a bundle says, with its name before
    it, so that no text of a stranger begins a line (a log's reader may take that for a command)."""
    if result.score is not None:
        score, accuracy = result.score, result.score.accuracy
        for key, value in {
            "suite": result.suite,
            "player": " ".join(filter(None, [result.player, result.label])),
            "strategy": result.strategy or "agent",
            "division": result.division,
            "accuracy": f"{accuracy.value:.1%}, 95 % interval {accuracy.low:.1%} to "
            f"{accuracy.high:.1%} ({score.solved} of {score.episodes})",
            "tokens": f"{score.tokens:.0f} per problem, budget {result.budget_tokens or 'none'}",
            "tier": f"{result.tier}: the actions earn this score; who chose them is not proved",
        }.items():
            print(f"{key:10}{value}")
    for note in result.notes:
        print(f"note: {note}")
    for discrepancy in result.discrepancies:
        print(discrepancy)
    print("ACCEPTED" if result.accepted else "REFUSED")
