"""`mtl train -m search.trials=N`: Optuna proposes points, each is a run; a killed search goes on as if it had not been.

Tree-structured Parzen estimators (Bergstra et al. 2011), for several objectives as Ozaki et al. 2022; median pruning as in
Google Vizier (Golovin et al. 2017).
"""

from __future__ import annotations

import importlib.util
import json
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtl_cli.assemble.bound import bind_all
from mtl_cli.config.schema import SearchSection
from mtl_cli.config.sweep import Axis
from mtl_cli.errors import ConfigError, Fault
from mtl_cli.launch.base import Job, Launcher, Outcome
from mtl_cli.metrics.scorer import MetricScore, TaskScore
from mtl_cli.recipes.asked import Asked
from mtl_cli.recipes.studies.sweep import Ledger, held, job_of, launcher_of, point_name
from mtl_cli.recipes.train.pruning import TrialWatch, open_study
from mtl_cli.runs.formats import Summary, read_summary
from mtl_cli.runs.place import Place
from mtl_cli.train.select import Selector

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Space:
    """What is searched."""

    axes: Sequence[Axis]
    point: Callable[[Sequence[str], str], Asked]
    """Overrides of the axes and a trial's name -> the run."""


def search(space: Space, folder: Path) -> list[str]:
    """Run trials until there are `search.trials`, those of an earlier call counted.

    Returns:
        Names of the trials that failed.

    Raises:
        ConfigError: Optuna is not there, an end of a range cannot be run, or the folder holds another search.
        Interrupted: told to stop; the same command goes on.
    """
    if importlib.util.find_spec("optuna") is None:
        raise ConfigError([Fault("search.trials", "needs the package 'optuna': pip install 'mtl-cli[search]'")])
    probes = _probes(space)
    section, seed = probes[0].config.search, probes[0].config.seed
    launcher = launcher_of(probes[0].config, folder)
    finder: _Search | None = None
    with held(folder, lambda: finder.left() if finder else section.trials or 0) as place:
        finder = _Search(space, place, section, seed, launcher)
        return finder.go()


def _probes(space: Space) -> list[Asked]:
    """The corners and choices of the space, composed and bound: what is wrong there is told before anything runs."""
    probes = []
    faults: list[Fault] = []
    for i in range(max(2, *(len(axis.choices) for axis in space.axes))):
        try:
            probes.append(space.point([axis.probe(i) for axis in space.axes], "probe"))
            bind_all(probes[-1].config)
        except ConfigError as error:
            faults += [fault for fault in error.faults if fault not in faults]
    if faults:
        raise ConfigError(faults)
    return probes


