"""The batch of each step."""

import json
from collections import Counter

import numpy as np
import pytest

from mtl_cli.data.loader import Passes, RowStream, StepLoader, limited
from mtl_cli.data.sampler.all_tasks import AllTasks
from mtl_cli.data.sampler.base import Observed, Sampler
from mtl_cli.data.sampler.proportional import Proportional
from mtl_cli.data.sampler.round_robin import RoundRobin
from mtl_cli.data.sampler.uncertainty import Uncertainty
from tests.data.fakes import encoded_set

RANDOM = np.random.default_rng(0)
# A row's label is its number, so that a batch says which rows it holds.
SETS = {
    "a": encoded_set(RANDOM.integers(3, 60, 40)),
    "b": encoded_set(RANDOM.integers(3, 60, 24)),
    "c": encoded_set(RANDOM.integers(3, 60, 16)),
}


def loader(window=1, *, sampler=None, names="abc", passes=Passes(20, None, None), **changes):  # noqa: B008
    sets = {name: SETS[name] for name in names}
    sizes = [len(s) for s in sets.values()]
    sampler = sampler or Proportional(list(sets), sizes, per_step="mixed")
    rows = {name: np.arange(n) for name, n in zip(sets, sizes, strict=True)}
    options = {"size": 16, "window": window, "passes": passes, "seed": 5} | changes
    return StepLoader(sets, rows, sampler, **options)


def rows_of(step):
    """The rows of a step as (task, row), in no particular order."""
    return sorted(
        (part.task, int(label))
        for batch in step.passes
        for part in batch.parts
        for label in part.targets["label"].values
    )


def steps_of(source, count, first=0):
    return [rows_of(source.step(t)) for t in range(first, first + count)]


def rows_of_task(steps, task):
    return [row for step in steps for name, row in step if name == task]


@pytest.mark.parametrize("window", [1, 8])
def test_each_step_holds_just_the_counts_that_the_sampler_says(window):
    source = loader(window)
    sampler = Proportional(list("abc"), [40, 24, 16], per_step="mixed")
    for t in range(24):
        step = source.step(t)
        wanted = sampler.counts(t, 16, np.random.default_rng((5, 1, t)))
        found = Counter(task for task, _ in rows_of(step))
        assert [found[name] for name in "abc"] == wanted.tolist()
        assert step.units == dict(found)


def test_a_task_that_a_step_does_not_hold_has_no_count():
    source = loader(sampler=RoundRobin(list("abc"), [40, 24, 16]))
    assert [source.step(t).units for t in range(4)] == [{"a": 16}, {"b": 16}, {"c": 16}, {"a": 16}]


@pytest.mark.parametrize("window", [1, 8])
def test_every_row_comes_once_an_epoch(window):
    # 5 rows a step: 8 steps, or one window of 8, are the 40 rows
    steps = steps_of(loader(window, names="a", size=5), 24)
    for epoch in range(3):
        assert sorted(rows_of_task(steps[8 * epoch : 8 * epoch + 8], "a")) == list(range(40))


@pytest.mark.parametrize("window", [1, 8])
def test_after_any_number_of_windows_no_row_is_more_than_one_epoch_ahead(window):
    steps = steps_of(loader(window, size=7), 40)
    for end in range(window, 41, window):
        for name, size in (("a", 40), ("b", 24), ("c", 16)):
            times = np.bincount(rows_of_task(steps[:end], name), minlength=size)
            assert times.max() - times.min() <= 1


def test_the_order_of_rows_changes_from_epoch_to_epoch():
    steps = steps_of(loader(names="a", size=8), 10)
    assert steps[:5] != steps[5:]


@pytest.mark.parametrize("window", [1, 8])
def test_the_same_seed_gives_the_same_steps_and_another_one_others(window):
    assert steps_of(loader(window), 20) == steps_of(loader(window), 20)
    assert steps_of(loader(window), 20) != steps_of(loader(window, seed=6), 20)


@pytest.mark.parametrize("saved_at", range(12))
@pytest.mark.parametrize("window", [1, 5, 8])
def test_going_on_from_any_step_gives_the_steps_of_an_unbroken_run(window, saved_at):
    unbroken = steps_of(loader(window), 30)
    first = loader(window)
    steps_of(first, saved_at)
    second = loader(window)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert steps_of(second, 30 - saved_at, saved_at) == unbroken[saved_at:]


@pytest.mark.parametrize("window", [1, 8])
def test_a_run_may_be_broken_off_again_and_again(window):
    unbroken, at, state = steps_of(loader(window), 30), 0, loader(window).state_dict()
    for some in (1, 3, 8, 2, 9, 7):
        source = loader(window)
        source.load_state_dict(state)
        assert steps_of(source, some, at) == unbroken[at : at + some]
        at, state = at + some, source.state_dict()


