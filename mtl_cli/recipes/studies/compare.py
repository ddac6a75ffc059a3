"""`mtl runs compare`: run folders -> groups, their baselines, verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from mtl_cli.analysis.paired import Comparison, Resampling, TaskScoring, compare
from mtl_cli.analysis.seeds import FinishedRun, Group, grouped, open_runs
from mtl_cli.assemble.tasks import bind_tasks
from mtl_cli.config.convert import convert
from mtl_cli.config.schema import TaskConfig
from mtl_cli.config.trust import untrusted
from mtl_cli.errors import ConfigError, Fault, listed
from mtl_cli.recipes.studies.baselines import find_baselines


def compare_runs(
    runs: Sequence[Path], baselines: Sequence[Path], how: Resampling, *, trust: bool = False
) -> list[Comparison]:
    """Compare runs, grouped over seeds, with their baselines.

    Args:
        runs: run folders, or folders of runs.
        baselines: the same; if none are given, those that the runs were trained with, else those in the outputs folder.
        how: resampling.
        trust: whether code that the configs of the runs name may run (`config.trust`).

    Raises:
        ConfigError: what is asked cannot be compared, or a config names code and is not trusted.
    """
    opened = open_runs(runs)
    against = open_runs(baselines) if baselines else None
    if against is not None:
        _check_apart(opened, against)
    if not trust and (faults := [f for run in [*opened, *(against or ())] for f in untrusted(run.config, run.path)]):
        raise ConfigError(faults)
    groups = grouped(opened)
    given = None if against is None else _by_task(against)
    return [compare(group, _baselines(group, given), _scorings(group), how) for group in groups]


def _check_apart(runs: Sequence[FinishedRun], baselines: Sequence[FinishedRun]) -> None:
    """Raise `ConfigError` if a run is its own baseline: every delta would be 0, and look like a finding."""
    own = {run.path.resolve() for run in runs}
    twice = [str(one.path) for one in baselines if one.path.resolve() in own]
    if twice:
        both = f"{listed(twice)} is both a run and a baseline, so its delta would be 0"
        raise ConfigError([Fault("--baseline", f"{both}. Give other runs to compare with")])


def _by_task(runs: Sequence[FinishedRun]) -> dict[str, list[FinishedRun]]:
    return {
        task: [run for run in runs if task in run.tasks] for task in dict.fromkeys(t for run in runs for t in run.tasks)
    }


def _baselines(group: Group, given: Mapping[str, list[FinishedRun]] | None) -> Mapping[str, list[FinishedRun]]:
    if given is not None:
        return given
    found = find_baselines(group)
    if not found:
        how = "Train them with the run's own command and baselines=true, or give --baseline FOLDER."
        raise ConfigError(f"{group.name}: no finished baselines of {', '.join(group.tasks)} were found. {how}")
    return found


def _scorings(group: Group) -> dict[str, TaskScoring]:
    """How each task of a group is scored, as its config has it."""
    faults: list[Fault] = []
    run = group.runs[0]
    for name, entry in run.summary.tasks.items():
        configured = run.config["tasks"][name]["metrics"]
        if strange := [m.metric for m in entry.metrics if m.metric not in configured]:
            lacks = f"summary.json has the metric {listed(strange)}, which config.yaml does not name"
            raise ConfigError(f"{run.path}: {lacks}: the two come from different runs. Train it again")
    tasks = convert(dict[str, TaskConfig], run.config["tasks"], faults, f"{group.name}: tasks")
    bound = {} if faults else bind_tasks(cast(dict[str, TaskConfig], tasks), 0, faults)
    if faults:
        raise ConfigError(faults)
    return {
        name: TaskScoring(one.metrics, one.task.kind.parsed, len(one.task.kind.classes)) for name, one in bound.items()
    }
