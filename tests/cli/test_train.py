"""`mtl train`: the run folder, the sum of losses, exit codes."""

import json
import math
from pathlib import Path

import pytest
import yaml

from tests.conftest import TINY

SHORT = (*TINY, "task=[rte,stsb]", "train.steps=6", "eval.every=3", "train.log_every=2")


def records(run, event):
    return [r for r in map(json.loads, (run / "metrics.jsonl").read_text().splitlines()) if r["event"] == event]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, cache):
    """One small run that several tests look at."""
    import os
    import subprocess
    import sys

    folder = tmp_path_factory.mktemp("run")
    words = ["train", *SHORT, "weights.stsb=0.5", "run.name=one"]
    shown = subprocess.run(
        [sys.executable, "-m", "mtl_cli.cli.app", *words], capture_output=True, text=True, cwd=folder, check=True,
        env={**os.environ, "MTL_CACHE": str(cache)},
    )  # fmt: skip
    return folder, shown


def test_standard_output_is_the_run_folder_alone(finished):
    _, shown = finished
    assert shown.stdout == "outputs/one\n"


def test_the_run_folder_holds_everything(finished):
    run = finished[0] / "outputs/one"
    for name in ("config.yaml", "overrides.txt", "env.json", "metrics.jsonl", "summary.json", "log.txt"):
        assert (run / name).stat().st_size, name
    assert {p.name for p in (run / "predictions").iterdir()} == {"rte.validation.jsonl", "stsb.validation.jsonl"}
    assert (run / "checkpoints/last").resolve().name == "step_000006"
    assert (run / "checkpoints/best").resolve().is_dir()
    assert "weights.stsb=0.5" in (run / "overrides.txt").read_text()


def test_nothing_pickled_is_left_behind(finished):
    suffixes = {p.suffix for p in (finished[0] / "outputs/one").rglob("*") if p.is_file()}
    assert suffixes <= {".json", ".jsonl", ".yaml", ".txt", ".safetensors", ""}


def test_the_encoder_loads_with_plain_transformers(finished):
    from transformers import AutoModel, AutoTokenizer

    folder = finished[0] / "outputs/one/checkpoints/best/encoder"
    model, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert model(**tokenizer("a text", return_tensors="pt")).last_hidden_state.shape[-1] == 32


def test_the_recorded_loss_is_the_weighted_sum_of_the_recorded_losses(finished):
    for record in records(finished[0] / "outputs/one", "train"):
        assert record["weights"] == {"rte": 1.0, "stsb": 0.5}
        expected = record["losses"]["rte"] + 0.5 * record["losses"]["stsb"]
        assert math.isclose(record["loss"], expected, rel_tol=1e-6)


def test_the_summary_has_scores_intervals_rows_and_costs(finished):
    summary = json.loads((finished[0] / "outputs/one/summary.json").read_text())
    rte = summary["tasks"]["rte"]["metrics"][0]
    assert rte["metric"] == "accuracy"
    assert rte["rows"] == summary["rows"]["rte"]["validation"]
    assert rte["low"] <= rte["value"] <= rte["high"]
    assert math.isclose(summary["mean"], sum(t["score"] for t in summary["tasks"].values()) / 2)
    assert summary["speed"]["examples_per_second"] > 0
    assert summary["peak_memory_mib"] > 100
    assert summary["weights"] == {"rte": 1.0, "stsb": 0.5}


def test_the_summary_agrees_with_the_predictions(finished):
    run = finished[0] / "outputs/one"
    rows = [json.loads(line) for line in (run / "predictions/rte.validation.jsonl").read_text().splitlines()]
    accuracy = sum(r["prediction"] == r["label"] for r in rows) / len(rows)
    assert math.isclose(accuracy, json.loads((run / "summary.json").read_text())["tasks"]["rte"]["score"])
    assert all(math.isclose(sum(r["scores"].values()), 1, abs_tol=1e-5) for r in rows)


