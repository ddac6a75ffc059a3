"""Bad input: a message that teaches, an exit code that is not 0, nothing lost and nothing half-written."""

import errno
import json

import pytest

from tests.conftest import TINY


@pytest.fixture
def rows(tmp_path):
    """Write the files of a task `rte` for data.root; returns the words that use them."""

    def write(train, validation=None):
        folder = tmp_path / "data/rte"
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in (("train", train), ("validation", validation or train)):
            text = content if isinstance(content, str) else "".join(json.dumps(row) + "\n" for row in content)
            (folder / f"{name}.jsonl").write_text(text)
        return [
            "train",
            *TINY,
            "task=rte",
            "train.steps=2",
            "data.source=local",
            f"data.root={tmp_path}/data",
            "run.name=x",
        ]

    return write


def good(n=8, **more):
    return [{"sentence1": f"text {i}", "sentence2": "b", "label": i % 2, **more} for i in range(n)]


def refused(result, *messages, code=2):
    assert result.code == code, result.err
    assert result.out == ""
    assert "Traceback" not in result.err
    assert len(result.err.splitlines()) < 24, "one screen"
    for message in messages:
        assert message in result.err


def nothing_left(tmp_path):
    assert not list(tmp_path.glob("outputs/*"))


def test_unknown_task_backbone_and_key_are_told_together(mtl, tmp_path):
    result = mtl("train", "task=glu_mix", "backbone=minilmm", "optim.lrr=1")
    refused(
        result, "task: unknown task 'glu_mix'. Did you mean 'glue_mix'?", "backbone: unknown backbone 'minilmm'. Did you mean 'minilm'?",
        "optim.lrr: unknown key. Did you mean 'optim.lr'?",
    )  # fmt: skip
    nothing_left(tmp_path)


def test_a_seed_that_is_no_number_and_other_values_are_told_together(mtl, tmp_path):
    result = mtl("train", "seed=one", "optim.lr=-1", "batch.size=many", "schedule.warmup=lots", "eval.select=rtee")
    refused(result, "seed: must be a whole number; found 'one'", "optim.lr: must be more than 0; found -1.0")
    refused(
        result, "batch.size: must be a whole number; found 'many'", "schedule.warmup: must be a number; found 'lots'"
    )
    refused(result, "eval.select: 'rtee' is no task. Did you mean 'rte'?")
    nothing_left(tmp_path)


def test_an_option_that_a_member_does_not_take(mtl):
    refused(mtl("train", "+sampler.cap=3"), "sampler.cap: unknown key. sampler 'proportional' takes: per_step.")


def test_a_missing_column_names_those_that_there_are(mtl, rows, tmp_path):
    words = rows([{"premise": "a", "sentence2": "b", "label": 1}])
    refused(
        mtl(*words),
        "data/rte/train.jsonl:1",
        "column 'sentence1', which is missing",
        "Columns here: premise, sentence2, label",
    )
    nothing_left(tmp_path)


def test_a_label_outside_the_label_set_names_line_and_set(mtl, rows, tmp_path):
    words = rows([*good(), {"sentence1": "a", "sentence2": "b", "label": "entailed"}])
    refused(
        mtl(*words),
        "data/rte/train.jsonl:9",
        "label 'entailed' is outside the label set: entailment, not_entailment",
        "Did you mean 'entailment'?",
    )
    nothing_left(tmp_path)


def test_an_empty_file(mtl, rows, tmp_path):
    refused(mtl(*rows("")), "data/rte/train.jsonl: the file has no rows")
    nothing_left(tmp_path)


def test_a_broken_json_line_is_named(mtl, rows, tmp_path):
    text = "".join(json.dumps(row) + "\n" for row in good(3)) + '{"sentence1": "a", \n'
    refused(mtl(*rows(text)), "data/rte/train.jsonl:4: broken JSON at column")
    nothing_left(tmp_path)


def test_no_labels_at_all(mtl, rows, tmp_path):
    refused(
        mtl(*rows(good(), [{**row, "label": -1} for row in good()])),
        "tasks.rte: no validation row has a label in column 'label'",
    )
    nothing_left(tmp_path)


def test_one_value_as_regression_target(mtl, tmp_path):
    folder = tmp_path / "data/stsb"
    folder.mkdir(parents=True)
    for name in ("train", "validation"):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps({**row, "label": 2.5}) + "\n" for row in good()))
    words = ["train", *TINY, "task=stsb", "train.steps=1", "data.source=local", f"data.root={tmp_path}/data"]
    refused(mtl(*words), "tasks.stsb: all 8 training targets are 2.5: there is nothing to learn")


def test_a_nan_loss_names_task_and_step_and_keeps_the_last_checkpoint(mtl, tmp_path):
    words = [
        "train",
        *TINY,
        "task=[rte,sst2]",
        "train.steps=30",
        "eval.every=end",
        "checkpoint.every=1",
        "schedule=constant",
        "optim.clip_norm=null",
        "run.name=x",
    ]
    result = mtl(*words, "optim.lr=1e18")
    assert result.code == 1
    assert "The last checkpoint stays as it is." in result.err
    assert "step" in result.err
    assert "rte" in result.err or "the gradient is not finite" in result.err
    from mtl_cli.runs.checkpoint import Checkpoints

    assert Checkpoints(tmp_path / "outputs/x/checkpoints").find("last").state["step"] >= 1


