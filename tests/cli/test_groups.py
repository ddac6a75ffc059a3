"""`sharing=groups` from the command line: train, resume, evaluate, zero-shot, and what is refused."""

import json
import shutil
import signal

import pytest
from safetensors.torch import load_file
from transformers import AutoModel

from tests.cli.conftest import command
from tests.cli.test_resume import content, start, wait_for
from tests.conftest import TINY

GROUPS = ("sharing=groups", "sharing.groups=[[rte,stsb],[sst2]]", "sharing.branch_at=1")


@pytest.fixture(scope="module")
def run(tmp_path_factory, cache):
    folder = tmp_path_factory.mktemp("groups")
    words = ("task=[rte,sst2,stsb]", "train.steps=4", "eval.every=2", "optim.lr=1e-3", "run.name=one")
    result = command(folder, cache, "train", *TINY, *GROUPS, *words)
    assert result.code == 0, result.err
    return folder / "outputs/one"


def test_the_stored_checkpoint_scores_as_training_did(run, mtl):
    result = mtl("eval", f"run={run}", "bootstrap=20")
    assert result.code == 0, result.err
    expected = json.loads((run / "summary.json").read_text())
    assert json.loads((result.run / "summary.json").read_text())["tasks"] == expected["tasks"]
    for file in (run / "predictions").iterdir():
        assert (result.run / "predictions" / file.name).read_text() == file.read_text()


def test_the_encoder_folder_is_that_of_the_first_group(run, mtl):
    assert AutoModel.from_pretrained(run / "checkpoints/best/encoder").config.num_hidden_layers == 2
    result = mtl("zeroshot", f"run={run}", "--labels", "good,bad", "--text", "a fine film")
    assert result.code == 0, result.err
    assert "of the run's encoders, this is the one of its first group: rte, stsb" in result.err


def test_a_run_of_other_groups_does_not_take_the_checkpoint(run, mtl, tmp_path):
    other = shutil.copytree(run, tmp_path / "run", symlinks=True)
    text = (other / "config.yaml").read_text()
    changed = text.replace("  branch_at: 1", "  branch_at: 0")
    assert changed != text
    (other / "config.yaml").write_text(changed)
    result = mtl("eval", f"run={other}")
    assert result.code == 2
    assert "has not sharing.branches.1.encoder.embeddings.word_embeddings.weight" in result.err
    assert "which this model needs" in result.err


def test_killed_without_warning_then_resumed_is_the_same_run(tmp_path, cache):
    names = ("whole", "killed")
    whole = start(tmp_path, cache, names[0], *GROUPS)
    _, err = whole.communicate(timeout=180)
    assert whole.returncode == 0, err
    killed = start(tmp_path, cache, names[1], *GROUPS)
    wait_for(tmp_path / "outputs/killed/checkpoints/step_000010", killed)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    resumed = start(tmp_path, cache, names[1], *GROUPS, "run.if_exists=resume")
    _, err = resumed.communicate(timeout=180)
    assert resumed.returncode == 0, err
    assert "resume   from step_0000" in err
    assert content(tmp_path / "outputs/killed") == content(tmp_path / "outputs/whole")


def test_one_group_of_all_tasks_is_the_run_of_hard_sharing(mtl):
    words = ("train", *TINY, "task=[rte,sst2]", "train.steps=3", "eval.every=end")
    one = mtl(*words, "run.name=one", "sharing=groups", "sharing.groups=[[rte,sst2]]")
    other = mtl(*words, "run.name=other", "sharing=hard")
    assert one.code == other.code == 0, one.err + other.err
    assert content(one.run) == content(other.run)


def apart(run):
    """How far the second group's encoder is from the first one's at most, by depth."""
    first = load_file(run / "checkpoints/last/encoder/model.safetensors")
    prefix = "sharing.branches.1.encoder."
    second = {n.removeprefix(prefix): t for n, t in load_file(run / "checkpoints/last/heads.safetensors").items()}
    found = {}
    for name, tensor in first.items():
        if name in second:
            depth = 0 if name.startswith("embeddings") else int(name.split(".")[2]) + 1
            found[depth] = max(found.get(depth, 0.0), float((tensor - second[name]).abs().max()))
    return found


def groups_of_two(mtl, name, *words):
    groups = ("sharing=groups", "sharing.groups=[[rte],[sst2]]", "train.steps=1", "schedule=constant")
    result = mtl("train", *TINY, "task=[rte,sst2]", *groups, "optim.lr=1e-2", f"run.name={name}", *words)
    assert result.code == 0, result.err
    return apart(result.run)


def test_every_group_s_layers_are_frozen_and_decayed_at_their_depth(mtl):
    plain = groups_of_two(mtl, "plain")
    assert all(plain[depth] > 5e-3 for depth in (0, 1, 2))
    frozen = groups_of_two(mtl, "frozen", "optim.freeze=1")
    assert frozen[0] == frozen[1] == 0
    assert frozen[2] > 5e-3
    decayed = groups_of_two(mtl, "decayed", "optim.layer_decay=0.01")
    assert decayed[2] > 5e-3
    assert 5e-5 < decayed[1] < 3e-4
    assert decayed[0] < 3e-6


def test_gradient_checkpointing_changes_no_group(mtl):
    recomputed = groups_of_two(mtl, "recomputed", "train.gradient_checkpointing=true")
    assert recomputed == pytest.approx(groups_of_two(mtl, "kept"), rel=1e-3)


def test_what_is_wrong_with_groups_is_told_before_anything_is_written(mtl, tmp_path):
    groups = "sharing.groups=[[rte,sst],[rte]]"
    result = mtl("train", *TINY, "task=[rte,sst2]", "sharing=groups", groups, "sharing.branch_at=2", "run.name=x")
    assert result.code == 2
    assert "sharing.groups: no task is called 'sst'. Did you mean 'sst2'?" in result.err
    assert "task 'rte' is listed 2 times" in result.err
    assert "'sst2' to none" in result.err
    assert "sharing.branch_at: the encoder has 2 layers" in result.err
    assert not (tmp_path / "outputs/x").exists()
    check = mtl("check", *TINY, "task=[rte,sst2]", "sharing=groups", groups)
    assert check.code == 2
    assert "Did you mean 'sst2'?" in check.err


def test_groups_must_be_given(mtl):
    result = mtl("train", *TINY, "task=rte", "sharing=groups")
    assert result.code == 2
    assert "sharing.groups" in result.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["weighting=pcgrad", "sharing.branch_at=0"], "of what 'all' means, task 'sst2' uses nothing"),
        (["weighting=gradnorm"], "of what '1' means, task 'sst2' uses nothing"),
    ],
)
def test_a_task_that_shares_nothing_cannot_be_weighed_by_shared_gradients(words, said, mtl):
    result = mtl("train", *TINY, "task=[rte,sst2,stsb]", *GROUPS, *words)
    assert result.code == 2
    assert f"weighting.params: {said}" in result.err
    assert "sharing.branch_at" in result.err
