"""Methods that look at one gradient a task. Legend as in `base`; G = J J^T; d the direction, w the weights with d = J^T w."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from mtl_cli.weighting.base import (
    BLOCK,
    BadStep,
    Chosen,
    RowDtype,
    StepPasses,
    TaskGradients,
    Weighted,
    Weighting,
    finite,
)


class TaskGradientWeighting(Weighting):
    """The chosen shared parameters get a direction made of the tasks' gradients; all others get plain sum_i lambda_i grad L_i.

    The g_i are gradients of lambda_i L_i. A task whose lambda_i is 0 has no part in the direction.

    Args:
        names_K: names of the tasks.
        lambdas: step -> the config's weights.
        params: see `Chosen.params`.
        rows: see `Chosen.dtype`.
    """

    one_task_passes = True
    sparse = True

    def __init__(
        self, names_K: Sequence[str], lambdas: Callable[[int], Sequence[float]], *, params: str | int, rows: RowDtype
    ) -> None:
        super().__init__(names_K, lambdas)
        self.chosen = Chosen(params, rows, self.sparse)

    @property
    def _chosen(self) -> Chosen:
        assert self.chosen is not None
        return self.chosen


class GradientWeighting(TaskGradientWeighting):
    """One J of the whole step, one direction."""

    def weigh(self, passes: StepPasses, step: int) -> Weighted:
        """A forward and a backward pass a task, then the direction."""
        lambdas_K = self.lambdas_K(step)
        gradients = passes.task_gradients(lambdas_K, self._chosen)
        finite(gradients.losses_K, gradients.index_P)
        aggregated = self.aggregate(gradients, alive(gradients, lambdas_K), step)
        penalty = passes.descend(self._chosen, aggregated.direction_N)
        weights_K = lambdas_K.to(aggregated.weights_P.device, copy=True)
        weights_K[list(gradients.index_P)] *= aggregated.weights_P
        return Weighted(gradients.losses_K, weights_K, penalty)

    @abstractmethod
    def aggregate(self, gradients: TaskGradients, rows: AliveRows, step: int) -> Aggregated:
        """The direction.

        Args:
            gradients: J and the losses.
            rows: those of J that take part, and their Gramian.
            step: from 0.
        """


class Aggregated:
    """What the gradients came to.

    Args:
        direction_N: d, in the columns of J.
        weights_P: w; NaN where a method has none.
    """

    def __init__(self, direction_N: Tensor, weights_P: Tensor) -> None:
        self.direction_N, self.weights_P = direction_N, weights_P


class AliveRows:
    """Rows of J whose lambda_i is not 0.

    Args:
        gradients: J.
        at_Q: which of its rows.
        gramian_QQ: their Gramian, float32, on the CPU.
    """

    def __init__(self, gradients: TaskGradients, at_Q: tuple[int, ...], gramian_QQ: Tensor) -> None:
        self._gradients, self.at_Q, self.gramian_QQ = gradients, at_Q, gramian_QQ

    @property
    def count(self) -> int:
        """Q."""
        return len(self.at_Q)

    @property
    def unit(self) -> float:
        """Mean squared length of the rows."""
        return float(self.gramian_QQ.diagonal().double().mean())

    def gramian_unit(self) -> Tensor:
        """G over the mean squared length, float64: solvers' tolerances are made for numbers about 1."""
        return self.gramian_QQ.double() / self.unit

    @property
    def tasks_Q(self) -> tuple[int, ...]:
        """Which of the K tasks."""
        return tuple(self._gradients.index_P[i] for i in self.at_Q)

    @property
    def losses_Q(self) -> Tensor:
        """L_i."""
        return self._gradients.losses_K[list(self.tasks_Q)]

    def matrix_QN(self) -> Tensor:
        """The rows, float32; a copy unless all rows of J take part and are float32."""
        matrix_PN = self._gradients.matrix_PN
        every = len(self.at_Q) == len(matrix_PN)
        return (matrix_PN if every else matrix_PN[list(self.at_Q)]).float()

    def spread(self, values_Q: Tensor, fill: float = 0.0) -> Tensor:
        """Values of the rows that take part among all rows of J, shape [P]."""
        matrix_PN = self._gradients.matrix_PN
        values_P = torch.full((len(matrix_PN),), fill, device=matrix_PN.device)
        values_P[list(self.at_Q)] = values_Q.to(matrix_PN.device, torch.float32)
        return values_P

    def combined(self, weights_Q: Tensor) -> Aggregated:
        """d = J^T w."""
        weights_P = self.spread(weights_Q)
        return Aggregated(combine(self._gradients.matrix_PN, weights_P, self._gradients.beside_N), weights_P)


