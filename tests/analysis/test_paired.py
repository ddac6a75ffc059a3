"""Deltas by hand, intervals against scipy, and what cannot be compared."""

import csv
import io
import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from scipy.stats import bootstrap

from mtl_cli.analysis.paired import Resampling, TaskScoring, compare
from mtl_cli.analysis.seeds import FinishedRun, grouped
from mtl_cli.errors import ConfigError
from mtl_cli.metrics.classification import Accuracy, BinaryF1
from mtl_cli.metrics.regression import Pearson, RootMeanSquaredError
from mtl_cli.report.verdicts import verdict_csv, verdict_json, verdict_table
from mtl_cli.runs.formats import Summary
from mtl_cli.tasks.kinds.classification import Classification
from mtl_cli.tasks.kinds.regression import Regression

METRICS = {"accuracy": Accuracy(), "f1": BinaryF1(), "pearson": Pearson(), "rmse": RootMeanSquaredError()}
LABELS = ["no", "yes"]
HOW = Resampling(2000, 0)


@pytest.fixture
def run(tmp_path):
    """Make a finished run: by task and set the labels, predictions and metrics."""
    made = []

    def make(*, seed=1, steps=10, lr=1e-4, note="", **tasks):
        path = tmp_path / f"run_{len(made)}"
        (path / "predictions").mkdir(parents=True)
        made.append(path)
        config, summary = {}, {}
        for name, (metrics, gold, predicted) in tasks.items():
            kind = {"name": "classification", "labels": LABELS} if isinstance(gold[0], str) else {"name": "regression"}
            config[name] = {"kind": kind}
            higher = "rmse" not in metrics
            entries = [{"metric": m, "set_name": "validation"} for m in metrics]
            summary[name] = {"note": note, "higher_is_better": higher, "metrics": entries}
            write(path, name, gold, predicted)
        return FinishedRun(
            path,
            {"seed": seed, "optim": {"lr": lr}, "tasks": config},
            msgspec.convert({"steps": steps, "tasks": summary}, Summary),
        )

    return make


def write(path, task, gold, predicted, set_name="validation"):
    rows = [{"row": i, "label": g, "prediction": p} for i, (g, p) in enumerate(zip(gold, predicted, strict=True))]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (path / "predictions" / f"{task}.{set_name}.jsonl").write_text(text)


def names(bits):
    return [LABELS[b] for b in bits]


def one(*runs):
    (group,) = grouped(runs)
    return group


def compared(runs, baselines, how=HOW):
    group = one(*runs)
    return compare(
        group, baselines, {task: scoring(group.runs[0].config["tasks"][task]["kind"]) for task in group.tasks}, how
    )


def scoring(kind):
    own = Regression() if kind["name"] == "regression" else Classification(labels=LABELS)
    return TaskScoring(METRICS, own.parsed, len(own.classes))


def words(error):
    return str(error.value)


RIGHT, WRONG = names([0, 1] * 20), names([1, 0] * 20)


def test_a_delta_is_the_difference_of_the_means_over_seeds(run):
    gold = names([0, 1, 1, 0])
    runs = [
        run(seed=1, a=(["accuracy"], gold, names([0, 1, 1, 0]))),
        run(seed=2, a=(["accuracy"], gold, names([0, 1, 1, 1]))),
    ]
    baselines = [run(seed=s, a=(["accuracy"], gold, names([0, 1, 0, 1]))) for s in (1, 2, 3)]
    (task,) = compared(runs, {"a": baselines}).tasks
    assert (task.run.score, task.baseline.score, task.delta.value) == (0.875, 0.5, 0.375)
    assert task.run.deviation == pytest.approx(0.125 * 2**0.5)
    assert (task.baseline.deviation, task.baseline.seeds, task.rows) == (0.0, (1, 2, 3), 4)