def test_a_saved_state_does_not_change_when_the_run_goes_on():
    source = loader(8)
    source.step(0)
    state = source.state_dict()
    kept = json.dumps(state)
    steps_of(source, 20, 1)
    assert json.dumps(state) == kept


@pytest.mark.parametrize("used", [1, 9])
def test_a_used_loader_can_be_set_back_to_the_start(used):
    first, source = steps_of(loader(), 9), loader()
    start = source.state_dict()
    steps_of(source, used)
    source.load_state_dict(start)
    assert steps_of(source, 9) == first


class Cards(Sampler):
    """Draws tasks like cards from a pack: a sampler with a state that each draw changes."""

    def __init__(self, names, sizes):
        super().__init__(names, sizes)
        self.pack = []

    def chances_K(self, step):
        return np.full(len(self.names_K), 1 / len(self.names_K))

    def counts(self, step, size, rng):
        if not self.pack:
            self.pack.extend(rng.permutation(len(self.names_K)).tolist())
        return np.eye(len(self.names_K), dtype=np.int64)[self.pack.pop()] * size

    def state_dict(self):
        return {"pack": self.pack}

    def load_state_dict(self, state):
        self.pack = list(state["pack"])


@pytest.mark.parametrize("saved_at", range(7))
@pytest.mark.parametrize("window", [1, 4])
def test_a_sampler_whose_state_changes_with_each_draw_goes_on_as_if_unbroken(window, saved_at):
    def fresh():
        return loader(window, sampler=Cards(list("abc"), [40, 24, 16]))

    unbroken, first, second = steps_of(fresh(), 16), fresh(), fresh()
    steps_of(first, saved_at)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert steps_of(second, 16 - saved_at, saved_at) == unbroken[saved_at:]


def driven(window):
    source = loader(window, sampler=Uncertainty(list("abc"), [40, 24, 16], floor=0.0, per_step="mixed"))
    return source, source._sampler


def evaluated(at):
    """What an evaluation after `at` steps finds: other needs each time."""
    needs = np.random.default_rng(at).dirichlet([0.5] * 3)
    return [Observed(name, 0.0, float(need)) for name, need in zip("abc", needs, strict=True)]


def driven_steps(source, sampler, first, last, every=3):
    """Steps first .. last with an evaluation after each third one, and the chances that go with each."""
    found = []
    for t in range(first, last):
        found.append((rows_of(source.step(t)), source.chances(t)))
        if (t + 1) % every == 0:
            sampler.observe(evaluated(t + 1))
    return found


@pytest.mark.parametrize("saved_at", range(14))
@pytest.mark.parametrize("window", [1, 4, 8])
def test_an_evaluation_inside_a_window_is_neither_lost_nor_applied_too_early_when_a_run_goes_on(window, saved_at):
    unbroken = driven_steps(*driven(window), 0, 26)
    first, second = driven(window), driven(window)
    driven_steps(*first, 0, saved_at)
    second[0].load_state_dict(json.loads(json.dumps(first[0].state_dict())))
    assert driven_steps(*second, saved_at, 26) == unbroken[saved_at:]


def test_an_evaluation_changes_the_steps_of_the_next_window_and_no_step_that_is_planned():
    source, sampler = driven(8)
    plain = steps_of(driven(8)[0], 16)
    before = steps_of(source, 3)
    sampler.observe([Observed("a", 0, 0.0), Observed("b", 0, 1.0), Observed("c", 0, 0.0)])
    after = steps_of(source, 13, 3)
    assert before + after[:5] == plain[:8]
    assert {task for step in after[5:] for task, _ in step} == {"b"}
    assert source.chances(15) == {"a": 0.0, "b": 1.0, "c": 0.0}


