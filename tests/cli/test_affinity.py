"""`mtl affinity` from the command line: a run of its own, a finished one, what it proposes, what is refused."""

import json
import os
import shlex
import signal
import subprocess
import sys

import pytest
import yaml

from tests.cli.conftest import command
from tests.cli.test_resume import content, wait_for
from tests.conftest import TINY

TASKS = ("task=[rte,sst2,stsb]", "train.steps=5", "measure.every=2", "optim.lr=1e-3")


@pytest.fixture(scope="module")
def measured(tmp_path_factory, cache):
    folder = tmp_path_factory.mktemp("affinity")
    result = command(folder, cache, "affinity", *TINY, *TASKS, "run.name=one", "branch_at=1", "k=3")
    assert result.code == 0, result.err
    assert result.out == "outputs/one\n"
    return folder / "outputs/one", result.err


def answer(run):
    return json.loads((run / "affinity.json").read_text())


def test_matrices_of_all_pairs_are_written(measured):
    run, _ = measured
    found = answer(run)
    assert found["tasks"] == ["rte", "sst2", "stsb"]
    assert found["steps"] == [1, 3, 5]
    for i in range(3):
        assert found["cosines"][i][i] == 1.0
        for j in range(3):
            assert found["cosines"][i][j] == found["cosines"][j][i]
    assert found["affinity"][0][1] != found["affinity"][1][0]
    assert all(found["affinity"][i][i] > 0 for i in range(3))
    assert found["score"] >= max(found["score_together"], found["score_alone"])
    assert [one["k"] for one in found["best"]] == [1, 2, 3]
    assert sorted(task for group in found["groups"] for task in group) == found["tasks"]


def test_the_tables_and_the_command_go_to_standard_error(measured):
    run, err = measured
    assert "look-ahead affinity" in err
    assert "cosines of the tasks' gradients (mean of 3 looks, standard error about" in err
    assert "proposed for k=3: " in err
    assert f"to train them: {answer(run)['command']}\n" in err


def test_the_printed_command_trains_the_proposed_groups(measured, mtl, monkeypatch):
    run, err = measured
    words = shlex.split(err.rpartition("to train them: ")[2])
    monkeypatch.chdir(run.parent.parent)
    assert words[:4] == ["mtl", "train", "--config-dir", "outputs/one/configs"]
    assert not any(word.startswith(("train.steps", "measure", "run.name", "k=", "branch_at")) for word in words)
    result = mtl(*words[1:], "train.steps=1", "eval.every=end", "run.name=groups")
    assert result.code == 0, result.err
    sharing = yaml.safe_load((run.parent / "groups/config.yaml").read_text())["sharing"]
    assert sharing == {"name": "groups", "groups": answer(run)["groups"], "branch_at": 1, "head_dropout": 0.1}
    listed = mtl("ls", "sharing", "--config-dir", "outputs/one/configs").out
    assert "Groups of tasks by affinity, score" in listed


def test_measuring_leaves_training_bit_for_bit_as_it_is(measured, mtl):
    run, _ = measured
    others = ("sampler=all_tasks", "eval.every=end", "eval.bootstrap=0", "diagnostics.every=null")
    words = [word for word in TASKS if not word.startswith("measure")]
    plain = mtl("train", *TINY, *words, *others, "run.name=plain")
    assert plain.code == 0, plain.err
    records, encoder, heads = content(run)
    expected, *weights = content(plain.run)
    assert [encoder, heads] == weights
    assert [record for record in records if record["event"] != "gradients"] == expected


def test_the_run_folder_is_one_of_mtl_train(measured, mtl):
    run, _ = measured
    assert "measure" not in yaml.safe_load((run / "config.yaml").read_text())
    assert mtl("eval", f"run={run}", "bootstrap=0").code == 0


def test_a_finished_run_is_measured_at_its_checkpoint(measured, mtl):
    run, _ = measured
    result = mtl("affinity", f"run={run}", "steps=3", "measure.params=1", "name=again")
    assert result.code == 0, result.err
    assert result.run == run / "affinity/again"
    found = answer(result.run)
    assert found["looks"] == 3
    assert found["affinity"] != answer(run)["affinity"]
    once_more = mtl("affinity", f"run={run}", "steps=3", "measure.params=1")
    assert answer(once_more.run)["affinity"] == found["affinity"]
    assert "sharing=affinity" in found["command"]
    assert (result.run / "configs/sharing/affinity.yaml").is_file()


def test_cosines_that_training_wrote_are_taken_without_computing(trained, mtl):
    result = mtl("affinity", "-q", f"run={trained}", "source=metrics", "measure.kind=cosine", "name=written")
    assert result.code == 0, result.err
    found = answer(result.run)
    looks = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    (look,) = [one for one in looks if one["event"] == "gradients"]
    assert found["cosines"][0][1] == look["cosines"]["rte/qnli"]
    assert found["affinity"] is None
    assert found["grouped_by"] == "cosines"
    refused = mtl("affinity", f"run={trained}", "source=metrics")
    assert refused.code == 1
    assert "there are cosines alone. Give measure.kind=cosine" in refused.err


def test_cosines_alone_look_not_ahead(mtl):
    result = mtl("affinity", *TINY, "task=[rte,sst2]", "train.steps=1", "measure.kind=cosine")
    assert result.code == 0, result.err
    assert result.run.name.startswith("affinity-rte+sst2-")
    assert answer(result.run)["affinity"] is None
    assert "look-ahead" not in result.err