def alive(gradients: TaskGradients, lambdas_K: Tensor) -> AliveRows:
    """The rows that take part.

    Raises:
        BadStep: a gradient is not finite, or is zero although the task has a weight.
    """
    gramian_PP = finite_gramian(gradients)
    at_Q: list[int] = []
    for p, k in enumerate(gradients.index_P):
        if float(lambdas_K[k]) != 0:
            if float(gramian_PP[p, p]) == 0:
                raise BadStep("gradient on the shared parameters", "is zero", k)
            at_Q.append(p)
    if not at_Q:
        raise BadStep("gradient on the shared parameters", "is zero: no task in the step has a weight")
    return AliveRows(gradients, tuple(at_Q), gramian_PP[at_Q][:, at_Q])


def finite_gramian(gradients: TaskGradients) -> Tensor:
    """G on the CPU. Raises `BadStep` if a gradient is not finite."""
    gramian_PP = gradients.gramian().cpu()
    for p, k in enumerate(gradients.index_P):
        if not float(gramian_PP[p, p]) < float("inf"):
            raise BadStep("gradient on the shared parameters", "is not finite", k)
    return gramian_PP


def combine(matrix_PN: Tensor, weights_P: Tensor, out_N: Tensor | None = None) -> Tensor:
    """w^T J in float32, shape [N]; narrow rows are widened a block of columns at a time.

    Args:
        matrix_PN: J.
        weights_P: w.
        out_N: where to write it; None: to memory of its own, which on a CPU takes as long to get as to fill.
    """
    width = matrix_PN.shape[1]
    direction_N = torch.empty(width, device=matrix_PN.device) if out_N is None else out_N
    block = width if matrix_PN.dtype == torch.float32 else BLOCK
    for at in range(0, width, block):
        torch.mv(matrix_PN[:, at : at + block].float().T, weights_P, out=direction_N[at : at + block])
    return direction_N


class GramianWeighting(GradientWeighting):
    """w is a function of the Gramian: the tasks' lengths and angles.

    Methods that average are multiplied by the number of tasks, so that tasks which do not conflict get the gradient of the plain sum.
    """

    def aggregate(self, gradients: TaskGradients, rows: AliveRows, step: int) -> Aggregated:  # noqa: ARG002
        """d = J^T w(G)."""
        return rows.combined(self.weights(rows))

    @abstractmethod
    def weights(self, rows: AliveRows) -> Tensor:
        """w of the rows that take part, shape [Q]."""


class Borrowed(GramianWeighting):
    """A method of TorchJD that has neither options nor state."""

    method: Callable[[], Callable[[Tensor], Tensor]]
    """Makes TorchJD's function of G."""
    packages = ""
    """What it solves with, if that is not always installed."""
    averages = True
    """Whether its weights are those of a mean, not of a sum."""

    def __init__(
        self, names_K: Sequence[str], lambdas: Callable[[int], Sequence[float]], *, params: str | int, rows: RowDtype
    ) -> None:
        super().__init__(names_K, lambdas, params=params, rows=rows)
        with solver(self.packages):
            self._function = type(self).method()

    def weights(self, rows: AliveRows) -> Tensor:
        """See `GramianWeighting.weights`."""
        weights_Q = self._function(rows.gramian_unit())
        return rows.count * weights_Q if self.averages else weights_Q


@contextmanager
def solver(packages: str) -> Iterator[None]:
    """Say how to install what TorchJD misses, instead of going on without it. Raises `ValueError`."""
    try:
        yield
    except ImportError as error:
        raise ValueError(f"needs {packages}, which are not installed: pip install 'mtl-cli[solvers]'") from error
