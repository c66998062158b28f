"""Commands of `reason-bench`. Needs typer and rich (extra `bench`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agents.agent import AGENTS
from benchmarks.compare import compare, judge
from benchmarks.metrics import families, summarise
from benchmarks.run_folder import Run
from benchmarks.sides import load_side
from benchmarks.suite import load_suite, resolve, suite_names
from benchmarks.tables import percent
from reason_env import make_task

if TYPE_CHECKING:
    from agents.models.server_config import ServerConfig

app = typer.Typer(
    name="reason-bench",
    help="Score language models and agents on reasoning environments.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.command()
def run(
    suite: Annotated[str, typer.Argument(help="Name (see `list`) or path of a JSON file.")],
    out: Annotated[
        Path | None, typer.Option(help="Run folder; the same command resumes it.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Folder of a saved model, a hub id, or a server (http://HOST:PORT/v1#MODEL)."
        ),
    ] = None,
    strategy: Annotated[str, typer.Option(help="How the model searches.")] = "greedy",
    option: Annotated[
        list[str] | None, typer.Option(help="A setting of the strategy: simulations=32.")
    ] = None,
    guide: Annotated[
        str | None,
        typer.Option(
            help="Who values what the search finds: policy, value, prm, public, oracle, or a sum "
            "such as 0.5*value+0.5*prm. [default: the best open guide]"
        ),
    ] = None,
    reward_model: Annotated[
        str | None,
        typer.Option(help="Model that serves the guides value and prm. [default: the model]"),
    ] = None,
    agent: Annotated[
        str | None,
        typer.Option(help="In place of a model: random, expert, or package.module:make."),
    ] = None,
    budget_tokens: Annotated[
        int | None, typer.Option(help="Generated tokens per problem. [default: the suite's]")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(help="At most so many episodes of each entry of the suite.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all sampling; problems do not depend on it.")] = 0,
    label: Annotated[str, typer.Option(help="The stage's name in reports.")] = "",
    chunk: Annotated[
        int, typer.Option(help="Problems searched at once; changes only the speed.")
    ] = 64,
    shard: Annotated[
        str | None, typer.Option(help="I/N: only every N-th episode from the I-th on; see `merge`.")
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(help="How problems are put: compact or verbose. [default: the suite's]"),
    ] = None,
    line_tokens: Annotated[
        int | None, typer.Option(help="Most tokens of a line. [default: the suite's, else 64]")
    ] = None,
    trees: Annotated[
        int, typer.Option(help="Search trees kept of so many episodes of each entry.")
    ] = 3,
    executor: Annotated[
        str, typer.Option(help="local, or ray: on a cluster; records are the same.")
    ] = "local",
    workers: Annotated[
        int | None, typer.Option(help="Of a cluster, one core each. [default: all cores]")
    ] = None,
    preflight: Annotated[
        bool, typer.Option("--preflight", help="Estimate time, tokens and cost; record nothing.")
    ] = False,
    concurrency: Annotated[
        int | None, typer.Option(help="For a server: requests under way at once. [default: 16]")
    ] = None,
    requests_per_minute: Annotated[
        float | None, typer.Option(help="For a server: most requests in a minute.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(help="For a server: seconds for an answer. [default: 120]")
    ] = None,
    retries: Annotated[
        int | None, typer.Option(help="For a server: more tries of a failed request. [default: 6]")
    ] = None,
    interface: Annotated[
        str | None, typer.Option(help="For a server: completions, chat or auto. [default: auto]")
    ] = None,
    prices: Annotated[
        str | None, typer.Option(help="For a server: a JSON table of prices, in place of ours.")
    ] = None,
) -> None:
    """Play a suite and record every action; killed, it goes on where it stopped."""
    from benchmarks.preflight import estimate
    from benchmarks.runner import run_suite

    arguments: dict[str, Any] = {
        "model": model,
        "strategy": strategy,
        "options": parse_options(option or []),
        "guide": guide,
        "reward_model": reward_model,
        "agent": agent,
        "budget_tokens": budget_tokens,
        "limit": limit,
        "shard": None if shard is None else parse_shard(shard),
        "prompt": prompt,
        "line_tokens": line_tokens,
        "seed": seed,
        "server": _server_config(
            concurrency=concurrency,
            requests_per_minute=requests_per_minute,
            timeout=timeout,
            retries=retries,
            interface=interface,
            prices=prices,
        ),
    }
    if preflight:
        _print(_table("Preflight", ["", ""], estimate(suite, **arguments).rows()))
        return
    if out is None:
        raise ValueError("A run needs a folder: name one with --out")
    finished = run_suite(
        suite,
        out,
        label=label,
        chunk=chunk,
        trees=trees,
        executor=executor,
        workers=workers,
        **arguments,
    )
    show_run(finished)


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, in the order of their stages.")],
    out: Annotated[Path, typer.Option(help="Folder for report.md, pictures and report.html.")],
    curve: Annotated[
        list[str] | None,
        typer.Option(help="A training run to draw: NAME=FOLDER, with its metrics.jsonl."),
    ] = None,
    key: Annotated[
        list[str] | None, typer.Option(help="A metric to draw. [default: six of them]")
    ] = None,
    title: Annotated[str, typer.Option(help="The report's heading.")] = "Report",
    transcripts: Annotated[
        int, typer.Option(help="Episodes of each run in report.html's viewer, at most.")
    ] = 50,
) -> None:
    """Tables and pictures of several runs, and a page to read their episodes line by line."""
    from benchmarks.report import PAGE, write_report

    curves = dict(_assignment(text, "--curve NAME=FOLDER") for text in curve or [])
    path = write_report(runs, out, curves=curves, keys=key, title=title, transcripts=transcripts)
    typer.echo(f"Report: {path}, and to look at: {path.with_name(PAGE)}")


@app.command(name="compare")
def compare_runs(
    first: Annotated[
        str, typer.Argument(help="Run folder to compare with; several with commas: its seeds.")
    ],
    second: Annotated[
        list[str], typer.Argument(help="Run folders to judge, each against the first.")
    ],
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            help="Exit with code 1 if accuracy falls by more points, or tokens (in %) or errors "
            "rise by more: accuracy:-2, tokens:+10, errors:0. May be given several times."
        ),
    ] = None,
    significant: Annotated[
        bool,
        typer.Option(
            "--significant", help="--fail-on only where the whole 95 % interval is beyond it."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, not tables.")] = False,
) -> None:
    """Is a run better than the first, on the same problems, and could it have been seen?"""
    from benchmarks.compare_report import notes, tables, to_json
    from benchmarks.thresholds import apply, parse_threshold

    thresholds = [parse_threshold(text) for text in fail_on or []]
    base = load_side(first)
    judged = judge([compare(base, load_side(folders)) for folders in second])
    verdicts = [apply(thresholds, one.comparison, significant) for one in judged]
    if as_json:
        typer.echo(json.dumps(to_json(judged, verdicts), indent=2, allow_nan=False))
    else:
        for shown in tables(judged):
            _print(_table(shown.title, list(shown.header), shown.rows))
        for note in notes(judged):
            Console().print(Text(f"Note: {note}", style="yellow"))
    failed = [verdict for mine in verdicts for verdict in mine if verdict.failed]
    for verdict in failed:
        typer.echo(verdict.message, err=True)
    if failed:
        raise typer.Exit(1)


@app.command(name="list")
def list_all() -> None:
    """Suites with their episodes and hash, strategies and agents."""
    from agents.search import strategy_names

    typer.echo("Suites:")
    for name in suite_names():
        suite = load_suite(name)
        resolved = resolve(suite)
        typer.echo(f"  {name} v{suite.version}, {len(resolved.items)} episodes, {resolved.hash}")
        typer.echo(f"    {suite.description}")
    typer.echo(f"Strategies: {', '.join(strategy_names())}")
    typer.echo(f"Agents: {', '.join(AGENTS)}, or package.module:make")


@app.command()
def envs(
    pattern: Annotated[str, typer.Argument(help="Only ids that hold this text.")] = "",
) -> None:
    """All environments: levels, verifier, what is verified, extras needed."""
    from benchmarks.showcase import environments

    header = ["id", "levels", "verifier", "checks", "extras"]
    rows = [
        [
            listed.id,
            str(listed.levels),
            listed.verifier,
            "lines" if listed.steps else "answer",
            ", ".join(listed.extras) or "-",
        ]
        for listed in environments(pattern)
    ]
    _print(_table(f"{len(rows)} environments", header, rows))
    typer.echo("Each also as -Token- and -Episode-. One episode: reason-bench show ID")


@app.command()
def show(
    env_id: Annotated[str, typer.Argument(metavar="ID", help="As in `envs`; a name will do.")],
    level: Annotated[int, typer.Option(help="Difficulty, from 1.")] = 1,
    seed: Annotated[int, typer.Option(help="Of the problem and of the expert.")] = 0,
    split: Annotated[str, typer.Option(help="train, dev or test.")] = "train",
    reward: Annotated[str, typer.Option(help="Preset: outcome, process or shaped.")] = "shaped",
    prompt: Annotated[str, typer.Option(help="compact or verbose.")] = "verbose",
    option: Annotated[
        list[str] | None,
        typer.Option(help="Any other setting of the environment: source=my.jsonl."),
    ] = None,
) -> None:
    """One problem, an expert's episode on it, and the verdict and reward of every line."""
    from benchmarks.showcase import showcase

    kwargs = {"level": level, "split": split, "reward": reward, "prompt": prompt}
    Console().print(showcase(env_id, seed, {**kwargs, **parse_options(option or [])}))


