"""What `mtl zeroshot` answers depends on the question and the input alone, to the last bit of every score."""

import json
import shutil

import pytest
import torch
from transformers import AutoModelForSequenceClassification, BertConfig

from mtl_cli.config.question import Question
from mtl_cli.model.backbone.tiny import byte_tokenizer
from mtl_cli.recipes.blocks import BLOCK
from mtl_cli.recipes.zeroshot.models import AskedModels
from tests.model.test_masked import random_masked, saved
from tests.zeroshot.language import save

SMALL = 32
"""A block in most of the tests: whole blocks take seconds."""
LENGTHS = (3, 40, 17, 90, 5, 28)


def classifier(folder):
    tokenizer = byte_tokenizer(128)
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    config = BertConfig(vocab_size=len(tokenizer), id2label={0: "entailment", 1: "other"}, **size)
    AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {
        "embed": ("method=embed", "backbone=tiny"),
        "nli": ("method=nli", f"method.path={classifier(folder / 'nli')}"),
        "causal": ("method=causal", f"method.path={save(folder / 'causal', gain=2.0)}"),
        "rows": ("method=causal", f"method.path={folder / 'causal'}", "method.tree=false", "method.rule=contextual"),
        "cloze": ("method=cloze", f"method.path={saved(folder / 'cloze', random_masked())}"),
        "ensemble": (
            "method=ensemble",
            "backbone=tiny",
            f'method.members=["method=embed", "method=nli method.path={folder / "nli"}"]',
        ),
    }


@pytest.fixture
def ask(mtl, tmp_path, monkeypatch):
    """Ask for a file of two blocks and a half with all digits of every score; the answers as they are written."""
    monkeypatch.setattr("mtl_cli.recipes.zeroshot.session.DIGITS", 30)
    monkeypatch.setenv("MTL_CACHE", str(tmp_path / "cache"))

    def call(*words, block=SMALL, labels="a,b,something else"):
        monkeypatch.setattr("mtl_cli.recipes.zeroshot.session.BLOCK", block)
        monkeypatch.setattr("mtl_cli.recipes.zeroshot.filling.BLOCK", block)
        monkeypatch.setattr("mtl_cli.recipes.blocks.BLOCK", block)
        rows = [
            {"text": f"{i * i} {'xyz'[i % 3] * LENGTHS[i % 6]}", "label": "ab"[i % 2]} for i in range(5 * block // 2)
        ]
        (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        asked = ("--labels", labels, "--file", "rows.jsonl", "bootstrap=20", f"calibrate.sample={block + 10}", "-q")
        result = mtl("zeroshot", *asked, f"batch_tokens={4 * block}", *words)
        assert result.code == 0, result.err
        return result.out

    return call


def answers(folder):
    return (folder / "predictions/input.jsonl").read_text()


def cut(whole, folder, count):
    """The run folder as a kill leaves it when so many answers are written, and a part of the next one."""
    shutil.copytree(whole, folder)
    (folder / "summary.json").unlink()
    path = folder / "predictions/input.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:count]) + lines[count][:7])


CASES = [
    *(("embed", prior) for prior in ("none", "uniform", "sample", "em")),
    *(("nli", prior) for prior in ("none", "uniform")),
    *(("causal", "sample"), ("rows", "em"), ("cloze", "uniform"), ("ensemble", "none")),
]


@pytest.mark.parametrize(
    ("engine", "prior", "block"), [*((*case, SMALL) for case in CASES), ("embed", "sample", BLOCK)]
)
def test_a_run_that_was_stopped_anywhere_and_a_stream_give_the_bits_of_the_whole_run(
    ask, models, tmp_path, engine, prior, block
):
    words = (*models[engine], f"prior={prior}", "calibrate.fit=12")
    outputs = tmp_path / "outputs"
    ask(*words, "--out", "whole", block=block)
    whole = answers(outputs / "whole")
    rows = whole.count("\n")
    assert ask(*words, "out.folder=never", block=block) == whole
    cuts = (1, block - 1, block, block + 1)
    for count in (0, *cuts, rows - 1) if engine == "embed" else cuts[:3:2]:
        cut(outputs / "whole", outputs / f"cut{count}", count)
        if count == 1:
            (outputs / f"cut{count}/decision.json").unlink()
        ask(*words, "--out", f"cut{count}", "out.if_exists=resume", block=block)
        assert answers(outputs / f"cut{count}") == whole


@pytest.mark.parametrize(("engine", "prior"), CASES[4:])
def test_a_cache_that_is_cold_or_warm_gives_the_bits_of_a_run_without(ask, models, tmp_path, engine, prior):
    words = (*models[engine], f"prior={prior}")
    outputs = tmp_path / "outputs"
    ask(*words, "--out", "plain")
    ask(*words, "cache=true", "--out", "cold")
    shutil.rmtree(tmp_path / "cache")
    ask(*words, "cache=true", "--out", "other", labels="b,a,c")
    ask(*words, "cache=true", "--out", "another", f"batch_tokens={SMALL}")
    ask(*words, "cache=true", "--out", "partly warm")
    ask(*words, "cache=true", "--out", "warm")
    cut(outputs / "plain", outputs / "cut", SMALL + 3)
    ask(*words, "cache=true", "--out", "cut", "out.if_exists=resume")
    runs = ("plain", "cold", "partly warm", "warm", "cut")
    assert {answers(outputs / run) for run in runs} == {answers(outputs / "plain")}


def test_a_run_is_resumed_with_the_threads_that_it_began_with(mtl, tmp_path, monkeypatch):
    words = ("zeroshot", "backbone=tiny", "--labels", "a,b", "--text", "x", "--text", "y", "--out", "one")
    assert mtl(*words).code == 0
    path = tmp_path / "outputs/one"
    (path / "summary.json").unlink()
    environment = json.loads((path / "env.json").read_text())
    assert environment["threads"] == torch.get_num_threads()
    before = environment["threads"]
    environment["threads"] = before + 1
    environment["arithmetic"] = environment["arithmetic"].replace(f"threads {before}", f"threads {before + 1}")
    (path / "env.json").write_text(json.dumps(environment))
    taken = []
    monkeypatch.setattr(torch, "set_num_threads", taken.append)
    result = mtl(*words, "out.if_exists=resume")
    assert result.code == 0, result.err
    assert taken == [before + 1]
    assert f"threads  {before + 1}, which the run began with" in result.err
    assert f"threads {before + 1}" in result.err.split("warning  the run began with ")[1]


def test_what_rounds_in_another_way_is_another_question(mtl, tmp_path):
    words = ("zeroshot", "backbone=tiny", "--labels", "a,b", "--text", "x", "--out", "one")
    assert mtl(*words).code == 0
    (tmp_path / "outputs/one/summary.json").unlink()
    result = mtl(*words, "out.if_exists=resume", "batch_tokens=77", "fabric.precision=bf16-mixed")
    assert (result.code, result.out) == (2, "")
    assert "batch_tokens: the run has 1024, asked is 77" in result.err
    assert "fabric.precision: the run has 'auto', asked is 'bf16-mixed'" in result.err


def test_kernels_that_are_set_by_hand_are_other_arithmetic(monkeypatch):
    question = Question(("backbone=tiny",), {"labels": ["a", "b"], "input.texts": ["x"]})
    models = AskedModels(question, question.config())
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    before = models.arithmetic()
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert ", ONEDNN_MAX_CPU_ISA=AVX2, threads " in models.arithmetic() != before
