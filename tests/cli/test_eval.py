"""`mtl eval`: the scores of training again, other data for a head, files of one's own, and what is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

RTE = ("task=rte", "bootstrap=0")
OTHER = {"entailment": "not_entailment", "not_entailment": "entailment"}


def jsonl(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def summary(result):
    assert result.code == 0, result.err
    return json.loads((result.run / "summary.json").read_text())


def copy(run, to):
    return shutil.copytree(run, to, symlinks=True, ignore=shutil.ignore_patterns("evals"))


def pairs(predictions, labels, n=12):
    """Rows of rte with labels of our choice, made from the run's own predictions."""
    import mtl_cli

    rows = jsonl(Path(mtl_cli.__file__).parent / "tasks/bundled/rte/validation.jsonl")
    return [
        {"sentence1": row["sentence1"], "sentence2": row["sentence2"], "label": labels(p)}
        for row, p in list(zip(rows, predictions, strict=True))[:n]
    ]


@pytest.fixture(scope="module")
def answers(trained):
    """What the best checkpoint predicted for the rows of rte."""
    return [row["prediction"] for row in jsonl(trained / "predictions/rte.validation.jsonl")]


def own_task(tmp_path, file, labels, metrics="[accuracy, f1]"):
    """Words for a task `mine` over a file."""
    folder = tmp_path / "my/task"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(f"""# @package _global_
tasks:
  mine:
    kind: {{name: classification, labels: [{labels}]}}
    text: [sentence1, sentence2]
    label: label
    metrics: {metrics}
    source: {{files: {{validation: {file}}}}}
weights: {{mine: 1.0}}
""")
    return "task=mine", "--config-dir", tmp_path / "my"


def test_the_best_checkpoint_scores_as_in_the_runs_summary(trained, mtl):
    found = summary(mtl("eval", f"run={trained}", "bootstrap=20"))
    expected = json.loads((trained / "summary.json").read_text())
    assert found["tasks"] == expected["tasks"]
    assert found["mean"] == expected["mean"]
    assert found["checkpoint"] == f"step_{expected['best_step']:06d}"


def test_the_predictions_are_those_of_the_run(trained, mtl):
    run = mtl("eval", f"run={trained}", "bootstrap=0").run
    for file in (trained / "predictions").iterdir():
        assert jsonl(run / "predictions" / file.name) == jsonl(file)


def test_standard_output_is_the_folder_alone(trained, mtl):
    result = mtl("eval", f"run={trained}", "bootstrap=0", "name=mine")
    assert result.out == f"{trained}/evals/mine\n"
    assert "on validation" in result.err


def test_the_same_question_has_the_same_folder_and_another_has_another(trained, mtl):
    first = mtl("eval", f"run={trained}", *RTE, "checkpoint=last").run
    assert mtl("eval", f"run={trained}", *RTE, "checkpoint=last").run == first
    assert mtl("eval", f"run={trained}", *RTE, "checkpoint=last", "data.max_length=64").run != first


def test_padding_more_rows_together_changes_no_score(trained, mtl):
    together, alone = (
        jsonl(
            mtl("eval", f"run={trained}", "task=stsb", "bootstrap=0", f"batch_tokens={n}").run
            / "predictions/stsb.validation.jsonl"
        )
        for n in (100000, 1)
    )
    assert [r["prediction"] for r in together] == pytest.approx([r["prediction"] for r in alone], abs=1e-5)


def test_checkpoints_are_found_by_step_and_by_folder(trained, mtl):
    by_step = summary(mtl("eval", f"run={trained}", *RTE, "checkpoint=step_000002"))
    by_path = summary(mtl("eval", f"run={trained}", *RTE, f"checkpoint={trained}/checkpoints/step_000002"))
    assert by_step["checkpoint"] == by_path["checkpoint"] == "step_000002"
    assert by_step["tasks"] == by_path["tasks"]


def test_a_checkpoint_that_is_not_there_lists_those_that_are(trained, mtl):
    result = mtl("eval", f"run={trained}", "checkpoint=step_000003")
    assert result.code == 2
    assert "there is no 'step_000003'" in result.err
    assert "Available: step_000002, step_000004, best, last." in result.err


def test_a_checkpoint_of_another_run_is_told(trained, mtl, tmp_path):
    other = copy(trained, tmp_path / "run")
    config = (other / "config.yaml").read_text().replace("  stsb:", "  similar:").replace("stsb: 1.0", "similar: 1.0")
    (other / "config.yaml").write_text(config)
    result = mtl("eval", f"run={other}")
    assert result.code == 2
    assert "is of another run: it has no head for similar" in result.err


