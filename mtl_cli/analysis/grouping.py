"""Which tasks to train together, given how much each helps each other one. Legend: K tasks, S = 2^K sets of tasks, m groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

EXACT_UP_TO = 12
"""Tasks; each further one makes the exact search three times as long."""


@dataclass(frozen=True)
class Grouping:
    """A partition of tasks."""

    groups: tuple[tuple[int, ...], ...]
    """Indices of tasks, ascending in a group; groups by their first task."""
    score: float
    """See `group_score`."""
    exact: bool
    """No other partition has a higher score; False: found by clustering, and a better one may exist."""


def group_score(affinity_KK: np.ndarray, groups: tuple[tuple[int, ...], ...]) -> float:
    """Mean over tasks j of the mean of affinity[i, j] over the other tasks i of j's group; 0 for a task alone in its group.

    The score of Fifty et al. 2021 (TAG), section 3.2, over groups that do not overlap. A task that trains alone is helped by
    nobody, so it has the affinity 0 of a task that neither helps nor hurts; the diagonal is not read.

    Args:
        affinity_KK: row i, column j: how much a step on task i helps task j; below 0 it hurts.
        groups: a partition of 0 .. K-1.
    """
    total = 0.0
    for group in groups:
        own = np.asarray(affinity_KK, np.float64)[np.ix_(group, group)]
        total += float(own.sum() - own.trace()) / max(1, len(group) - 1)
    return total / len(affinity_KK)


def best_groups(affinity_KK: np.ndarray, k: int) -> Grouping:
    """The partition into at most `k` groups with the highest `group_score`.

    Up to 12 tasks it is exact: the best partition of a set of tasks into m groups is a group with the set's first task and the
    best partition of the rest into m - 1, over all sets in 3^K steps. Above, tasks are clustered by average linkage of the
    mean of both directions, and of the cuts into 1 .. k clusters the best is taken.

    Of equal scores the partition with the fewest groups is chosen, and always the same one.

    Args:
        affinity_KK: see `group_score`.
        k: groups at most.

    Raises:
        ValueError: the affinity is not square or not finite off its diagonal, or k is not in 1 .. K.
    """
    affinity_KK = np.array(affinity_KK, np.float64)
    if affinity_KK.ndim != 2 or affinity_KK.shape[0] != affinity_KK.shape[1] or not affinity_KK.size:
        raise ValueError(f"affinity must have one row and one column a task; found shape {affinity_KK.shape}")
    np.fill_diagonal(affinity_KK, 0.0)
    if not np.isfinite(affinity_KK).all():
        i, j = np.argwhere(~np.isfinite(affinity_KK))[0]
        raise ValueError(f"the affinity of task {i} onto task {j} is {affinity_KK[i, j]}")
    tasks = len(affinity_KK)
    if not 1 <= k <= tasks:
        raise ValueError(f"{tasks} tasks make 1 to {tasks} groups; asked for {k}")
    exact = tasks <= EXACT_UP_TO
    groups = _searched(affinity_KK, k) if exact else _clustered(affinity_KK, k)
    return Grouping(groups, group_score(affinity_KK, groups), exact)


def _searched(affinity_KK: np.ndarray, k: int) -> tuple[tuple[int, ...], ...]:
    tasks = len(affinity_KK)
    worth_S = _worths(affinity_KK)
    none = np.iinfo(np.int64).min // 4
    best_mS = np.full((k + 1, 1 << tasks), none)
    best_mS[:, 0] = 0
    chosen_mS = np.zeros((k + 1, 1 << tasks), np.int64)
    for whole in range(1, 1 << tasks):
        groups = _with_first(whole)
        values_mn = worth_S[groups] + best_mS[:-1, whole ^ groups]
        at = values_mn.argmax(1)
        best_mS[1:, whole] = values_mn[np.arange(k), at]
        chosen_mS[1:, whole] = groups[at]
    left = (1 << tasks) - 1
    # The empty set is worth 0 whatever m, so row m holds the best of at most m groups: the first row with the best has fewest.
    m = int(best_mS[:, left].argmax())
    found: list[tuple[int, ...]] = []
    while left:
        group = int(chosen_mS[m, left])
        found.append(tuple(i for i in range(tasks) if group >> i & 1))
        left, m = left ^ group, m - 1
    return tuple(found)


def _worths(affinity_KK: np.ndarray) -> np.ndarray:
    """What each set of tasks adds to K times the score, shape [S], in whole numbers: sums of them are exact, so ties are."""
    tasks = len(affinity_KK)
    member_SK = (np.arange(1 << tasks)[:, None] >> np.arange(tasks) & 1).astype(np.float64)
    within_S = np.einsum("si,ij,sj->s", member_SK, affinity_KK, member_SK, optimize=True)
    mean_S = within_S / np.maximum(1, member_SK.sum(1) - 1)
    scale = np.abs(affinity_KK).max() or 1.0
    return np.rint(mean_S / scale * 2**40).astype(np.int64)


def _with_first(whole: int) -> np.ndarray:
    """All subsets of a set that hold its lowest member."""
    lowest = whole & -whole
    found = np.array([lowest])
    rest = whole ^ lowest
    while rest:
        bit = rest & -rest
        found = np.concatenate([found, found | bit])
        rest ^= bit
    return found


def _clustered(affinity_KK: np.ndarray, k: int) -> tuple[tuple[int, ...], ...]:
    from scipy.cluster.hierarchy import cut_tree, linkage
    from scipy.spatial.distance import squareform

    both_KK = (affinity_KK + affinity_KK.T) / 2
    distance_KK = both_KK.max() - both_KK
    np.fill_diagonal(distance_KK, 0.0)
    tree = linkage(squareform(distance_KK, checks=False), method="average")
    cuts = []
    for m in range(1, k + 1):
        cluster_K = cut_tree(tree, n_clusters=m)[:, 0]
        groups = [tuple(np.flatnonzero(cluster_K == c).tolist()) for c in np.unique(cluster_K)]
        cuts.append(tuple(sorted(groups)))
    return max(cuts, key=lambda groups: group_score(affinity_KK, groups))  # the first of equals: fewest groups
