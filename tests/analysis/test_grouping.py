import numpy as np
import pytest

from mtl_cli.analysis.grouping import best_groups, group_score


def partitions(items):
    """Every partition, by where the last item goes."""
    if not items:
        yield ()
        return
    *rest, last = items
    for partition in partitions(rest):
        yield (*partition, (last,))
        for i, group in enumerate(partition):
            yield (*partition[:i], (*group, last), *partition[i + 1 :])


def slow_score(affinity, partition):
    of = {task: group for group in partition for task in group}
    return np.mean([np.mean([affinity[i, j] for i in of[j] if i != j] or [0.0]) for j in range(len(affinity))])


def random(tasks, seed, mean=0.0):
    return np.random.default_rng(seed).normal(mean, 1.0, (tasks, tasks))


def as_sets(grouping):
    return {frozenset(group) for group in grouping.groups}


@pytest.mark.parametrize("tasks", range(1, 8))
@pytest.mark.parametrize("mean", [-0.5, 0.0, 1.0])
def test_no_partition_is_better_than_the_one_found(tasks, mean):
    affinity = random(tasks, tasks, mean)
    for k in range(1, tasks + 1):
        found = best_groups(affinity, k)
        every = [p for p in partitions(range(tasks)) if len(p) <= k]
        assert found.exact
        assert found.score == pytest.approx(max(slow_score(affinity, p) for p in every), abs=1e-12)
        assert found.score == pytest.approx(slow_score(affinity, found.groups), abs=1e-12)
        assert len(found.groups) <= k
        assert sorted(i for group in found.groups for i in group) == list(range(tasks))


def test_two_pairs_that_help_one_another_by_hand():
    affinity = np.array([[9, 4, -1, 0], [2, 9, 0, -1], [0, 0, 9, 1], [-1, 0, 3, 9]])
    found = best_groups(affinity, 2)
    assert found.groups == ((0, 1), (2, 3))
    assert found.score == (2 + 4 + 3 + 1) / 4


def test_what_counts_is_the_affinity_onto_a_task_and_not_from_it():
    affinity = np.zeros((3, 3))
    affinity[0, 1] = 1.0  # 0 helps 1
    affinity[1, 2] = -1.0  # 1 hurts 2
    assert group_score(affinity, ((0, 1, 2),)) == pytest.approx((0 + 0.5 - 0.5) / 3)
    assert group_score(affinity, ((0, 1), (2,))) == pytest.approx(1 / 3)
    assert best_groups(affinity, 3).groups == ((0, 1), (2,))


def test_tasks_that_hurt_one_another_train_alone():
    assert best_groups(-np.ones((4, 4)), 4).groups == ((0,), (1,), (2,), (3,))


def test_one_group_holds_all_however_they_hurt():
    assert best_groups(-np.ones((4, 4)), 1).groups == ((0, 1, 2, 3),)


def test_of_equal_scores_the_fewest_groups_are_chosen():
    # 0.1 is no sum of powers of two: averages over groups of other sizes differ in their last bits.
    assert best_groups(np.full((6, 6), 0.1), 6).groups == ((0, 1, 2, 3, 4, 5),)
    assert best_groups(np.zeros((3, 3)), 3).groups == ((0, 1, 2),)


def test_ties_have_the_same_answer_each_time():
    affinity = np.random.default_rng(0).integers(-1, 2, (7, 7))
    assert len({best_groups(affinity, 4).groups for _ in range(3)}) == 1


@pytest.mark.parametrize("tasks", [6, 14])
def test_tasks_in_another_order_make_the_same_groups(tasks):
    affinity = random(tasks, 3)
    order = np.random.default_rng(4).permutation(tasks)
    moved = {frozenset(order[list(group)].tolist()) for group in best_groups(affinity[np.ix_(order, order)], 3).groups}
    assert moved == as_sets(best_groups(affinity, 3))


def test_the_unit_of_affinity_does_not_matter():
    affinity = random(6, 5)
    assert best_groups(affinity * 1e-9, 3).groups == best_groups(affinity, 3).groups


def test_the_diagonal_is_not_read():
    affinity = random(5, 6)
    other = affinity.copy()
    np.fill_diagonal(other, [1e9, -1e9, np.nan, 0, 1])
    assert best_groups(affinity, 3) == best_groups(other, 3)


@pytest.mark.parametrize("tasks", [12, 13, 20])
def test_clear_blocks_are_found_and_above_twelve_tasks_it_says_that_it_is_not_exact(tasks):
    block = np.arange(tasks) % 3
    affinity = np.where(block[:, None] == block, 1.0, -1.0) + random(tasks, 7) / 20
    found = best_groups(affinity, 3)
    assert as_sets(found) == {frozenset(np.flatnonzero(block == b).tolist()) for b in range(3)}
    assert found.exact == (tasks == 12)
    assert found.score == pytest.approx(slow_score(affinity, found.groups))


def test_above_twelve_tasks_there_may_be_fewer_groups_than_asked_for():
    assert len(best_groups(np.ones((13, 13)), 5).groups) == 1


@pytest.mark.parametrize(
    ("affinity", "k", "words"),
    [
        (np.zeros((2, 3)), 1, r"one row and one column a task; found shape \(2, 3\)"),
        (np.zeros((0, 0)), 1, r"found shape \(0, 0\)"),
        (np.array([[0, np.nan], [0, 0]]), 1, "the affinity of task 0 onto task 1 is nan"),
        (np.zeros((3, 3)), 4, "3 tasks make 1 to 3 groups; asked for 4"),
        (np.zeros((3, 3)), 0, "asked for 0"),
    ],
)
def test_what_makes_no_groups_is_refused(affinity, k, words):
    with pytest.raises(ValueError, match=words):
        best_groups(affinity, k)
