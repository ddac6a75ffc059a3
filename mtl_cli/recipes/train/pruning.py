"""A trial of a search tells its study how it stands, and stops if it stands badly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtl_cli.metrics.scorer import TaskScore
from mtl_cli.train.select import Selector

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import JournalStorage

STUDY = "search"
Watch = Callable[[Sequence[TaskScore], int], bool]
"""Sees the scores of an evaluation and its step; true if the run is to be pruned."""


@dataclass(frozen=True)
class TrialWatch:
    """The watch of one trial; can be sent to another process that sees the same files."""

    journal: str
    """File of the study."""
    number: int
    objective: str
    prune_after: int

    def __call__(self, scores: Sequence[TaskScore], step: int) -> bool:
        """Report an evaluation to the study; what was reported before a run was killed is not reported again."""
        storage = _storage(Path(self.journal))
        study = _study(storage, 1, self.prune_after)
        # Optuna hands out a trial that can report to the asking process alone, so the storage is told here.
        study_id = storage.get_study_id_from_name(STUDY)
        trial_id = storage.get_trial_id_from_study_id_trial_number(study_id, self.number)
        value = Selector(self.objective, None, 0.0).value(scores)
        if value == value and step not in storage.get_trial(trial_id).intermediate_values:
            storage.set_trial_intermediate_value(trial_id, step, value)
        return bool(study.pruner.prune(study, storage.get_trial(trial_id)))


def open_study(journal: Path, objectives: int, prune_after: int) -> Study:
    """The study of a file, made if it is not there. More is better: objectives where less is better have their sign turned."""
    return _study(_storage(journal), objectives, prune_after)


def _storage(journal: Path) -> JournalStorage:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(str(journal)))


def _study(storage: JournalStorage, objectives: int, prune_after: int) -> Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(
        storage=storage,
        study_name=STUDY,
        directions=["maximize"] * objectives,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=prune_after),
        load_if_exists=True,
    )


class WatchedSelector(Selector):
    """A selector that stops the run too when its watch says so.

    Args:
        select: as in `Selector`, like the two after it.
        patience: evaluations without a gain.
        min_delta: a gain is more than this.
        watch: asked at each evaluation, on every process alike.
    """

    def __init__(self, select: str, patience: int | None, min_delta: float, watch: Watch) -> None:
        super().__init__(select, patience, min_delta)
        self._watch = watch

    def update(self, scores: Sequence[TaskScore], step: int) -> bool:
        """Take in an evaluation; true if it is the best so far."""
        best = super().update(scores, step)
        self.pruned = self._watch(scores, step)
        return best

    @property
    def stop(self) -> bool:
        """Whether patience is out or the run is pruned."""
        return self.pruned or super().stop

    def state_dict(self) -> dict[str, Any]:
        """For a resumed run."""
        return {**super().state_dict(), "pruned": self.pruned}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        super().load_state_dict(state)
        self.pruned = bool(state.get("pruned", False))