def test_a_score_is_the_mean_of_the_metrics(run):
    gold, predicted = names([0, 1, 1, 0]), names([1, 1, 0, 0])
    (task,) = compared([run(a=(["accuracy", "f1"], gold, predicted))], {"a": [run(a=(["accuracy"], gold, gold))]}).tasks
    assert task.run.score == pytest.approx((0.5 + 0.5) / 2)
    assert (task.metrics, task.baseline.score) == (("accuracy", "f1"), 1.0)


def test_the_same_predictions_differ_by_exactly_0(run):
    same = (["accuracy"], RIGHT, names([1, 1] * 20))
    found = compared([run(a=same, b=same)], {"a": [run(a=same)], "b": [run(b=same)]})
    for delta in (*[task.delta for task in found.tasks], found.mean.delta):
        assert (delta.value, delta.low, delta.high, delta.verdict) == (0.0, 0.0, 0.0, "within noise")


def test_right_everywhere_against_wrong_everywhere_is_better_and_the_other_way_worse(run):
    right, wrong = run(a=(["accuracy"], RIGHT, RIGHT)), run(a=(["accuracy"], RIGHT, WRONG))
    assert compared([right], {"a": [wrong]}).tasks[0].delta.verdict == "better"
    assert compared([wrong], {"a": [right]}).tasks[0].delta.verdict == "worse"


def test_of_an_error_measure_less_is_better(run):
    gold = list(np.arange(20.0))
    near, far = run(a=(["rmse"], gold, [g + 0.1 for g in gold])), run(a=(["rmse"], gold, [g + 3 for g in gold]))
    (task,) = compared([near], {"a": [far]}).tasks
    assert task.delta.value == pytest.approx(-2.9)
    assert (task.delta.verdict, task.higher_is_better) == ("better", False)


def test_a_correlation_of_constants_has_no_verdict(run):
    gold = list(np.arange(20.0))
    (task,) = compared([run(a=(["pearson"], gold, gold))], {"a": [run(a=(["pearson"], gold, [1.0] * 20))]}).tasks
    assert (task.delta.verdict, task.delta.low) == ("undefined", None)


def noisy(rng, gold, share):
    return np.where(rng.random(len(gold)) < share, gold, 1 - gold)


def test_an_interval_of_accuracies_is_that_of_scipy(run):
    rng = np.random.default_rng(1)
    gold = rng.integers(0, 2, 300)
    a, b = noisy(rng, gold, 0.8), noisy(rng, gold, 0.7)

    def delta(gold, a, b, axis=-1):
        return (a == gold).mean(axis) - (b == gold).mean(axis)

    theirs = bootstrap((gold, a, b), delta, paired=True, method="percentile", n_resamples=9999, random_state=0)
    ours = compared(
        [run(t=(["accuracy"], names(gold), names(a)))], {"t": [run(t=(["accuracy"], names(gold), names(b)))]},
        Resampling(10_000, 0),
    ).tasks[0].delta  # fmt: skip
    # A percentile of 10,000 resamples has a Monte-Carlo error of about 0.0006 here.
    assert [ours.low, ours.high] == pytest.approx(list(theirs.confidence_interval), abs=0.0035)


def test_an_interval_of_correlations_is_that_of_scipy(run):
    rng = np.random.default_rng(2)
    gold = rng.normal(size=80)
    a, b = gold + rng.normal(size=80), gold + 2 * rng.normal(size=80)

    def delta(gold, a, b):
        return np.corrcoef(gold, a)[0, 1] - np.corrcoef(gold, b)[0, 1]

    theirs = bootstrap(
        (gold, a, b), delta, paired=True, vectorized=False, method="percentile", n_resamples=5000, random_state=0
    )
    ours = compared(
        [run(t=(["pearson"], list(gold), list(a)))], {"t": [run(t=(["pearson"], list(gold), list(b)))]}, Resampling(10_000, 0)
    ).tasks[0].delta  # fmt: skip
    assert [ours.low, ours.high] == pytest.approx(list(theirs.confidence_interval), abs=0.015)