def test_a_nan_loss_names_the_task(mtl, monkeypatch):
    from mtl_cli.tasks.kinds.classification import Classification

    monkeypatch.setattr(Classification, "loss", lambda self, out, targets: out.values.sum(1) * float("nan"))
    result = mtl("train", *TINY, "task=[rte,stsb]", "train.steps=3", "run.name=x")
    refused(result, "step 1: the loss of task 'rte' is nan", code=1)


def test_outputs_that_cannot_be_written(mtl, tmp_path):
    (tmp_path / "file").write_text("")
    result = mtl("train", *TINY, "task=rte", "train.steps=1", f"run.outputs={tmp_path}/file")
    refused(result, f"cannot write in {tmp_path}/file", "run.outputs=DIR", code=1)


def test_a_full_disk_while_saving_keeps_what_was_saved_before(mtl, tmp_path, monkeypatch):
    from mtl_cli.runs import checkpoint

    real, calls = checkpoint.save_file, []

    def full(tensors, path):
        calls.append(path)
        if len(calls) > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(tensors, path)

    monkeypatch.setattr(checkpoint, "save_file", full)
    result = mtl("train", *TINY, "task=rte", "train.steps=4", "eval.every=2", "run.name=x")
    refused(result, "no space left to write in outputs/x/checkpoints", "what was saved before is whole", code=1)
    found = checkpoint.Checkpoints(tmp_path / "outputs/x/checkpoints")
    assert found.find("last").state["step"] == 2
    assert not list(found.folder.glob(".step*"))


def test_a_checkpoint_with_a_changed_byte_is_refused(mtl, tmp_path):
    run = mtl("train", *TINY, "task=rte", "train.steps=1", "run.name=x").run
    weights = run / "checkpoints/best/encoder/model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    refused(
        mtl("eval", f"run={run}"),
        "is damaged: the content of encoder/model.safetensors has changed since it was saved",
        code=1,
    )


def test_texts_longer_than_asked_are_cut_and_counted(mtl, rows):
    words = rows([{**row, "sentence1": "word " * 40} for row in good()])
    result = mtl(*words, "data.max_length=32")
    assert result.code == 0
    assert "rte, train: 8 of 8 rows are truncated to 32 tokens (data.max_length)" in result.err


def test_texts_longer_than_the_model_takes_are_refused(mtl, tmp_path):
    result = mtl("train", *TINY, "task=rte", "train.steps=1", "data.max_length=1000")
    refused(result, "data.max_length: task 'rte' asks for 1000 tokens, but the backbone takes at most 512")
    nothing_left(tmp_path)


def test_the_hub_out_of_reach(mtl, tmp_path):
    refused(
        mtl("train", *TINY, "task=qqp", "data.source=auto"),
        "tasks.qqp: no train rows found",
        "did not answer within 3 s",
        "bundled: there is no sample",
    )
    words = ["train", *TINY, "task=rte", "backbone=hf", "backbone.path=nobody/nothing", *(f"~backbone.{k}" for k in ())]
    words = [w for w in words if w != "backbone=tiny"]
    refused(mtl(*words), "'nobody/nothing' is no folder here, and the hub", "does not answer")
    nothing_left(tmp_path)


