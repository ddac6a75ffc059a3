"""Auto-Lambda."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from mtl_cli.weighting.base import RowDtype, StepPasses, Weighted, finite
from mtl_cli.weighting.gradient import TaskGradientWeighting, alive, combine, finite_gramian


class AutoLambda(TaskGradientWeighting):
    """sum_i w_i v_i; w follows the gradient of the held-out loss after a look-ahead step (Liu, James, Davison & Johns 2022).

    Half of each task's rows of a step train, half are held out. With theta' = theta - eta sum_i w_i g_i the gradient of the held-out
    loss is d/dw_i = -eta g_i . grad L_held(theta'): w enters theta' linearly, so task gradients give exactly what the paper's finite
    differences approximate, and a step costs no more rows than a plain one. Half of the heads' gradient is taken at theta'.

    Args:
        names_K: names of the tasks.
        lambdas: step -> the config's weights.
        params: see `Chosen.params`.
        rows: see `Chosen.dtype`.
        primary: tasks whose held-out loss counts; None: all.
        initial: w at the start.
        look_ahead: eta.
        lr: rate of the Adam that moves w.
    """

    needs_every_task = True
    parts = 2

    def __init__(
        self,
        names_K: Sequence[str],
        lambdas: Callable[[int], Sequence[float]],
        *,
        params: str | int,
        rows: RowDtype,
        primary: list[str] | None,
        initial: float,
        look_ahead: float,
        lr: float,
    ) -> None:
        super().__init__(names_K, lambdas, params=params, rows=rows)
        for name in primary or ():
            if name not in names_K:
                raise ValueError(f"primary: no task is called '{name}'; the tasks are {', '.join(names_K)}")
        if primary == []:
            raise ValueError("primary: names no task, so no held-out loss would count; null: all of them count")
        if initial <= 0 or look_ahead <= 0 or lr < 0:
            raise ValueError(
                f"initial and look_ahead must be more than 0, lr 0 or more; found {initial}, {look_ahead}, {lr}"
            )
        self._primary_K = torch.tensor([float(primary is None or name in primary) for name in names_K])
        self._look_ahead = look_ahead
        self._w_K = torch.nn.Parameter(torch.full((len(names_K),), initial))
        self._adam = torch.optim.Adam([self._w_K], lr=lr)

    def weigh(self, passes: StepPasses, step: int) -> Weighted:
        """Train half, held-out half at the point ahead, w, direction."""
        lambdas_K = self.lambdas_K(step)
        trained = passes.task_gradients(lambdas_K, self._chosen, part=(0, 2))
        finite(trained.losses_K, trained.index_P)
        alive(trained, lambdas_K)
        matrix_PN = trained.matrix_PN.clone()
        w_P = self._w_K.detach()[list(trained.index_P)].to(matrix_PN.device)
        with passes.moved(self._chosen, -self._look_ahead * combine(matrix_PN, w_P)):
            held = passes.task_gradients(lambdas_K, self._chosen, part=(1, 2))
        finite(held.losses_K, held.index_P)
        finite_gramian(held)
        primary_P = self._primary_K[list(held.index_P)].to(matrix_PN.device)
        aim_N = combine(held.matrix_PN, primary_P)
        self._w_K.grad = torch.zeros_like(self._w_K)
        self._w_K.grad[list(trained.index_P)] = -self._look_ahead * (matrix_PN.float() @ aim_N).cpu()
        self._adam.step()
        self._adam.zero_grad(set_to_none=True)
        with torch.no_grad():
            self._w_K.clamp_(min=0)
        # The direction of the half that trains.
        weights_P = self._w_K.detach()[list(trained.index_P)].to(matrix_PN.device)
        penalty = passes.descend(self._chosen, combine(matrix_PN, weights_P))
        return Weighted((trained.losses_K + held.losses_K) / 2, lambdas_K * self._w_K.detach(), penalty)

    def state_dict(self) -> dict[str, Any]:
        """w and Adam's moments."""
        moments = self._adam.state_dict()["state"].get(0, {})
        return {"w": self._w_K.detach().clone(), **{f"adam.{name}": value for name, value in moments.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        with torch.no_grad():
            self._w_K.copy_(state["w"])
        moments = {name.removeprefix("adam."): v.clone() for name, v in state.items() if name.startswith("adam.")}
        if moments:
            groups = self._adam.state_dict()["param_groups"]
            self._adam.load_state_dict({"state": {0: moments}, "param_groups": groups})
