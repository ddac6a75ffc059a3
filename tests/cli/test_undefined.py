"""Scores that are not defined: what chose the checkpoint is said, and what goes by such scores is refused."""

import json

import pytest

from tests.conftest import TINY

TASK = """# @package _global_
# mtl train task={name}
tasks:
  {name}:
    kind: {{name: regression, scale: standard, missing: null}}
    text: [text]
    label: label
    metrics: [pearson]
    source: {{files: {{train: train.jsonl, validation: validation.jsonl}}}}
weights: {{{name}: 1.0}}
"""


@pytest.fixture
def constant(mtl, tmp_path):
    """Words of a run on rte and on a task whose validation rows all have one label."""
    (tmp_path / "conf/task").mkdir(parents=True)
    (tmp_path / "conf/task/flat.yaml").write_text(TASK.format(name="flat"))
    rows = [{"text": f"text {i}", "label": i % 5} for i in range(12)]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "validation.jsonl").write_text("".join(json.dumps({**row, "label": 3}) + "\n" for row in rows))
    return (
        *TINY,
        "--config-dir",
        "conf",
        "train.steps=4",
        "eval.every=2",
        "batch.size=4",
        "data.limit=12",
        "eval.limit=12",
    )


def test_the_task_the_metric_and_the_reason_are_named_with_what_chose_the_checkpoint(mtl, constant):
    result = mtl("train", *constant, "task=[rte,flat]", "run.name=a")
    assert result.code == 0, result.err
    reason = "flat, pearson on validation: all labels are alike"
    assert f", by mean of what is defined, over rte (undefined: {reason})" in result.err
    assert f"undefined: {reason}\nso the mean over tasks is undefined too" in result.err
    summary = json.loads((result.run / "summary.json").read_text())
    assert summary["mean"] is None
    assert summary["undefined"] == [reason]
    assert summary["selected_by"].startswith("mean of what is defined, over rte")
    records = [json.loads(line) for line in (result.run / "metrics.jsonl").read_text().splitlines()]
    assert [r["undefined"] for r in records if r["event"] == "eval"] == [[reason]] * 2
    assert mtl("train", *constant, "task=rte", "run.name=b").code == 0
    table = mtl("runs", "ls")
    assert "mean of" in table.out
    assert reason in table.out


def test_patience_does_not_run_out_where_no_score_can_be_had(mtl, constant):
    result = mtl("train", *constant, "task=flat", "eval.patience=1", "eval.every=1", "run.name=a")
    assert result.code == 0, result.err
    assert "best checkpoint: step 4 of 4, by the last evaluation, as no task has a defined score" in result.err


@pytest.mark.parametrize("words", [("sampler=metric",), ("weighting=dtp",)])
def test_who_goes_by_scores_is_refused_before_anything_is_trained(mtl, constant, words, tmp_path):
    result = mtl("train", *constant, "task=[rte,flat]", *words)
    assert result.code == 2
    key = words[0].partition("=")[0]
    assert f"{key}: needs evaluation scores, and the pearson of 'flat' is undefined" in result.err
    assert "all labels of validation are alike" in result.err
    assert not list((tmp_path / "outputs").glob("*/checkpoints"))