class _Search:
    """A study, its trials' runs and their ledger."""

    def __init__(self, space: Space, place: Place, section: SearchSection, seed: int, launcher: Launcher) -> None:
        self._space, self._folder, self._section, self._seed, self._launcher = (
            space,
            place.path,
            section,
            seed,
            launcher,
        )
        self._journal = place.path / "study.journal"
        self._study: Study = open_study(self._journal, len(section.objectives), section.prune_after)
        self._check_same()
        self._ledger = Ledger(place)
        for trial in self._study.trials:
            self._list(trial)

    def left(self) -> int:
        """Trials that are not done."""
        return (self._section.trials or 0) - sum(trial.state.is_finished() for trial in self._study.trials)

    def go(self) -> list[str]:
        """Run what is left."""
        while batch := self._next():
            self._ledger.write()
            numbers = {point_name(asked): trial.number for trial, asked in batch}
            jobs = [self._job(trial.number, asked) for trial, asked in batch]
            for outcome in self._launcher.run(jobs):
                self._ledger.ended(self._tell(numbers[outcome.name], outcome))
        self._ledger.write()
        self._ledger.close()
        self._say_best()
        return self._ledger.failed

    def _next(self) -> list[tuple[FrozenTrial, Asked]]:
        """Trials that an earlier call left unfinished, else as many new ones as run at once."""
        listed = [trial for trial in self._study.trials if not trial.state.is_finished()]
        if not listed:
            room = (self._section.trials or 0) - len(self._study.trials)
            listed = [self._ask() for _ in range(min(room, self._launcher.width))]
        return [(trial, self._list(trial)) for trial in listed]

    def _ask(self) -> FrozenTrial:
        import numpy as np
        from optuna.samplers import TPESampler

        number = len(self._study.trials)
        # Each proposal has a generator of its own, so that it depends on the seed and the trials before it alone.
        seed = int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0])
        self._study.sampler = TPESampler(seed=seed, n_startup_trials=self._section.random)
        asked = self._study.ask(_distributions(self._space.axes))
        return self._study.trials[asked.number]

    def _list(self, trial: FrozenTrial) -> Asked:
        overrides = [axis.written(trial.params[axis.key]) for axis in self._space.axes]
        asked = self._space.point(overrides, f"trial_{trial.number:03d}")
        varied = {axis.key.lstrip("+"): trial.params[axis.key] for axis in self._space.axes}
        self._ledger.add(asked, varied)
        if trial.state.name == "FAIL":
            self._ledger.fail(point_name(asked), str(self._study.user_attrs.get(_error_key(trial.number), "failed")))
        return asked

    def _job(self, number: int, asked: Asked) -> Job:
        return job_of(asked, self._launcher, f"{number + 1} of {self._section.trials}", self._watch(number))

    def _watch(self, number: int) -> TrialWatch | None:
        if not self._section.prune:
            return None
        return TrialWatch(str(self._journal.absolute()), number, self._section.objectives[0], self._section.prune_after)

    def _tell(self, number: int, outcome: Outcome) -> Outcome:
        """Tell the study how a trial ended; an objective that is no number is a failure."""
        from optuna.trial import TrialState

        error = outcome.error
        if error is None:
            summary = read_summary(self._folder / outcome.name)
            values = [objective_value(objective, summary) for objective in self._section.objectives]
            if summary.status == "pruned":
                self._study.tell(number, state=TrialState.PRUNED)
                return outcome
            if all(math.isfinite(value) for value in values):
                self._study.tell(number, values)
                return outcome
            error = ConfigError(_no_number(self._section.objectives, summary))
        self._study.set_user_attr(_error_key(number), str(error))
        self._study.tell(number, state=TrialState.FAIL)
        return Outcome(outcome.name, error)

    def _check_same(self) -> None:
        asked = {"axes": [asdict(axis) for axis in self._space.axes], "objectives": self._section.objectives}
        asked = json.loads(json.dumps(asked))
        stored: Mapping[str, Any] = self._study.user_attrs
        for key, value in asked.items():
            if key not in stored:
                self._study.set_user_attr(key, value)
            elif stored[key] != value:
                raise ConfigError(
                    f"{self._folder} holds a search over other {key}: {stored[key]}; asked is {value}. Give another run.name."
                )

    def _say_best(self) -> None:
        objectives = self._section.objectives
        if len(objectives) > 1:
            best = sorted(self._study.best_trials, key=lambda trial: trial.number)
            log.info("best     %d trials on the front over %s", len(best), ", ".join(objectives))
            return
        done = [trial for trial in self._study.trials if trial.state.name == "COMPLETE"]
        if done:
            top = max(done, key=lambda trial: (trial.value, -trial.number))
            words = " ".join(axis.written(top.params[axis.key]) for axis in self._space.axes)
            log.info("best     trial_%03d, %s %.4f: %s", top.number, objectives[0], top.value, words)


def _no_number(objectives: Sequence[str], summary: Summary) -> str:
    found = [Selector(objective, None, 0.0).criterion(list(_scores(summary))) for objective in objectives]
    why = "; ".join(one.by for one in found if not math.isfinite(one.value))
    return f"search.objective: {why}. Give another objective, or other validation rows"


def _error_key(number: int) -> str:
    return f"error of trial {number}"


def _distributions(axes: Sequence[Axis]) -> dict[str, BaseDistribution]:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    found: dict[str, BaseDistribution] = {}
    for axis in axes:
        if axis.choices:
            found[axis.key] = CategoricalDistribution(axis.choices)
        elif axis.whole:
            found[axis.key] = IntDistribution(int(axis.low), int(axis.high), log=axis.log)
        else:
            found[axis.key] = FloatDistribution(axis.low, axis.high, log=axis.log)
    return found


def objective_value(objective: str, summary: Summary) -> float:
    """An objective from a run's summary, with its sign turned where less is better; NaN if it is undefined."""
    return Selector(objective, None, 0.0).value(list(_scores(summary)))


def _scores(summary: Summary) -> Iterator[TaskScore]:
    for name, entry in summary.tasks.items():
        metrics = [
            MetricScore(m.metric, m.set_name, _number(m.value), m.low, m.high, m.rows, m.higher_is_better, m.undefined)
            for m in entry.metrics
        ]
        yield TaskScore(name, tuple(metrics), entry.higher_is_better, entry.note)


def _number(value: float | None) -> float:
    return math.nan if value is None else value