def test_every_place_that_shows_a_bundled_score_says_so(finished, mtl):
    folder, shown = finished
    run = folder / "outputs/one"
    note = "bundled sample, not GLUE"
    assert shown.stderr.count(note) >= 4
    assert json.loads((run / "summary.json").read_text())["note"] == note
    assert note in records(run, "eval")[0]["tasks"]["rte"]["note"]
    assert note in json.dumps(json.loads((run / "env.json").read_text())["data"])
    assert note in mtl("runs", "ls", run.parent).out
    assert note in mtl("eval", f"run={run}", "bootstrap=0").err


def test_the_environment_records_versions_seed_and_fingerprints(finished):
    env = json.loads((finished[0] / "outputs/one/env.json").read_text())
    assert env["seed"] == 1
    assert env["packages"]["torch"]
    data = env["data"]["rte.train"]
    assert len(data["fingerprint"]) == 64
    assert data["rows"] >= 96


def test_a_regression_target_is_predicted_in_its_own_units(finished):
    rows = (finished[0] / "outputs/one/predictions/stsb.validation.jsonl").read_text().splitlines()
    predictions = [json.loads(line)["prediction"] for line in rows]
    assert 0.5 < sum(predictions) / len(predictions) < 4.5  # the mean target is near 2.4; scaled ones would be near 0


def test_off_a_terminal_progress_is_plain_lines(finished):
    _, shown = finished
    assert "eval step=3/6 mean=" in shown.stderr
    assert "\x1b" not in shown.stderr


def test_cfg_prints_the_composed_config_and_runs_nothing(mtl, tmp_path):
    result = mtl("train", "task=rte", "optim.lr=0.5", "--cfg")
    assert yaml.safe_load(result.out)["optim"]["lr"] == 0.5
    assert list(tmp_path.iterdir()) == []


def test_the_default_name_has_tasks_and_date(mtl):
    name = mtl("train", *TINY, "task=rte", "train.steps=1").run.name
    assert name.startswith("rte-20")


def test_a_name_that_is_taken_is_an_error_and_leaves_the_run_alone(finished, mtl):
    before = (finished[0] / "outputs/one/summary.json").read_text()
    result = mtl("train", *SHORT, "run.name=one", f"run.outputs={finished[0]}/outputs")
    assert result.code == 2
    assert "holds a run already, which is finished" in result.err
    assert (finished[0] / "outputs/one/summary.json").read_text() == before


def test_skip_leaves_a_finished_run_as_it_is(finished, mtl):
    words = [*SHORT, "weights.stsb=0.5", "run.name=one", f"run.outputs={finished[0]}/outputs", "run.if_exists=skip"]
    result = mtl("train", *words)
    assert result.code == 0
    assert "is finished: nothing to do" in result.err
    assert result.run == finished[0] / "outputs/one"


def test_one_task_alone_trains_like_plain_training(mtl):
    both = mtl("train", *TINY, "task=rte", "train.steps=3", "train.log_every=1", "run.name=a").run
    single = mtl(
        "train",
        *TINY,
        "task=rte",
        "train.steps=3",
        "train.log_every=1",
        "weighting=static",
        "sampler=all_tasks",
        "run.name=b",
    ).run
    assert [r["loss"] for r in records(both, "train")] == [r["loss"] for r in records(single, "train")]


def test_a_run_of_all_samplers_and_schedules(mtl):
    samplers = ["uniform", "temperature", "round_robin", "all_tasks", "explicit sampler.chances={rte:1,sst2:2}"]
    schedules = ["cosine", "constant", "polynomial", "inverse_sqrt", "linear"]
    for sampler, schedule in zip(samplers, schedules, strict=True):
        words = [*TINY, "task=[rte,sst2]", "train.steps=2", f"schedule={schedule}", *f"sampler={sampler}".split()]
        assert mtl("train", *words).code == 0


def test_options_of_the_optimiser_and_of_memory_train(mtl):
    words = [
        "optim.freeze=1",
        "optim.layer_decay=0.9",
        "optim.head_lr=1e-3",
        "optim.clip_norm=null",
        "batch.micro_size=4",
        "batch.window=3",
    ]
    assert mtl("train", *TINY, "task=rte", "train.steps=2", "train.gradient_checkpointing=true", *words).code == 0