@pytest.mark.parametrize("world", [2, 3])
@pytest.mark.parametrize("window", [1, 8])
def test_processes_share_the_rows_of_a_step_without_overlap(window, world):
    whole = loader(window)
    shards = [loader(window, rank=rank, world=world) for rank in range(world)]
    for t in range(12):
        step, parts = whole.step(t), [shard.step(t) for shard in shards]
        assert sorted(row for part in parts for row in rows_of(part)) == rows_of(step)
        assert {len(rows_of(part)) for part in parts} <= {16 // world, 16 // world + 1}
        assert all(part.units == step.units for part in parts)


def test_a_process_without_a_row_has_no_pass_but_knows_the_counts():
    step = loader(size=1, rank=1, world=2).step(0)
    assert step.passes == ()
    assert sum(step.units.values()) == step.rows == 1


def test_shares_of_processes_are_alike_in_length():
    shards = [loader(names="a", size=40, rank=rank, world=2).step(0) for rank in range(2)]
    tokens = [sum(batch.tokens for batch in shard.passes) for shard in shards]
    assert abs(tokens[0] - tokens[1]) < 60


@pytest.mark.parametrize("window", [1, 8])
def test_the_row_order_of_a_task_does_not_depend_on_the_other_tasks(window):
    def order(names):
        steps = steps_of(
            loader(window, names=names, size=4 * len(names), sampler=AllTasks(list(names), [1] * len(names))), 16
        )
        return [sorted(rows_of_task([step], "b")) for step in steps]

    assert order("b") == order("abc") == order("cb")


def stream_order(name, seed, rows=10):
    return RowStream(name, np.arange(rows), seed).take(0, rows).tolist()


def test_the_row_order_of_a_task_depends_on_its_name_and_the_seed():
    assert stream_order("a", 1) == stream_order("a", 1)
    assert stream_order("a", 1) != stream_order("b", 1)
    assert stream_order("a", 1) != stream_order("a", 2)


def test_a_stream_can_be_read_from_any_position():
    rows = np.array([3, 14, 15, 92, 65, 35, 89])
    whole = RowStream("a", rows, 1).take(0, 40)
    for start, count in [(0, 3), (5, 10), (6, 1), (7, 7), (20, 20), (39, 0)]:
        assert RowStream("a", rows, 1).take(start, count).tolist() == whole[start : start + count].tolist()
    assert sorted(whole[7:14]) == sorted(rows)


def padded_tokens(batch):
    return batch.rows * int(batch.inputs.lengths_B.max())


def test_windows_of_several_steps_pad_less():
    def padded(window):
        source = loader(window, names="a", size=5, passes=Passes(10**6, None, None))
        return sum(padded_tokens(batch) for t in range(8) for batch in source.step(t).passes)

    assert padded(8) < 0.75 * padded(1)


def test_length_does_not_go_with_time_inside_a_window():
    source = loader(8, names="a", size=5)
    means = np.array([[sum(b.tokens for b in source.step(8 * w + t).passes) for t in range(8)] for w in range(40)])
    assert np.argmin(means, axis=1).std() > 1.5
    assert abs(np.corrcoef(means.ravel(), np.tile(np.arange(8), 40))[0, 1]) < 0.2


def test_passes_keep_to_their_limits():
    for passes in (Passes(20, 3, None), Passes(20, None, 100)):
        source = loader(passes=passes)
        batches = [batch for t in range(10) for batch in source.step(t).passes]
        assert max(batch.rows for batch in batches) <= (passes.max_rows or 16)
        assert max(padded_tokens(batch) for batch in batches) <= (passes.max_tokens or 10**6)


def test_how_rows_are_cut_into_passes_does_not_change_a_step():
    assert steps_of(loader(passes=Passes(0, 1, None)), 10) == steps_of(loader(passes=Passes(10**6, None, None)), 10)


def test_only_the_rows_that_may_be_used_are_drawn():
    chosen = np.array([1, 5, 7, 30])
    source = StepLoader(
        {"a": SETS["a"]},
        {"a": chosen},
        AllTasks(["a"], [4]),
        size=4,
        window=1,
        passes=Passes(0, None, None),
        seed=0,
    )
    assert [sorted(rows_of_task([rows_of(source.step(t))], "a")) for t in range(3)] == [chosen.tolist()] * 3


def test_unlabelled_rows_are_never_training_rows():
    usable = encoded_set([3] * 6, labels=[0, np.nan, 1, np.nan, 1, 0]).labelled_N
    assert limited(usable, None).tolist() == [0, 2, 4, 5]
    assert set(limited(usable, 3).tolist()) < {0, 2, 4, 5}
    assert limited(usable, 99).tolist() == [0, 2, 4, 5]


def test_a_limit_chooses_by_the_rows_alone_in_the_order_of_the_file():
    found = limited(np.ones(200, bool), 50)
    assert len(set(found.tolist())) == 50
    assert found.tolist() == sorted(found.tolist())
    # Scattered, not the first ones; and more rows behind them do not move the choice elsewhere.
    assert found[25] > 50
    assert set(limited(np.ones(200, bool), 20).tolist()) < set(found.tolist())
    assert set(limited(np.ones(210, bool), 50).tolist()) - set(found.tolist()) <= set(range(200, 210))


def test_passes_by_task_hold_rows_of_one_task_each_and_are_the_same_step():
    apart = loader(passes=Passes(20, 5, None, by_task=True))
    for t in range(10):
        step = apart.step(t)
        assert all(len(batch.parts) == 1 for batch in step.passes)
        assert max(batch.rows for batch in step.passes) <= 5
        order = [batch.parts[0].task for batch in step.passes]
        assert order == sorted(order)
    assert steps_of(loader(passes=Passes(20, None, None, by_task=True)), 10) == steps_of(loader(), 10)


def test_passes_by_task_are_shared_by_processes_as_others_are():
    shards = [loader(rank=rank, world=2, passes=Passes(20, None, None, by_task=True)) for rank in range(2)]
    for t in range(6):
        found = [shard.step(t) for shard in shards]
        assert {len(rows_of(step)) for step in found} == {8}
        assert found[0].units == found[1].units