@app.command()
def audit(
    families: Annotated[list[str], typer.Argument(help="Names, as Countdown.")],
    problems: Annotated[int, typer.Option(help="Problems of each level.")] = 200,
    seed: Annotated[int, typer.Option(help="Of the problems.")] = 0,
) -> None:
    """What holds of families: expert, exploits against chance, potential, duplicates."""
    from benchmarks.audit import HEADER, audit_rows

    for name in families:
        rows = list(audit_rows(make_task(name), problems, seed))
        _print(_table(name, list(HEADER), rows))


def parse_options(texts: list[str]) -> dict[str, Any]:
    """`["simulations=32"]` -> `{"simulations": 32}`; values are JSON, else text.

    Raises:
        ValueError: no `=`, or a name given twice.
    """
    options: dict[str, Any] = {}
    for text in texts:
        name, value = _assignment(text, "--option NAME=VALUE")
        if name in options:
            raise ValueError(f"--option {name} is given twice")
        try:
            options[name] = json.loads(value)
        except ValueError:
            options[name] = value
    return options


def parse_shard(text: str) -> tuple[int, int]:
    """`2/4` -> `(2, 4)`.

    Raises:
        ValueError: not of this form (whether there is such a shard is for the runner to say).
    """
    first, sign, step = text.partition("/")
    if not (sign and first.isdecimal() and step.isdecimal()):
        raise ValueError(f"Expected --shard I/N, as 1/4, received {text!r}")
    return int(first), int(step)


