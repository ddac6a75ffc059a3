"""The matrix J of task gradients, kept from step to step. Legend: K tasks, N columns of J, V rows of an embedding table, U of them in
the step, D its width.

A task's first backward pass is copied into its row while it is in the caches, and from then on `.grad` of each chosen parameter is a
view of it, so that later passes add to it there. Of an embedding table only the rows that the step's tokens ask for get columns, since
all others are zero for every task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mtl_cli.model.backbone.rows import RowGradEmbedding
from mtl_cli.model.multitask import MultiTaskModel
from mtl_cli.weighting.base import Chosen


@dataclass(frozen=True)
class _Place:
    """A parameter's columns."""

    parameter: nn.Parameter
    columns: slice


def _lander(view: Tensor) -> Callable[[Tensor], None]:
    """A hook that moves a parameter's first gradient to its place in J."""

    def land(parameter: Tensor) -> None:
        if parameter.grad is not view:
            assert parameter.grad is not None
            view.copy_(parameter.grad)
            parameter.grad = view

    return land


class RowStore:
    """J of one choice of parameters.

    Args:
        model: whose parameters.
        chosen: which of them.
        tasks: K.
        dense: give every embedding row columns, whatever the choice says.

    Raises:
        ValueError: the choice means no parameter.
    """

    def __init__(self, model: MultiTaskModel, chosen: Chosen, tasks: int, *, dense: bool = False) -> None:
        self.parameters = [p for _, p in model.choose(chosen.params)]
        self._dtype = getattr(torch, chosen.dtype)
        self._tasks = tasks
        tables = {id(m.weight): m for m in model.modules() if isinstance(m, RowGradEmbedding)}
        on_cpu = self.parameters[0].device.type == "cpu"
        sparse = chosen.sparse and not dense and on_cpu
        self._tables = [tables[id(p)] for p in self.parameters if id(p) in tables] if sparse else []
        of_tables = {id(t.weight) for t in self._tables}
        self._places: list[_Place] = []
        at = 0
        for p in self.parameters:
            if id(p) not in of_tables:
                self._places.append(_Place(p, slice(at, at + p.numel())))
                at += p.numel()
        self._dense_width = self._width = at
        self._ids_U: Tensor = torch.empty(0, dtype=torch.int64)
        self._slots: Tensor | None = None
        self._matrix: Tensor | None = None
        self._scratch: Tensor | None = None

    def begin(self, ids: Sequence[Tensor]) -> None:
        """Lay out the columns for a step.

        Args:
            ids: token ids of the step's passes.
        """
        self._width = self._dense_width
        if self._tables:
            self._ids_U = torch.unique(torch.cat([one.flatten() for one in ids]))
            if self._slots is None:
                self._slots = torch.zeros(max(t.num_embeddings for t in self._tables), dtype=torch.int64)
            self._slots[self._ids_U] = torch.arange(len(self._ids_U))
            self._width += sum(len(self._ids_U) * t.embedding_dim for t in self._tables)
        if self._matrix is None or self._matrix.shape[1] < self._width:
            # Some room for steps with more different tokens, so that it does not grow each time.
            room = self._dense_width + (self._width - self._dense_width) * 3 // 2
            self._matrix = None
            self._matrix = torch.empty(self._tasks, room, dtype=self._dtype, device=self.parameters[0].device)

    @contextmanager
    def row(self, p: int) -> Iterator[None]:
        """Inside, gradients of the chosen parameters go to row p of J."""
        row = self._row(p)
        hooks = []
        for place in self._places:
            place.parameter.grad = None
            land = _lander(row[place.columns].view_as(place.parameter))
            hooks.append(place.parameter.register_post_accumulate_grad_hook(land))  # type: ignore[no-untyped-call]
        at = self._dense_width
        row[at:].zero_()
        for table in self._tables:
            width = len(self._ids_U) * table.embedding_dim
            table.sink = self._adder(row[at : at + width].view(len(self._ids_U), table.embedding_dim))
            at += width
        try:
            yield
        finally:
            for place, hook in zip(self._places, hooks, strict=True):
                hook.remove()
                if place.parameter.grad is None:
                    row[place.columns].zero_()
                place.parameter.grad = None
            for table in self._tables:
                table.sink = None
        if row.dtype != self._dtype:
            self._wide()[p] = row

    def _adder(self, rows_UD: Tensor) -> Callable[[Tensor, Tensor], None]:
        assert self._slots is not None
        slots = self._slots

        def add(ids_T: Tensor, gradient_TD: Tensor) -> None:
            rows_UD.index_add_(0, slots[ids_T], gradient_TD.to(rows_UD.dtype))

        return add

    def _row(self, p: int) -> Tensor:
        """Where row p is summed up: J itself, or a float32 row beside it if J is narrower."""
        return self._wide()[p] if self._dtype == torch.float32 else self.beside()

    def beside(self) -> Tensor:
        """A float32 row beside J, shape [N]; inside `row` it is in use, after that anyone may write to it."""
        assert self._matrix is not None
        if self._scratch is None or len(self._scratch) < self._width:
            self._scratch = torch.empty(self._matrix.shape[1], device=self.parameters[0].device)
        return self._scratch[: self._width]

    def _wide(self) -> Tensor:
        assert self._matrix is not None
        return self._matrix[:, : self._width]

    def matrix(self, rows: int) -> Tensor:
        """The first rows of J, shape [rows, N]."""
        return self._wide()[:rows]

    def write(self, direction_N: Tensor) -> None:
        """Make a direction the `.grad` of the chosen parameters."""
        direction_N = direction_N.float()
        for place in self._places:
            place.parameter.grad = direction_N[place.columns].view_as(place.parameter)
        for table, rows_UD in self._table_rows(direction_N):
            table.add_rows(self._ids_U, rows_UD)

    def _table_rows(self, vector_N: Tensor) -> Iterator[tuple[RowGradEmbedding, Tensor]]:
        at = self._dense_width
        for table in self._tables:
            width = len(self._ids_U) * table.embedding_dim
            yield table, vector_N[at : at + width].view(len(self._ids_U), table.embedding_dim)
            at += width

    @contextmanager
    def moved(self, step_N: Tensor) -> Iterator[None]:
        """Inside, the chosen parameters are further by a step; behind it they are what they were, bit for bit."""
        step_N = step_N.float()
        with torch.no_grad():
            before = [place.parameter.detach().clone() for place in self._places]
            before_rows = [table.weight[self._ids_U].clone() for table in self._tables]
            for place in self._places:
                place.parameter.add_(step_N[place.columns].view_as(place.parameter))
            for table, rows_UD in self._table_rows(step_N):
                table.weight[self._ids_U] += rows_UD
        try:
            yield
        finally:
            with torch.no_grad():
                for place, old in zip(self._places, before, strict=True):
                    place.parameter.copy_(old)
                for table, old in zip(self._tables, before_rows, strict=True):
                    table.weight[self._ids_U] = old
