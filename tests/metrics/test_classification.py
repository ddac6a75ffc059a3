import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from mtl_cli.metrics.classification import Accuracy, BinaryF1, MacroF1, Matthews

ALL = [Accuracy(), BinaryF1(), MacroF1(), Matthews()]


def reference(metric, gold, predicted):
    if isinstance(metric, Accuracy):
        return accuracy_score(gold, predicted)
    if isinstance(metric, BinaryF1):
        return f1_score(gold, predicted, zero_division=0)
    if isinstance(metric, MacroF1):
        return f1_score(gold, predicted, average="macro", zero_division=0)
    return matthews_corrcoef(gold, predicted)


def series(seed, rows, classes):
    rng = np.random.default_rng(seed)
    gold = rng.integers(0, classes, rows)
    return gold, np.where(rng.random(rows) < 0.6, gold, rng.integers(0, classes, rows))


@pytest.mark.parametrize("metric", ALL, ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("seed", range(4))
def test_two_classes_score_as_in_scikit_learn(metric, seed):
    gold, predicted = series(seed, 57, 2)
    assert metric.evaluate(gold, predicted, 2) == pytest.approx(reference(metric, gold, predicted), abs=1e-12)


@pytest.mark.parametrize("metric", [Accuracy(), MacroF1(), Matthews()], ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("classes", [3, 7, 30])
def test_many_classes_score_as_in_scikit_learn(metric, classes):
    gold, predicted = series(classes, 91, classes)
    assert metric.evaluate(gold, predicted, classes) == pytest.approx(reference(metric, gold, predicted), abs=1e-12)


@pytest.mark.filterwarnings("ignore:A single label was found")  # scikit-learn's own
@pytest.mark.parametrize("metric", ALL, ids=lambda m: type(m).__name__)
@pytest.mark.parametrize(
    ("gold", "predicted"),
    [
        ([0, 1, 1, 0], [0, 0, 0, 0]),
        ([0, 1, 1, 0], [1, 1, 1, 1]),
        ([0, 0, 0], [0, 0, 0]),
        ([1, 1], [1, 1]),
        ([0, 0], [1, 1]),
        ([1], [0]),
    ],
)
def test_constant_series_score_as_in_scikit_learn(metric, gold, predicted):
    assert metric.evaluate(np.array(gold), np.array(predicted), 2) == pytest.approx(
        reference(metric, gold, predicted), abs=1e-12
    )


@pytest.mark.parametrize("metric", [Accuracy(), MacroF1(), Matthews()], ids=lambda m: type(m).__name__)
def test_a_class_that_occurs_nowhere_changes_nothing(metric):
    gold, predicted = np.array([0, 2, 2, 0, 2]), np.array([0, 2, 0, 0, 2])
    assert metric.evaluate(gold, predicted, 4) == pytest.approx(reference(metric, gold, predicted), abs=1e-12)


@pytest.mark.parametrize("metric", [Accuracy(), MacroF1(), Matthews()], ids=lambda m: type(m).__name__)
def test_renaming_the_classes_changes_nothing(metric):
    gold, predicted = series(0, 40, 5)
    names = np.array([3, 0, 4, 1, 2])
    assert metric.evaluate(names[gold], names[predicted], 5) == pytest.approx(
        metric.evaluate(gold, predicted, 5), abs=1e-12
    )


def test_values_worked_out_by_hand():
    # tp 2, fp 1, fn 1, tn 1
    gold, predicted = np.array([1, 1, 1, 0, 0]), np.array([1, 1, 0, 1, 0])
    assert Accuracy().evaluate(gold, predicted, 2) == pytest.approx(3 / 5)
    assert BinaryF1().evaluate(gold, predicted, 2) == pytest.approx(4 / 6)
    assert MacroF1().evaluate(gold, predicted, 2) == pytest.approx((4 / 6 + 2 / 4) / 2)
    assert Matthews().evaluate(gold, predicted, 2) == pytest.approx((2 * 1 - 1 * 1) / np.sqrt(3 * 3 * 2 * 2))


def test_a_million_rows_do_not_overflow_matthews():
    gold, predicted = series(1, 1_000_000, 3)
    assert Matthews().evaluate(gold, predicted, 3) == pytest.approx(0.6, abs=0.01)


@pytest.mark.parametrize("metric", ALL, ids=lambda m: type(m).__name__)
def test_a_metric_of_classes_is_refused_for_numbers(metric):
    with pytest.raises(ValueError, match=r"is for classes; this task predicts numbers$"):
        metric.check("numbers", 0)


def test_f1_is_refused_for_three_classes():
    with pytest.raises(ValueError, match=r"is for two classes; this task has 3$"):
        BinaryF1().check("classes", 3)
    BinaryF1().check("classes", 2)
    MacroF1().check("classes", 3)


def test_f1_counts_a_prediction_of_a_third_class_as_a_miss():
    gold, predicted = np.array([1, 1, 0, 0, 1]), np.array([1, 2, 2, 1, 1])
    expected = f1_score(gold, predicted, labels=[1], average="macro")
    assert BinaryF1().evaluate(gold, predicted, 3) == pytest.approx(expected)


@pytest.mark.parametrize("metric", [MacroF1(), Matthews()], ids=lambda m: type(m).__name__)
def test_a_thousand_classes_keep_three_numbers_a_row_and_score_as_in_scikit_learn(metric):
    gold, predicted = series(2, 400, 1000)
    statistics = metric.statistics(gold, predicted, 1000)
    assert (statistics.shape, statistics.nnz) == ((400, 3000), 1200)
    times_RN = np.random.default_rng(0).multinomial(400, [1 / 400] * 400, size=3)
    rows_RN = [np.repeat(np.arange(400), times_N) for times_N in times_RN]
    expected = [reference(metric, gold[rows], predicted[rows]) for rows in rows_RN]
    assert metric.resampled(times_RN.astype(float), statistics).tolist() == pytest.approx(expected, abs=1e-12)