def test_the_noise_of_seeds_is_in_the_interval_with_its_whole_variance(run):
    """Where rows do not vary, the interval of S seeds has the variance s^2 / S of a mean: with two seeds, half of either."""
    gold = [1.0, 2.0]
    runs = [run(seed=s, a=(["rmse"], gold, [g + e for g in gold])) for s, e in ((1, 1.0), (2, 3.0))]
    baseline = run(a=(["rmse"], gold, gold))
    delta = compared(runs, {"a": [baseline]}).tasks[0].delta
    assert (delta.value, delta.low, delta.high) == (2.0, 1.0, 3.0)


def test_the_mean_resamples_rows_within_tasks(run):
    """The variance of a mean of two independent tasks is a quarter of the sum of theirs."""
    rng = np.random.default_rng(3)
    gold = rng.integers(0, 2, 400)
    tasks = {t: (["accuracy"], names(gold), names(noisy(rng, gold, 0.75))) for t in "ab"}
    base = {t: [run(**{t: (["accuracy"], names(gold), names(noisy(rng, gold, 0.7)))})] for t in "ab"}
    found = compared([run(**tasks)], base, Resampling(10_000, 0))
    width = {t.task: t.delta.high - t.delta.low for t in found.tasks}
    assert found.mean.delta.high - found.mean.delta.low == pytest.approx(np.hypot(*width.values()) / 2, rel=0.05)
    assert found.mean.delta.value == pytest.approx(np.mean([t.delta.value for t in found.tasks]))


def test_the_mean_leaves_out_errors_and_tasks_without_a_baseline(run):
    acc, err = (["accuracy"], RIGHT, RIGHT), (["rmse"], [1.0, 2.0], [1.0, 2.5])
    base = {"a": [run(a=acc)], "b": [run(b=acc)], "e": [run(e=err)]}
    found = compared([run(a=acc, b=acc, c=acc, e=err)], base)
    assert found.mean.tasks == ("a", "b")
    assert "the mean is over a, b" in verdict_table([found])
    assert [task.baseline is None for task in found.tasks] == [False, False, True, False]


def test_rows_without_a_label_do_not_count(run):
    gold = [*RIGHT, None]
    (task,) = compared(
        [run(a=(["accuracy"], gold, [*RIGHT, "yes"]))], {"a": [run(a=(["accuracy"], gold, [*WRONG, "no"]))]}
    ).tasks
    assert (task.rows, task.run.score, task.baseline.score) == (40, 1.0, 0.0)


def test_other_rows_cannot_be_paired(run):
    ours = run(a=(["accuracy"], RIGHT, RIGHT))
    with pytest.raises(ConfigError, match=r"not scored on the same validation rows: 40 and 2 rows") as error:
        compared([ours], {"a": [run(a=(["accuracy"], RIGHT[:2], RIGHT[:2]))]})
    assert words(error).startswith(f"a: {ours.path} and ")
    with pytest.raises(ConfigError, match=r"row 0 is 'no' in one and 'yes' in the other"):
        compared([ours], {"a": [run(a=(["accuracy"], WRONG, WRONG))]})


def test_lost_and_damaged_predictions_are_told_of_all_tasks_at_once(run):
    fine = (["accuracy"], RIGHT, RIGHT)
    ours, other = run(a=fine, b=fine), {"a": [run(a=fine)], "b": [run(b=fine)]}
    (ours.path / "predictions/a.validation.jsonl").unlink()
    (ours.path / "predictions/b.validation.jsonl").write_text("{}\n")
    with pytest.raises(ConfigError) as error:
        compared([ours], other)
    assert "a.validation.jsonl is not there (it has no predictions of a): no row can be paired" in words(error)
    assert "b.validation.jsonl cannot be read as predictions of mtl" in words(error)


def test_a_prediction_that_is_no_label_is_told(run):
    fine = (["accuracy"], RIGHT, RIGHT)
    with pytest.raises(ConfigError, match=r"has a prediction or label that is not one of the labels no, yes: 'maybe'"):
        compared([run(a=fine)], {"a": [run(a=(["accuracy"], RIGHT, ["maybe", *RIGHT[1:]]))]})