def _server_config(**given: Any) -> ServerConfig | None:
    """How a server is asked, where anything of it was given."""
    from agents.models.server_config import ServerConfig

    settings = {name: value for name, value in given.items() if value is not None}
    return ServerConfig(**settings) if settings else None


def _assignment(text: str, form: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not (name and sign and value):
        raise ValueError(f"Expected {form}, received {text!r}")
    return name, value


def show_run(finished: Run) -> None:
    """The outcome, and where it lies."""
    groups = families(finished.episodes)
    parts = [*groups.items()] if len(groups) > 1 else []
    rows = []
    for name, episodes in [("all", finished.episodes), *parts]:
        s = summarise(episodes)
        rows.append([name, f"{s.solved}/{s.episodes}", percent(s.wilson), f"{s.tokens:.1f}"])
    header = ["", "solved", "accuracy [95 % Wilson]", "tokens each"]
    _print(_table(f"{finished.name} ({finished.division})", header, rows))
    manifest = finished.manifest
    if manifest.unfinished or manifest.errors:
        typer.echo(
            f"Counted as not solved: {manifest.unfinished} unfinished, {manifest.errors} errors"
        )
    errors = [episode for episode in finished.episodes if episode.error]
    for episode in errors[:3]:
        message = f"episode {episode.index}: {episode.error}"
        Console(stderr=True, soft_wrap=True).print(Text(message, style="yellow"))
    if manifest.usage:
        typer.echo(
            "Server: " + ", ".join(f"{key} {value}" for key, value in manifest.usage.items())
        )
    typer.echo(f"Run: {finished.folder}")


def _table(title: str, header: list[str], rows: list[list[str]]) -> Table:
    table = Table(title=Text(title), title_justify="left", box=SIMPLE_HEAD)
    for number, name in enumerate(header):
        table.add_column(name, justify="left" if number == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def _print(table: Table) -> None:
    Console().print(table)
