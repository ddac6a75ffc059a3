"""A task with packed pairs from its YAML to zero-shot answers."""

import json
import shutil

import pytest

from tests.cli.conftest import command
from tests.cli.test_resume import content
from tests.conftest import TINY

WORDS = ("cat", "dog", "car", "sun")
LENGTH = (
    "train.steps=60",
    "eval.every=30",
    "checkpoint.keep=5",
    "checkpoint.keep_optimizer=true",
    "train.log_every=10",
)
TASK = """# @package _global_
tasks:
  {name}:
    kind: {{name: classification, labels: [entailment, not_entailment]}}
    text: [text, claim]
    label: label
    input: {input}
    metrics: [accuracy]
    source: {{files: {{train: {path}, validation: {path}}}}}
weights: {{{name}: 1.0}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Claims of one word, of which two are always true; a packed task and a joint one have the same rows."""
    folder = tmp_path_factory.mktemp("packed")
    rows = [
        {"text": f"{a} {'x' * i}", "claim": b, "label": int(b in WORDS[:2])} for i, a in enumerate(WORDS) for b in WORDS
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "my/task").mkdir(parents=True)
    for name, way in (("mine", "packed"), ("other", "text")):
        text = TASK.format(name=name, input=way, path=folder / "rows.jsonl")
        (folder / f"my/task/{name}.yaml").write_text(text)
    return folder


@pytest.fixture(scope="module")
def train(folder, cache):
    def call(*words):
        config = ("--config-dir", folder / "my", *TINY, "task=[mine,other]", "optim.lr=3e-3", "batch.size=16")
        return command(folder, cache, "train", *config, *words)

    return call


@pytest.fixture(scope="module")
def trained(folder, train):
    """One packed task and a joint one, of the same kind."""
    result = train(*LENGTH, "run.name=one")
    assert result.code == 0, result.err
    return folder / "outputs/one"


def test_what_a_packed_task_loses_falls_beside_a_joint_one(trained):
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    losses = [line["losses"]["mine"] for line in lines if line.get("event") == "train"]
    assert losses[-1] < 0.6 * losses[0]


def test_a_packed_run_goes_on_bit_for_bit(trained, folder, train):
    copy = folder / "outputs/again"
    shutil.copytree(trained, copy, symlinks=True)
    (copy / "summary.json").unlink()
    shutil.rmtree(copy / "checkpoints/step_000060")
    result = train(*LENGTH, "run.name=again", "run.if_exists=resume")
    assert result.code == 0, result.err
    assert "resume   from step_000030" in result.err
    assert content(copy) == content(trained)


def test_evaluation_gives_the_scores_of_the_run(trained, folder, cache):
    result = command(folder, cache, "eval", f"run={trained}", "bootstrap=20")
    assert result.code == 0, result.err
    (found,) = json.loads((trained / "summary.json").read_text())["tasks"]["mine"]["metrics"]
    assert (
        next(line.split()[3] for line in (result.out + result.err).splitlines() if line.startswith("mine"))
        == f"{100 * found['value']:.1f}"
    )


def test_labels_are_scored_by_the_packed_head_the_same_alone_and_together(trained, folder, cache):
    def ask(labels):
        words = (
            "method=nli",
            f"run={trained}",
            "decide.multi_label=true",
            "--template",
            "{}",
            "--labels",
            labels,
            "--text",
            "cat 7",
        )
        result = command(folder, cache, "zeroshot", *words)
        assert result.code == 0, result.err
        assert "head     mine, since it is packed" in result.err
        return json.loads(result.out)["scores"]

    found = ask(",".join(WORDS))
    assert ask("sun") == pytest.approx({"sun": found["sun"]}, rel=1e-5)
    assert len(set(found.values())) == 4


@pytest.mark.parametrize(
    "words",
    [
        ("weighting=pcgrad",),
        ("sharing=groups", "sharing.groups=[[mine],[other]]", "sharing.branch_at=1", "diagnostics.params=all"),
    ],
)
def test_packed_and_joint_tasks_train_under_gradient_methods_and_in_groups(train, words):
    result = train(*words, "train.steps=3", f"run.name={words[0].replace('=', '_')}")
    assert result.code == 0, result.err


def test_an_encoder_that_cannot_is_refused_before_the_run(folder, train, cache):
    from transformers import DebertaV2Config, DebertaV2Model

    from mtl_cli.model.backbone.tiny import byte_tokenizer

    tokenizer = byte_tokenizer(128)
    config = DebertaV2Config(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        relative_attention=True, position_buckets=8, max_position_embeddings=128,
    )  # fmt: skip
    DebertaV2Model(config).save_pretrained(folder / "deberta")
    tokenizer.save_pretrained(folder / "deberta")
    words = ("backbone=hf", f"backbone.path={folder / 'deberta'}")
    for subcommand in ("train", "check"):
        config = ("--config-dir", folder / "my", *TINY, "task=mine", "data.max_length=64", *words)
        result = command(folder, cache, subcommand, *config)
        assert result.code == 2
        assert "tasks.mine.input: packed pairs cannot be had from DebertaV2Model" in result.err