def test_stopped_and_gone_on_with_it_comes_to_the_same(mtl, tmp_path, cache):
    words = ["affinity", *TINY, "task=[rte,sst2]", "train.steps=24", "measure.every=4", "checkpoint.every=5"]
    told = subprocess.Popen(
        [sys.executable, "-m", "mtl_cli.cli.app", *words, "run.name=told"], cwd=tmp_path, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env={**os.environ, "MTL_CACHE": str(cache), "MTL_OUTPUTS": "outputs"},
    )  # fmt: skip
    wait_for(tmp_path / "outputs/told/checkpoints/step_000005", told)
    told.send_signal(signal.SIGTERM)
    out, err = told.communicate(timeout=60)
    assert (told.returncode, out) == (143, "")
    again = shlex.split(err.rpartition("To go on: ")[2])
    assert again[:2] == ["mtl", "affinity"]
    assert not (tmp_path / "outputs/told/affinity.json").exists()
    other = mtl(*again[1:], "measure.look_ahead=0.5")
    assert other.code == 2
    assert "was measured with measure.look_ahead=0.001, asked is measure.look_ahead=0.5" in other.err
    resumed = mtl(*again[1:])
    assert (resumed.code, resumed.out) == (0, "outputs/told\n"), resumed.err
    whole = mtl(*words, "run.name=whole")
    first, second = answer(whole.run), answer(resumed.run)
    assert first["looks"] == 6
    assert {k: v for k, v in first.items() if k != "command"} == {k: v for k, v in second.items() if k != "command"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["task=rte"], "tasks: 'rte' is the only task: there is nothing to put together"),
        (["task=[rte,sst2]", "k=3"], "k: 2 tasks make at most 2 groups; found 3"),
        (["task=[rte,sst2]", "k=0"], "k: must be more than 0; found 0"),
        (["task=[rte,sst2]", "sampler=proportional"], "sampler: affinities need every task in each step"),
        (["task=[rte,sst2]", "optim.freeze=encoder"], "optim.freeze: with a frozen encoder"),
        (["task=[rte,sst2]", "weights.rte=0"], "weights.rte: a task of weight 0 has no gradient"),
        (["task=[rte,sst2]", "measure.params=nosuch"], "measure.params: no trained parameter that tasks share"),
        (["task=[rte,sst2]", "branch_at=2"], "branch_at: the encoder has 2 layers"),
        (["task=[rte,sst2]", "seeds=[1,2]"], "seeds: a measurement is one run"),
        (["task=[rte,sst2]", "baselines=true"], "baselines: a measurement has none"),
        (["task=[rte,sst2]", "diagnostics.every=3"], "diagnostics.every: 3 differs from measure.every=10"),
        (["task=[rte,sst2]", "measure.evry=3"], "measure.evry: unknown key. Did you mean 'measure.every'?"),
        (["task=[rte,sst2]", "measure.kind=tagg"], "measure.kind: 'tagg' is not one of 'both', 'tag', 'cosine'"),
        (["task=[rte,sst2]", "fabric.precision=bf16-mixed"], "fabric.precision: 'bf16-mixed' may be too coarse"),
        (["task=[rte,sst2]", "measure.look_ahead=0"], "measure.look_ahead: must be more than 0; found 0"),
    ],
)
def test_what_cannot_be_measured_is_refused_and_leaves_nothing(mtl, tmp_path, words, said):
    result = mtl("affinity", *TINY, *words)
    assert result.code == 2
    assert said in result.err
    assert not [path for path in (tmp_path / "outputs").glob("*") if path.is_dir()]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["k=5"], "k: the run's 4 tasks make at most 4 groups; found 5"),
        (["batch_size=2"], "batch_size: 2 has no room for all 4 tasks in each step"),
        (["measure.params=nosuch"], "measure.params: no trained parameter that tasks share"),
        (["checkpoint=step_9"], "checkpoint: there is no 'step_9'"),
        (["name=../x"], "name: must be one folder name; found '../x'"),
        (["branch_at=2"], "branch_at: the encoder has 2 layers"),
        (["task=rte"], "task: nothing of this group is chosen here. Available: measure, k,"),
        (["optim.lr=1"], "optim.lr: unknown key"),
    ],
)
def test_what_a_finished_run_cannot_answer_is_refused(trained, mtl, words, said):
    result = mtl("affinity", f"run={trained}", *words)
    assert result.code == 2
    assert said in result.err


def test_a_run_that_is_not_finished_or_not_there_is_refused(trained, mtl, tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x/config.yaml").write_text((trained / "config.yaml").read_text())
    result = mtl("affinity", "run=x")
    assert result.code == 1
    assert "run: x is not finished" in result.err
    assert "nowhere holds no run" in mtl("affinity", "run=nowhere").err


def test_the_config_is_printed_with_both_questions(mtl):
    shown = yaml.safe_load(mtl("affinity", "--cfg", "measure.every=7").out)
    assert shown["measure"]["every"] == shown["diagnostics"]["every"] == 7
    assert shown["sampler"] == {"name": "all_tasks"}
    assert yaml.safe_load(mtl("affinity", "--cfg", "run=x").out)["source"] == "checkpoint"
