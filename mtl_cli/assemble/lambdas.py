"""lambda_i of each step, from `weights`. Legend: K tasks."""

from __future__ import annotations

from collections.abc import Mapping

from mtl_cli.data.sampler.base import Length
from mtl_cli.errors import ConfigError, Fault, RunError
from mtl_cli.expression import Expression, tried, value_at


class Lambdas:
    """Step -> lambda_i, in the order of the tasks: numbers as they are, expressions at that step.

    Args:
        weights: by task.
        length: of the run; beyond its last step nothing is asked for.

    Raises:
        ConfigError: an expression is negative or not finite at a step that was tried; all faulty ones together.
    """

    def __init__(self, weights: Mapping[str, float | Expression], length: Length) -> None:
        self._weights, self._length = dict(weights), length
        faults = [fault for name in self._weights if (fault := self._fault(name))]
        if not faults and not any(self._value(name, step) for step in tried(length.steps) for name in self._weights):
            faults = [Fault("weights", "all are 0 at every step: nothing would be trained")]
        if faults:
            raise ConfigError(faults)

    def _value(self, name: str, step: int) -> float:
        return value_at(self._weights[name], step, self._length.steps, self._length.epoch(step))

    def _fault(self, name: str) -> Fault | None:
        try:
            for step in tried(self._length.steps):
                self._value(name, step)
        except ValueError as error:
            return Fault(f"weights.{name}", str(error))
        return None

    def __call__(self, step: int) -> list[float]:
        """lambda_i of a step, length K. Raises `RunError`, naming task and step, for one that is negative or not finite."""
        found = []
        for name in self._weights:
            try:
                found.append(self._value(name, step))
            except ValueError as error:
                raise RunError(
                    f"step {step + 1}: the weight of task '{name}': {error}. Give an expression that stays finite and 0 or more"
                ) from None
        return found

    def by_task(self, step: int) -> dict[str, float]:
        """The same by name."""
        return dict(zip(self._weights, self(step), strict=True))


def as_written(weights: Mapping[str, float | Expression]) -> dict[str, float | str]:
    """Weights for files: numbers, and expressions as their text."""
    return {name: str(weight) if isinstance(weight, Expression) else weight for name, weight in weights.items()}