def test_a_run_that_is_not_there_names_those_beside_it(trained, mtl):
    result = mtl("eval", f"run={trained.parent}/two")
    assert (result.code, result.out) == (2, "")
    assert f"{trained.parent}/two holds no run (no config.yaml). Runs there: one." in result.err


@pytest.mark.parametrize("name", ["encoder/model.safetensors", "heads.safetensors", "state.json"])
def test_one_changed_byte_is_found_and_the_file_named(trained, mtl, tmp_path, name):
    run = copy(trained, tmp_path / "run")
    file = run / "checkpoints/best" / name
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    result = mtl("eval", f"run={run}")
    assert (result.code, result.out) == (1, "")
    assert f"is damaged: the content of {name} has changed" in result.err
    assert not (run / "evals").exists()


def test_a_split_that_is_not_there_says_where_was_looked(trained, mtl):
    result = mtl("eval", f"run={trained}", "split=test")
    assert (result.code, result.out) == (2, "")
    assert "task 'rte': no test rows found" in result.err
    assert "the sample has no test split" in result.err


def test_an_unknown_split_is_refused(trained, mtl):
    result = mtl("eval", f"run={trained}", "split=dev")
    assert result.code == 2
    assert "split: 'dev' is not one of 'train', 'validation', 'test'" in result.err


def test_class_ids_of_another_task_are_read_in_its_own_order(trained, mtl, tmp_path, answers):
    ids = {"not_entailment": 0, "entailment": 1}  # wnli counts the other way round than rte
    write(tmp_path / "data/wnli/validation.jsonl", pairs(answers, ids.get))
    words = ("task=wnli", "heads={wnli:rte}", f"data.root={tmp_path}/data", "bootstrap=0")
    result = mtl("eval", f"run={trained}", *words)
    found = summary(result)
    assert found["tasks"]["wnli"]["score"] == 1.0
    assert found["heads"] == {"wnli": "rte"}
    rows = jsonl(result.run / "predictions/wnli.validation.jsonl")
    assert all(row["label"] == row["prediction"] == max(row["scores"], key=row["scores"].get) for row in rows)
    flipped = pairs([OTHER[a] for a in answers], ids.get)
    write(tmp_path / "data/wnli/validation.jsonl", flipped)
    assert summary(mtl("eval", f"run={trained}", *words))["tasks"]["wnli"]["score"] == 0.0


@pytest.mark.parametrize("labels", ["entailment, not_entailment", "not_entailment, entailment"])
def test_f1_is_that_of_the_asked_tasks_own_second_class(trained, mtl, tmp_path, answers, labels):
    gold = [a if i % 3 else OTHER[a] for i, a in enumerate(answers)]
    file = write(tmp_path / "mine.jsonl", pairs(gold, str))
    found = summary(mtl("eval", f"run={trained}", *own_task(tmp_path, file, labels), "heads={mine:rte}"))
    own = labels.split(", ")[1]
    expected = f1_score(gold[:12], answers[:12], pos_label=own, zero_division=0)
    assert [m["value"] for m in found["tasks"]["mine"]["metrics"]] == [pytest.approx(8 / 12), pytest.approx(expected)]


def test_the_only_head_with_the_labels_is_taken_and_said_so(trained, mtl, tmp_path):
    rows = [{"sentence1": "good", "sentence2": "film", "label": "positive"}]
    words = own_task(tmp_path, write(tmp_path / "mine.jsonl", rows), "positive, negative")
    result = mtl("eval", f"run={trained}", *words, "bootstrap=0")
    assert summary(result)["heads"] == {"mine": "sst2"}
    assert "mine is scored by the head of sst2" in result.err


def test_several_fitting_heads_are_named(trained, mtl):
    result = mtl("eval", f"run={trained}", "task=wnli")
    assert result.code == 2
    assert "the run was not trained on 'wnli', and several fit: rte, qnli." in result.err
    assert "Give 'heads={wnli: rte}' or 'heads={wnli: qnli}'" in result.err