def test_micro_batches_change_no_loss(mtl):
    words = [
        *TINY,
        "backbone.dropout=0",
        "sharing.head_dropout=0",
        "task=[rte,sst2]",
        "train.steps=3",
        "train.log_every=1",
    ]
    whole = records(mtl("train", *words, "batch.pass_cost=100000", "run.name=a").run, "train")
    cut = records(mtl("train", *words, "batch.micro_size=3", "run.name=b").run, "train")
    for one, other in zip(whole, cut, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-5)


def test_early_stopping_ends_a_run_and_keeps_the_best(mtl):
    words = [*TINY, "task=rte", "train.steps=50", "eval.every=1", "eval.patience=2", "eval.min_delta=1.0"]
    run = mtl("train", *words).run
    summary = json.loads((run / "summary.json").read_text())
    assert summary["stopped_early"]
    assert (summary["steps"], summary["best_step"]) == (3, 1)
    assert (run / "checkpoints/best").resolve().name == "step_000001"


def test_a_task_that_drowns_the_others_is_named(mtl):
    result = mtl(
        "train", *TINY, "task=[rte,stsb,sst2]", "train.steps=10", "tasks.stsb.kind.scale=none", "weights.stsb=10"
    )
    assert "the weighted loss of task 'stsb' is" in result.err
    assert "it drowns them" in result.err


def test_mnli_is_scored_on_both_of_its_sets(mtl, tmp_path):
    folder = tmp_path / "data/mnli"
    folder.mkdir(parents=True)
    rows = "".join(
        json.dumps({"premise": f"it is {i}", "hypothesis": f"is it {i % 5}", "label": i % 3}) + "\n" for i in range(12)
    )
    for name in ("train", "validation_matched", "validation_mismatched"):
        (folder / f"{name}.jsonl").write_text(rows)
    run = mtl("train", *TINY, "data.source=local", f"data.root={tmp_path}/data", "task=mnli", "train.steps=1").run
    sets = [m["set_name"] for m in json.loads((run / "summary.json").read_text())["tasks"]["mnli"]["metrics"]]
    assert sets == ["validation_matched", "validation_mismatched"]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_a_users_own_task_is_one_yaml_over_a_file(mtl, tmp_path, suffix):
    rows = [
        {"message": f"number {i} is {'even' if i % 2 == 0 else 'odd'}", "kind": ["even", "odd"][i % 2]}
        for i in range(20)
    ]
    path = tmp_path / f"mine.{suffix}"
    write(path, rows)
    (tmp_path / "my/task").mkdir(parents=True)
    (tmp_path / "my/task/mine.yaml").write_text(f"""# @package _global_
tasks:
  mine:
    kind: {{name: classification, labels: [even, odd]}}
    text: [message]
    label: kind
    metrics: [accuracy, f1]
    source: {{files: {{train: {path}, validation: {path}}}}}
weights: {{mine: 1.0}}
""")
    result = mtl("train", *TINY, "task=mine", "train.steps=1", "--config-dir", tmp_path / "my")
    assert result.code == 0, result.err
    assert "file: mine 20/20" in result.err
    assert "mine" in mtl("ls", "task", "--config-dir", tmp_path / "my").out


def write(path: Path, rows):
    if path.suffix == ".parquet":
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    else:
        comma = "," if path.suffix == ".csv" else "\t"
        path.write_text("\n".join([comma.join(rows[0]), *(comma.join(r.values()) for r in rows)]) + "\n")


def test_a_limit_scores_some_labelled_rows_of_each_validation_set_and_predictions_keep_their_numbers(mtl):
    whole, some = (
        mtl("train", *TINY, "task=rte", "train.steps=2", "eval.every=end", *words) for words in ((), ("eval.limit=9",))
    )
    assert some.code == 0, some.err
    read = [
        [json.loads(line) for line in (r.run / "predictions/rte.validation.jsonl").read_text().splitlines()]
        for r in (whole, some)
    ]
    numbers = [row["row"] for row in read[1]]
    assert (len(numbers), numbers) == (9, sorted(numbers))
    assert read[1] == [read[0][number] for number in numbers]
    metrics = json.loads((some.run / "summary.json").read_text())["tasks"]["rte"]["metrics"]
    assert [metric["rows"] for metric in metrics] == [9]
