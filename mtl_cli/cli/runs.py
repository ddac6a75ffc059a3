"""`mtl runs`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtl_cli.cli.common import Debug, Trust

if TYPE_CHECKING:
    from mtl_cli.analysis.collect import RunRecord

app = typer.Typer(help="Look at run folders.", no_args_is_help=True, rich_markup_mode=None)


@app.command("ls")
def ls(
    folder: Annotated[str | None, typer.Argument(help="Folder of runs; MTL_OUTPUTS or ./outputs if not given.")] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns",
            "-c",
            help="Comma-separated: run, status, mean, TASK, TASK/METRIC, steps, seconds, any config key.",
        ),
    ] = None,
    sort: Annotated[
        str | None, typer.Option("--sort", "-s", help="Column to sort by; -COLUMN for the largest first.")
    ] = None,
    pareto: Annotated[
        bool,
        typer.Option(
            "--pareto", help="Mark runs that no other beats on every task (*), and the one with the best mean."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON list.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV.")] = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """One table over run folders: what differs between them, and their scores.

    Scores are per cent in the table and fractions in --json and --csv.
    """
    from mtl_cli.analysis.collect import collect, default_columns
    from mtl_cli.analysis.pareto import marked
    from mtl_cli.config.paths import outputs_dir
    from mtl_cli.errors import ConfigError

    if as_json and as_csv:
        raise ConfigError("give --json or --csv, not both")
    runs = collect(Path(folder) if folder else outputs_dir())
    if pareto:
        runs = marked(runs)
    chosen = [name.strip() for name in columns.split(",")] if columns else default_columns(runs)
    if pareto and "front" not in chosen:
        chosen.append("front")
    _check_columns([*chosen, *([sort.removeprefix("-")] if sort else [])], runs)
    if sort:
        runs = _sorted(runs, sort)
    typer.echo(_rendered(runs, chosen, as_json, as_csv))


@app.command("show")
def show(
    run: Annotated[str, typer.Argument(help="A run folder.")],
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Print a run's summary as JSON."""
    import json
    import os

    from mtl_cli.errors import RunError
    from mtl_cli.runs.folder import read_config
    from mtl_cli.runs.formats import read_summary

    path = Path(run)
    read_config(path)
    if not os.path.lexists(path / "summary.json"):
        raise RunError(f"{path} is not finished: it has no summary.json yet")
    typer.echo(json.dumps(read_summary(path).raw, indent=2, ensure_ascii=False))


@app.command("compare")
def compare(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="Run folders, or folders of runs such as a series or a sweep.")
    ],
    baseline: Annotated[
        list[str] | None,
        typer.Option(
            "--baseline",
            "-b",
            metavar="FOLDER",
            help="Runs to compare with; those that baselines=true made if not given.",
        ),
    ] = None,
    bootstrap: Annotated[int, typer.Option("--bootstrap", min=100, help="Resamples for the intervals.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the resampling.")] = 0,
    trust: Trust = False,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON list.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV.")] = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Runs beside single-task baselines: delta, 95 % interval and a verdict for each task and their mean.

    Runs that differ in the seed alone are one group. better or worse: the interval, a paired bootstrap over validation rows
    and seeds, lies on one side of 0. Scores are per cent in the table and fractions in --json and --csv.
    """
    import json

    from mtl_cli.errors import ConfigError
    from mtl_cli.report.console import setup_messages

    if as_json and as_csv:
        raise ConfigError("give --json or --csv, not both")
    setup_messages()
    from mtl_cli.analysis.paired import Resampling
    from mtl_cli.recipes.studies.compare import compare_runs
    from mtl_cli.report.verdicts import verdict_csv, verdict_json, verdict_table
    from mtl_cli.runs.files import plain

    found = compare_runs(
        [Path(run) for run in runs], [Path(b) for b in baseline or []], Resampling(bootstrap, seed), trust=trust
    )
    if as_json:
        typer.echo(json.dumps(plain(verdict_json(found)), ensure_ascii=False, indent=2))
    else:
        typer.echo(verdict_csv(found) if as_csv else verdict_table(found))


@app.command("clean")
def clean(
    folder: Annotated[str | None, typer.Argument(help="A run, or a folder of runs; MTL_OUTPUTS or ./outputs.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List it, and remove nothing.")] = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Remove what killed processes left: half-written files, checkpoints and encoded rows, optimiser states of finished runs.

    Runs that are in use and files that mtl did not write stay; links are not followed. Standard output lists what goes.
    """
    from mtl_cli.config.paths import cache_dir, outputs_dir
    from mtl_cli.runs.clean import clean as clean_runs
    from mtl_cli.runs.clean import clean_cache

    root = Path(folder) if folder else outputs_dir()
    found = clean_runs(root, dry_run, lambda text: typer.echo(text, err=True))
    found += clean_cache(cache_dir(), dry_run)
    for path in found:
        typer.echo(path)
    if not found:
        typer.echo(f"nothing to remove in {root}", err=True)