def test_a_task_whose_labels_no_head_has(trained, mtl):
    result = mtl("eval", f"run={trained}", "task=cola")
    assert result.code == 2
    assert (
        "no head has its labels. Heads: rte, qnli, sst2, stsb. Choose another task, or a run that was trained on 'cola'"
        in result.err
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("task=cola", "heads={cola:rte}"), "heads.cola: head 'rte' has no label acceptable, unacceptable"),
        (("task=cola", "heads={cola:stsb}"), "heads.cola: head 'stsb' is for regression, the task is classification"),
        (("task=cola", "heads={cola:rtee}"), "heads.cola: the run has no head 'rtee'. Did you mean 'rte'?"),
        (("task=cola", "heads={col:rte}"), "heads.col: no task has this name. Did you mean 'cola'?"),
        (("task=rte", "tasks.rte.kind.labels=[yes,no]"), "heads.rte: head 'rte' has no label"),
        (("files={rtee:x.jsonl}",), "files.rtee: no task has this name. Did you mean 'rte'?"),
        (("files={rte:x.jsonl}",), "task 'rte': there is no file x.jsonl"),
        (("name=a/b",), "name: must be one folder name; found 'a/b'"),
        (("data.max_length=600",), "asks for 600 tokens, but the backbone takes at most 512"),
    ],
)
def test_what_does_not_fit_is_told(trained, mtl, words, message):
    result = mtl("eval", f"run={trained}", *words)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


def test_a_file_of_ones_own_takes_the_place_of_the_tasks_rows(trained, mtl, tmp_path, answers):
    file = write(tmp_path / "x.jsonl", pairs(answers, str, 5))
    result = mtl("eval", f"run={trained}", f"files={{rte:{file}}}", "split=test", "bootstrap=0")
    found = summary(result)
    assert list(found["tasks"]) == ["rte"]
    assert found["tasks"]["rte"]["metrics"][0]["rows"] == 5
    assert found["tasks"]["rte"]["score"] == 1.0
    assert found["data"]["rte.test"]["place"] == "file"
    assert found["note"] == ""
    assert [p.name for p in (result.run / "predictions").iterdir()] == ["rte.test.jsonl"]


def test_without_a_label_column_there_are_predictions_and_no_score(trained, mtl, tmp_path, answers):
    rows = [{k: v for k, v in row.items() if k != "label"} for row in pairs(answers, str)]
    result = mtl("eval", f"run={trained}", f"files={{rte:{write(tmp_path / 'x.jsonl', rows)}}}")
    found = summary(result)
    assert "warning  rte: the validation split has no labels: predictions are written" in result.err
    assert (found["tasks"], found["mean"]) == ({}, None)
    written = jsonl(result.run / "predictions/rte.validation.jsonl")
    assert [row["label"] for row in written] == [None] * 12
    assert [row["prediction"] for row in written] == answers[:12]


def test_rows_without_a_label_are_predicted_and_not_scored(trained, mtl, tmp_path, answers):
    rows = pairs(answers, str)
    rows[3]["label"] = rows[7]["label"] = -1
    result = mtl("eval", f"run={trained}", f"files={{rte:{write(tmp_path / 'x.jsonl', rows)}}}", "bootstrap=0")
    metric = summary(result)["tasks"]["rte"]["metrics"][0]
    assert (metric["rows"], metric["value"]) == (10, 1.0)
    assert len(jsonl(result.run / "predictions/rte.validation.jsonl")) == 12


def test_numbers_are_predicted_in_their_own_units(trained, mtl, tmp_path):
    rows = [{"sentence1": "a", "sentence2": "b", "label": 2.5}, {"sentence1": "c", "sentence2": "d", "label": 4}]
    run = mtl("eval", f"run={trained}", f"files={{stsb:{write(tmp_path / 'x.jsonl', rows)}}}", "bootstrap=0").run
    written = jsonl(run / "predictions/stsb.validation.jsonl")
    assert [row["label"] for row in written] == [2.5, 4]
    assert np.mean([row["prediction"] for row in written]) > 0.5  # the mean target is near 2.4; scaled ones are near 0


def test_cfg_prints_the_config_and_runs_nothing(mtl):
    result = mtl("eval", "run=nowhere", "split=test", "--cfg")
    assert result.code == 0
    assert "split: test" in result.out


def test_a_run_that_trained_nothing_is_told_as_such(mtl):
    assert mtl("zeroshot", "backbone=tiny", "--labels", "a,b", "--text", "x", "--out", "asked").code == 0
    for words in (("eval",), ("zeroshot", "--labels", "a,b", "--text", "x"), ("doctor", "--labels", "a,b")):
        result = mtl(*words, "run=outputs/asked")
        assert (result.code, result.out) == (2, "")
        assert "run: outputs/asked is a run of `mtl zeroshot`, which trains nothing: it has no checkpoint" in result.err
        assert "mtl runs show outputs/asked. Give a run of `mtl train`" in result.err