def test_a_token_id_outside_the_vocabulary(mtl, tmp_path):
    from transformers import BertConfig, BertModel

    from mtl_cli.model.backbone.tiny import byte_tokenizer

    tiny = BertConfig(vocab_size=50, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    BertModel(tiny).save_pretrained(tmp_path / "model")
    byte_tokenizer(64).save_pretrained(tmp_path / "model")
    words = [
        "backbone=hf",
        f"backbone.path={tmp_path}/model",
        "data.max_length=64",
        "data.source=bundled",
        "task=rte",
        "train.steps=1",
    ]
    result = mtl("train", *words)
    assert "but the backbone's vocabulary ends at 49" in result.err
    assert "Tokenizer and weights do not belong together" in result.err
    assert result.code == 2
    nothing_left(tmp_path)


def test_no_task_and_a_weight_without_a_task(mtl):
    refused(mtl("train", "~task"), "no task is chosen: give task=NAME")
    refused(
        mtl("train", "task=[rte,sst2]", "~tasks.sst2"),
        "weights.sst2: no task has this name.",
        "To drop it: ~weights.sst2",
    )


def test_weights_that_train_nothing(mtl):
    refused(mtl("train", "task=rte", "weights.rte=0"), "weights: all are 0: nothing would be trained")


def test_a_metric_that_does_not_fit_the_task(mtl):
    result = mtl("train", *TINY, "task=rte", "tasks.rte.metrics=[pearson,acuracy]")
    refused(
        result,
        "'pearson' is for numbers; this task predicts classes",
        "unknown metric 'acuracy'. Did you mean 'accuracy'?",
    )


def test_several_values_without_m(mtl):
    refused(mtl("train", "weights.rte=1,2"), "add -m to sweep over them")


def test_a_config_dir_that_is_not_there(mtl):
    refused(mtl("train", "--config-dir", "nowhere"), "--config-dir: there is no folder")


def test_a_finished_run_does_not_answer_for_other_data(mtl, rows, tmp_path):
    words = rows(good())
    assert mtl(*words).code == 0
    (tmp_path / "data").rename(tmp_path / "other")
    moved = [w.replace("/data", "/other") for w in words]
    result = mtl(*moved, "run.if_exists=skip")
    refused(result, "data.root: the run has", "/other'")


def test_a_run_inside_a_run_is_refused(mtl, tmp_path):
    words = ["train", *TINY, "task=rte", "train.steps=1"]
    assert mtl(*words, "run.name=a").code == 0
    refused(mtl(*words, "run.name=a/b"), "outputs/a/b would lie inside the run outputs/a")


@pytest.mark.parametrize("name", ["x" * 300, ".hidden", "a/-b", "../x"])
def test_names_that_make_no_good_folder_are_refused(mtl, tmp_path, name):
    refused(mtl("train", *TINY, "task=rte", f"run.name={name}"), "run.name: ")
    nothing_left(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"sentence1": "a \\ud800", "sentence2": "b", "label": 1}',
            "train.jsonl:1: column 'sentence1' holds half of a Unicode character",
        ),
        ('{"sentence1": ["a"], "sentence2": "b", "label": 1}', "train.jsonl:1: column 'sentence1' holds a list"),
        ("[" * 100_000, "train.jsonl:1: not readable as JSON"),
    ],
    ids=["surrogate", "list", "nested"],
)
def test_odd_json_names_its_line(mtl, rows, tmp_path, text, message):
    refused(mtl(*rows(text + "\n")), message)
    nothing_left(tmp_path)


def test_a_column_that_stands_twice_in_a_header(mtl, tmp_path):
    path = tmp_path / "texts.csv"
    path.write_text("text,text\na,b\n")
    refused(
        mtl("zeroshot", "backbone=tiny", "-l", "x,y", "-f", path),
        "texts.csv:1: column 'text' is listed more than once in the header",
    )


def test_labels_that_yaml_does_not_read_as_text(mtl, tmp_path):
    path = tmp_path / "labels.yaml"
    path.write_text("no: negative\nyes: positive\n")
    refused(mtl("zeroshot", "backbone=tiny", "-l", path, "-t", "x"), "label 'no' is not text to YAML: put it in quotes")


def test_a_damaged_run_folder_does_not_hide_the_others(mtl, tmp_path):
    assert mtl("train", *TINY, "task=rte", "train.steps=1", "run.name=good").code == 0
    for name, content in (("bad", "a: ["), ("empty", "")):
        (tmp_path / "outputs" / name).mkdir()
        (tmp_path / "outputs" / name / "env.json").write_text("{}")
        (tmp_path / "outputs" / name / "config.yaml").write_text(content)
    shown = mtl("runs", "ls").out
    assert shown.count("unreadable") == 2
    assert "good" in shown
    refused(mtl("eval", "run=outputs/bad"), "outputs/bad/config.yaml is not readable as YAML")
    refused(mtl("eval", "run=outputs/empty"), "outputs/empty/config.yaml is empty")


def test_a_folder_that_is_no_checkpoint(mtl, tmp_path):
    run = mtl("train", *TINY, "task=rte", "train.steps=1").run
    refused(mtl("eval", f"run={run}", f"checkpoint={tmp_path}"), "checkpoint: there is no")


def test_training_labels_that_are_all_alike_are_said(mtl, rows):
    result = mtl(*rows([{**row, "label": 1} for row in good()]))
    assert "all training rows have the same label" in result.err


def test_several_machines_without_an_address(mtl, monkeypatch):
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    refused(mtl("train", *TINY, "task=rte", "fabric.num_nodes=2"), "several machines need MASTER_ADDR")


@pytest.mark.parametrize(
    "words",
    [
        ("check", "--config-dir", "x" * 300, "task=rte"),
        ("check", f"data.root={'x' * 300}", "data.source=local", "task=rte", "backbone=tiny"),
        ("train", "backbone=hf", f"backbone.path={'x' * 300}", "data.source=bundled", "task=rte"),
        ("zeroshot", "--labels", "a,b", "--text", "t", f"method.path={'x' * 300}"),
    ],
)
def test_a_path_that_the_system_refuses_is_told_and_cut(mtl, words):
    result = mtl(*words)
    refused(result)
    assert "file name too long" in result.err.lower()
    assert "x" * 200 not in result.err


@pytest.mark.parametrize(
    "words",
    [
        ("check", 'data.root="~no_such_user/x"', "data.source=local", "task=rte", "backbone=tiny"),
        ("train", "backbone=hf", 'backbone.path="~no_such_user/x"', "data.source=bundled", "task=rte"),
        ("eval", 'run="~no_such_user/x"'),
    ],
)
def test_a_home_of_no_user_is_told(mtl, words):
    refused(mtl(*words), "a path begins with '~' and a name that is no user of this machine")
