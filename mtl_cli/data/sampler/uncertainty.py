"""More rows for tasks that the model is unsure of."""

from __future__ import annotations

from mtl_cli.data.sampler.base import NeedSampler, Observed


class Uncertainty(NeedSampler):
    """p_i ~ floor + U_i with U_i the mean entropy of the class probabilities over task i's validation rows, divided by log C_i.

    After the multi-task uncertainty sampling of CA-MTL (Pilault et al. 2021, section 2.3). There, each step scores a batch of
    training rows of every task by entropy, divided by the largest mean entropy of the tasks, and trains on the most uncertain
    rows. Here the last evaluation's rows give the entropies, which costs no further forward pass, and they choose tasks, not rows.

    Args:
        names_K: names of the tasks; each must have classes.
        sizes_K: training rows of each.
        floor: what a task keeps that the model is sure of.
        per_step: see `ChangingChances`.
    """

    needs_classes = True

    def need(self, observed: Observed) -> float:
        """U_i."""
        if observed.entropy is None:
            raise ValueError(f"task '{observed.task}' has no classes and so no entropy")
        return observed.entropy