def table(folder: Path, *, pareto: bool = False) -> str:
    """The runs of a folder with their default columns; with `pareto`, marked as `mtl runs ls --pareto` does it."""
    from mtl_cli.analysis.collect import collect, default_columns
    from mtl_cli.analysis.pareto import marked

    runs = marked(collect(folder)) if pareto else collect(folder)
    columns = default_columns(runs)
    if pareto:
        columns.append("front")
    return _rendered(runs, columns, as_json=False, as_csv=False)


def _check_columns(columns: list[str], runs: list[RunRecord]) -> None:
    from mtl_cli.errors import ConfigError, Fault, did_you_mean

    known = {"run", "status", "front", "note", "steps", "seconds", "mean", "mean of", "undefined"}
    for record in runs:
        known |= set(record.scores) | set(record.config) | set(record.extra)
    faults = [
        Fault("", f"no run has a column '{name}'. {did_you_mean(name, known)}") for name in columns if name not in known
    ]
    if faults and runs:
        raise ConfigError(faults)


def _sorted(runs: list[RunRecord], sort: str) -> list[RunRecord]:
    """Numbers before texts, with `-` the other way round; runs without the value last either way."""
    column, down = sort.removeprefix("-"), sort.startswith("-")
    have = [r for r in runs if r.cell(column) is not None]

    def key(record: RunRecord) -> tuple[bool, float, str]:
        value: Any = record.cell(column)
        return (False, value, "") if isinstance(value, int | float) else (True, 0.0, str(value))

    have.sort(key=key, reverse=down)
    return have + [r for r in runs if r.cell(column) is None]


def _rendered(runs: list[RunRecord], columns: list[str], as_json: bool, as_csv: bool) -> str:
    import csv
    import io
    import json

    from mtl_cli.report.table import text_table

    if as_json:
        return json.dumps([{c: r.cell(c) for c in columns} for r in runs], ensure_ascii=False, indent=2, default=str)
    if as_csv:
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([["" if r.cell(c) is None else r.cell(c) for c in columns] for r in runs])
        return stream.getvalue().rstrip("\n")
    return text_table(columns, [[_cell(r, c) for c in columns] for r in runs]) if runs else "no runs yet"


def _cell(record: RunRecord, column: str) -> str:
    from mtl_cli.report.table import shown

    value: Any = record.cell(column)
    if value is None:
        return "-"
    if column in record.scores:
        task, _, metric = column.partition("/")
        metric = metric.rpartition("/")[2] or _metric_of(record, task)
        return shown(metric, value)
    if isinstance(value, float):
        return f"{value:g}" if column in record.config else f"{value:.1f}"
    return str(value)


def _metric_of(record: RunRecord, task: str) -> str:
    """A metric that says in which unit a task's score is."""
    entry = record.summary.tasks.get(task) if record.summary is not None else None
    return entry.metrics[0].metric if entry is not None and entry.metrics else "accuracy"
