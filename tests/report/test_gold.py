import csv
import io
from collections import Counter

from mtl_cli.metrics.calibration import Coverage
from mtl_cli.report.gold import confusion_text, coverage_csv, coverage_table


def test_a_confusion_matrix_has_gold_labels_down_and_answers_across():
    text = confusion_text(["a", "b"], Counter({("a", "a"): 5, ("a", "b"): 2, ("b", "b"): 1200}))
    assert [line.split() for line in text.splitlines()[1:]] == [
        ["a", "b"], ["-", "-", "-----"], ["a", "5", "2"], ["b", "0", "1,200"],
    ]  # fmt: skip


def test_more_than_twelve_labels_show_the_pairs_that_are_confused_most():
    names = [f"l{i}" for i in range(13)]
    pairs = Counter({("l0", "l1"): 3, ("l1", "l0"): 7, ("l2", "l2"): 99})
    lines = confusion_text(names, pairs).splitlines()
    assert "confused most" in lines[0]
    assert [line.split() for line in lines[3:]] == [["l1", "l0", "7"], ["l0", "l1", "3"]]
    assert confusion_text(names, Counter({("l2", "l2"): 9})) == "no label was taken for another"
    assert "rows by gold" in confusion_text(names[:12], pairs)


CURVE = [Coverage(1 - i / 20, i, i / 20, 1 - i / 40) for i in range(1, 21)]


def test_a_curve_s_table_has_a_line_for_each_tenth():
    lines = coverage_table(CURVE).splitlines()[3:]
    assert [line.split()[1] for line in lines] == [f"{tenth * 10}.0" for tenth in range(1, 11)]
    assert len(coverage_table([Coverage(0.5, 4, 1.0, 0.5)]).splitlines()) == 4


def test_a_curve_s_file_has_all_points():
    found = list(csv.DictReader(io.StringIO(coverage_csv(CURVE))))
    assert [float(row["coverage"]) for row in found] == [p.coverage for p in CURVE]
    assert list(found[0]) == ["threshold", "answered", "coverage", "accuracy"]
