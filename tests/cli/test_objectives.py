"""A task whose objective needs no label, in a mix with one that is scored."""

import json
from pathlib import Path

import pytest

from tests.conftest import TINY

TASK = """# @package _global_
# mtl train task=domain
tasks:
  domain:
    kind: {name: unlabelled}
    objective: {name: mlm, rate: 0.2}
    text: [text]
    source: {files: {train: PATH}}
weights: {domain: 0.3}
"""


@pytest.fixture
def words(tmp_path):
    rows = [{"text": f"the {i}th text of a domain of its own"} for i in range(12)]
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "my/task").mkdir(parents=True)
    (tmp_path / "my/task/domain.yaml").write_text(TASK.replace("PATH", str(tmp_path / "texts.jsonl")))
    return ("--config-dir", str(tmp_path / "my"), "task=[rte,domain]", *TINY)


def test_unlabelled_texts_are_trained_on_beside_a_task_that_is_scored(mtl, words):
    result = mtl("train", *words, "train.steps=4", "train.log_every=1", "run.name=x")
    assert (result.code, result.err.count("Traceback")) == (0, 0), result.err
    records = [json.loads(line) for line in Path("outputs/x/metrics.jsonl").read_text().splitlines()]
    losses = [one["losses"]["domain"] for one in records if one["event"] == "train" and "domain" in one["losses"]]
    assert losses
    assert all(loss > 1 for loss in losses)
    assert list(json.loads(Path("outputs/x/summary.json").read_text())["tasks"]) == ["rte"]
    assert mtl("eval", "run=outputs/x").code == 0
    assert "has no labels, so there is nothing to score" in mtl("eval", "run=outputs/x", "task=domain", *words[:2]).err


def test_what_an_unlabelled_task_cannot_have_is_refused(mtl, words):
    lost = mtl("train", *words, "tasks.domain.objective.name=supervised", "~tasks.domain.objective.rate")
    needs = "'supervised' needs labels, which a task of kind unlabelled does not have. Use objective=mlm."
    assert f"tasks.domain.objective: {needs}" in lost.err
    by_scores = mtl("train", *words, "sampler=metric")
    assert "needs the scores of all tasks, and 'domain' has none" in by_scores.err