def test_without_a_shared_task_there_is_nothing_to_compare(run):
    fine = (["accuracy"], RIGHT, RIGHT)
    with pytest.raises(ConfigError, match=r"it has the tasks a, the baselines have b: no shared task"):
        compared([run(a=fine)], {"b": [run(b=fine)]})


def test_baselines_of_different_configs_are_no_one_baseline(run):
    fine = (["accuracy"], RIGHT, RIGHT)
    with pytest.raises(ConfigError, match=r"differ in more than the seed: they are no one baseline"):
        compared([run(a=fine)], {"a": [run(a=fine, lr=1), run(a=fine, lr=2, seed=2)]})


def test_runs_are_grouped_over_seeds_and_no_seed_counts_twice(run):
    fine = (["accuracy"], RIGHT, RIGHT)
    runs = [run(a=fine, seed=2), run(a=fine, lr=1), run(a=fine, seed=1)]
    assert [group.seeds for group in grouped(runs)] == [[1, 2], [1]]
    with pytest.raises(ConfigError, match=r"have the same config and seed 1"):
        grouped([*runs, run(a=fine)])


@pytest.mark.parametrize(
    ("paths", "name"),
    [
        (["o/x/seed_1", "o/x/seed_2"], "o/x"),
        (["o/lr=1,seed=1", "o/lr=1,seed=2"], "o/lr=1"),
        (["o/seed=1,lr=1", "o/seed=2,lr=1"], "o/lr=1"),
        (["o/a", "o/b"], "a+b"),
        (["o/a"], "o/a"),
    ],
)
def test_a_group_is_named_by_what_its_folders_share(paths, name):
    runs = [FinishedRun(Path(p), {"seed": i, "tasks": {}}, Summary()) for i, p in enumerate(paths)]
    assert one(*runs).name == name


def test_the_table_says_what_it_rests_on(run):
    fine, bad = (["accuracy"], RIGHT, RIGHT), (["accuracy"], RIGHT, WRONG)
    text = verdict_table([compared([run(a=fine, note="bundled sample, not GLUE")], {"a": [run(a=bad, steps=4)]})])
    head, _, _, row, *basis = text.splitlines()
    assert head.endswith("beside its baselines")
    assert row.split("  ")[0] == "a"
    for cell in ("100.0", "0.0", "+100.0", "+100.0 .. +100.0", "better", "40", "10 / 4", "bundled sample, not GLUE"):
        assert cell in row
    assert basis[0] == "1 seed (1) beside 1 of the baselines; 2,000 paired resamples; steps: run / baseline"
    assert basis[1].startswith("one seed: the intervals hold the noise of the rows, not that of another seed")


def test_an_error_measure_is_no_per_cent(run):
    gold = [1.0, 2.0, 3.0]
    found = compared([run(a=(["rmse"], gold, [2.0, 3.0, 4.0]))], {"a": [run(a=(["rmse"], gold, gold))]})
    assert "1.000     0.000  +1.000  +1.000 .. +1.000  worse" in verdict_table([found])


def test_json_and_csv_hold_the_same_fractions(run):
    fine, bad = (["accuracy"], RIGHT, RIGHT), (["accuracy"], RIGHT, WRONG)
    found = compared([run(a=fine, b=fine, c=fine)], {"a": [run(a=bad)], "b": [run(b=fine)]})
    lines = list(csv.DictReader(io.StringIO(verdict_csv([found]))))
    assert [(line["task"], line["delta"], line["verdict"]) for line in lines] == [
        ("a", "1.0", "better"), ("b", "0.0", "within noise"), ("c", "", ""), ("mean", "0.5", "better"),
    ]  # fmt: skip
    (record,) = verdict_json([found])
    assert [task["delta"] and task["delta"]["value"] for task in record["tasks"]] == [1.0, 0.0, None]
    assert record["mean"]["delta"]["value"] == 0.5
