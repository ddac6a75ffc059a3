"""The facts a sampler receives at the start of a run and after each evaluation. Legend: V predictions of all sets, C classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mtl_cli.assemble.tasks import BoundTask
from mtl_cli.data.sampler.base import Length, Observed, Sampler
from mtl_cli.errors import ConfigError, Fault
from mtl_cli.metrics.scorer import TaskScore
from mtl_cli.tasks.kinds.base import Predictions


def begin_sampler(name: str, sampler: Sampler, tasks: Mapping[str, BoundTask], length: Length) -> None:
    """Tell a sampler how long the run is. Raises `ConfigError` if it cannot sample such tasks or such a run.

    Args:
        name: as the config has it, for messages.
        sampler: over `tasks`.
        tasks: of the run.
        length: of the run.
    """
    faults = []
    for task, bound in tasks.items():
        if sampler.needs_classes and not bound.task.kind.classes:
            problem = f"'{name}' goes by the entropy of class probabilities, and task '{task}' has no classes"
            faults.append(Fault("sampler", f"{problem}. Leave the task out, or use sampler=metric."))
        errors = [n for n, metric in bound.metrics.items() if not metric.higher_is_better]
        if sampler.needs_rising_scores and errors:
            problem = f"'{name}' compares scores with their best, and task '{task}' is scored by {', '.join(errors)}"
            faults.append(Fault("sampler", f"{problem}, which is better when lower. Change tasks.{task}.metrics."))
    if not faults:
        try:
            sampler.begin(length)
        except ValueError as error:
            faults = [Fault("sampler", str(error))]
    if faults:
        raise ConfigError(faults)


def observations(
    predicted: Mapping[tuple[str, str], Predictions], scores: Sequence[TaskScore]
) -> list[Observed]:  # fmt: skip
    """What an evaluation found.

    Args:
        predicted: by task and set.
        scores: of the tasks.
    """
    return [
        Observed(s.task, s.value, _entropy([one for (task, _), one in predicted.items() if task == s.task]))
        for s in scores
    ]


def _entropy(predicted: Sequence[Predictions]) -> float | None:
    """Mean entropy over what was predicted in all sets, as a share of log C."""
    found = [one.scores.values for one in predicted if one.scores is not None]
    if not found:
        return None
    scores_VC = np.concatenate(found)
    logs_VC = np.log(scores_VC, out=np.zeros_like(scores_VC), where=scores_VC > 0)
    return float(-(scores_VC * logs_VC).sum(axis=1).mean() / np.log(scores_VC.shape[1]))


def sampling_line(name: str, chances: Mapping[str, float], lambdas: Mapping[str, float]) -> str:
    """Chance p_i and effective weight lambda_i p_i of each task."""
    # With weights of 1 the product would say the chance again.
    weighted = any(lambdas[task] != 1 for task in chances)
    products = {task: f" (weight x chance {lambdas[task] * p:.2g})" * weighted for task, p in chances.items()}
    shown = [f"{task} {p:.2g}{products[task]}" for task, p in chances.items()]
    return f"{name}: {', '.join(shown)}"
