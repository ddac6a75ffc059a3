import dataclasses
import functools

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, BertModel, pipeline

from mtl_cli.errors import ConfigError
from mtl_cli.model.backbone.tiny import byte_tokenizer
from mtl_cli.zeroshot.decide.choice import AnyOf, OneOf
from mtl_cli.zeroshot.engines.nli import NliMethod
from mtl_cli.zeroshot.scoring.models import Classifier, Head
from mtl_cli.zeroshot.scoring.pairs import Pairs
from tests.fakes import cpu
from tests.zeroshot.fakes import Asked, label, named

NAMES = ("contradiction", "neutral", "entailment")
TEMPLATE = "This text is about {}."
TEXTS = ["What a film!", "", "no", "a text of some length, " * 4, "été ☕", "x" * 60, "no"]
OPTIONS = {"path": None, "task": None, "entailment": None, "contradiction": None}


def save(folder, names=NAMES, gain=8.0, scale=1.0):
    """A random BERT classifier over bytes; `gain` makes its states differ from text to text, `scale` its logits large."""
    torch.manual_seed(0)
    tokenizer = byte_tokenizer(128)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=128, id2label=dict(enumerate(names)), label2id={n: i for i, n in enumerate(names)},
    )  # fmt: skip
    model = BertForSequenceClassification(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 2:
                parameter.mul_(gain * (scale if name.startswith("classifier") else 1))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save(tmp_path_factory.mktemp("model"))


def nli(path, several=False, batch_tokens=512, max_length=128, **options):
    asked = Asked(several=several, batch_tokens=batch_tokens, max_length=max_length)
    return NliMethod(asked, **{**OPTIONS, "path": path, **options})


labels = functools.partial(named, template=TEMPLATE)


def refused(message, *args, **options):
    with pytest.raises(ConfigError, match=message):
        nli(*args, **options)


# Scores


@pytest.mark.parametrize(("several", "choice"), [(False, OneOf(0.0)), (True, AnyOf(0.5, {}))])
def test_probabilities_are_those_of_the_zero_shot_pipeline(folder, several, choice):
    names = ["film", "food", "the weather of the north"]
    asked = pipeline("zero-shot-classification", model=folder, device="cpu")
    texts = [text for text in TEXTS if text]  # the pipeline takes no empty text
    expected = [asked(text, names, hypothesis_template=TEMPLATE, multi_label=several) for text in texts]
    expected = [[dict(zip(e["labels"], e["scores"], strict=True))[n] for n in names] for e in expected]
    found = choice.probabilities(nli(folder, several).score(texts, labels(*names)).logits_NL)
    assert found == pytest.approx(np.array(expected), abs=1e-5)
    assert found.std(axis=0).max() > 1e-3  # not the same for every text


def test_the_best_word_of_a_label_counts_and_the_mean_of_its_templates(folder):
    method = nli(folder)

    def alone(text):
        return method.score(TEXTS, [label("a", text), label("b", "z")]).logits_NL[:, 0]

    both = method.score(TEXTS, [label("b", "z"), label("a", "yes", "no", templates=("{}", "so {}"))])
    best = [np.maximum(alone("yes"), alone("no")), np.maximum(alone("so yes"), alone("so no"))]
    assert both.logits_NL[:, 1] == pytest.approx(np.mean(best, axis=0), rel=1e-5)
    what, score = both.driver(0, 1)
    values = {text: alone(text)[0] for text in ("yes", "no", "so yes", "so no")}
    assert (what, score) == (max(values, key=values.get), pytest.approx(max(values.values()), rel=1e-5))


def test_contradiction_is_subtracted_if_asked_for_and_where_labels_are_questions_by_themselves(folder):
    asked = labels("film", "food")
    plain = nli(folder).score(TEXTS, asked).logits_NL
    against = nli(folder, entailment="contradiction").score(TEXTS, asked).logits_NL
    for method in (nli(folder, contradiction=True), nli(folder, several=True)):
        assert method.score(TEXTS, asked).logits_NL == pytest.approx(plain - against, abs=1e-4)
    assert nli(folder, several=True, contradiction=False).score(TEXTS, asked).logits_NL == pytest.approx(plain)


def test_logits_in_the_hundreds_give_probabilities(tmp_path):
    found = nli(save(tmp_path, scale=2000.0)).score(TEXTS, labels("film", "food")).logits_NL
    assert np.abs(found).max() > 200
    for choice in (OneOf(0.0), AnyOf(0.5, {})):
        p_NL = choice.probabilities(found)
        assert np.isfinite(p_NL).all()
        assert p_NL.min() >= 0
        assert p_NL.max() <= 1
    assert OneOf(0.0).probabilities(found).sum(axis=1) == pytest.approx(1)


# Length


def test_only_the_text_is_cut_never_the_label(folder):
    method, asked = nli(folder, max_length=60), labels("film", "food")
    found = method.score(["x" * 500, "x" * 400, "short"], asked).logits_NL
    assert found[0] == pytest.approx(found[1], rel=1e-5)
    assert np.abs(found[0, 0] - found[0, 1]) > 1e-4
    assert method.truncated == 2
    rest = 60 - 3 - len(TEMPLATE.format("film"))
    assert found[0] == pytest.approx(method.score(["x" * rest], asked).logits_NL[0], rel=1e-5)


def test_no_more_is_asked_than_the_model_takes(folder):
    method = nli(folder, max_length=10_000)
    assert np.isfinite(method.score(["x" * 5000], labels("film", "food")).logits_NL).all()
    assert method.truncated == 1


@pytest.mark.parametrize("size", [98, 110, 5000])
def test_a_label_that_leaves_no_room_is_refused(folder, size):
    method = nli(folder, max_length=100)
    with pytest.raises(ConfigError, match=r"labels\.l.*tokens; beside a text there is room for 96"):
        method.score(["x"], [label("l", "y" * size), label("b", "b")])
    assert np.isfinite(method.score(["x"], [label("l", "y" * 96)]).logits_NL).all()


@pytest.mark.parametrize("side", ["right", "left"])
def test_pairs_have_the_tokens_that_the_tokenizer_gives_them(side):
    tokenizer, seen = byte_tokenizer(64), []
    tokenizer.truncation_side = side

    def forward(inputs):
        seen.append(inputs)
        return inputs.padded(0).ids_BL[:, :2]

    model = Classifier(forward, tokenizer, ("a", "b"), 64, "x", lambda: "")
    pairs = Pairs(model, cpu(), max_length=20, batch_tokens=1)
    firsts, seconds = ["", "a", "abcdefghijklmnopqrstuvw"], ["one", "two words"]
    pairs(firsts, pairs.tokenised(seconds))
    found = {(tuple(b.ids_T.tolist()), tuple(b.types_T.tolist())) for b in seen}
    asked = [tokenizer(a, b, truncation="only_first", max_length=20) for a in firsts for b in seconds]
    assert found == {(tuple(a["input_ids"]), tuple(a["token_type_ids"])) for a in asked}


# Which class is entailment


@pytest.mark.parametrize("names", [("LABEL_0", "LABEL_1", "LABEL_2"), ("entailment", "entails", "no")])
def test_entailment_that_cannot_be_known_is_refused_and_may_be_given(tmp_path, names):
    path = save(tmp_path, names)
    refused(f"method.entailment: which class is entailment cannot be told by name.*0 {names[0]}, 1 {names[1]}", path)
    by_name = nli(path, entailment=names[1]).score(TEXTS, labels("a", "b")).logits_NL
    assert nli(path, entailment=1).score(TEXTS, labels("a", "b")).logits_NL.tolist() == by_name.tolist()


def test_names_of_classes_stand_in_any_order_and_case(tmp_path, folder):
    asked = labels("film", "food")
    other = nli(save(tmp_path, ("x", "CONTRADICTION", "Entailment")), contradiction=True)
    expected = (
        nli(folder).score(TEXTS, asked).logits_NL - nli(folder, entailment="neutral").score(TEXTS, asked).logits_NL
    )
    assert other.score(TEXTS, asked).logits_NL == pytest.approx(expected, abs=1e-4)


def test_of_two_classes_the_other_one_is_against_entailment(tmp_path):
    path, asked = save(tmp_path, ("entailment", "not_entailment")), labels("film", "food")
    against = nli(path, entailment=1).score(TEXTS, asked).logits_NL
    assert nli(path, several=True).score(TEXTS, asked).logits_NL == pytest.approx(
        nli(path).score(TEXTS, asked).logits_NL - against, abs=1e-4
    )


def test_what_the_model_has_not_is_refused(folder, tmp_path):
    refused(r"has no class 3; it has 0 contradiction", folder, entailment=3)
    refused(r"has no class yes", folder, entailment="yes")
    refused("which class is contradiction cannot be told", save(tmp_path / "a", ("entailment", "b", "c")), several=True)
    refused("there is no folder ./nowhere", "./nowhere")
    refused("method.task: names a head of a run", folder, task="rte")
    tokenizer = byte_tokenizer(64)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
    )
    BertModel(config).save_pretrained(tmp_path / "b")
    tokenizer.save_pretrained(tmp_path / "b")
    refused("has no trained classifier: its weights lack classifier", str(tmp_path / "b"), entailment=0)


# Heads of a run

RTE = Head("rte", ("entailment", "not_entailment"), True)
SST2 = Head("sst2", ("negative", "positive"), False)
STSB = Head("stsb", (), True)


def test_the_only_head_that_tells_entailment_is_taken():
    asked = Asked(SST2, RTE, STSB)
    assert NliMethod(asked, **OPTIONS).identity == "rte"
    assert asked.taken == ["rte"]


def test_of_several_heads_one_is_named():
    asked = Asked(RTE, dataclasses.replace(RTE, task="qnli"))
    with pytest.raises(
        ConfigError, match=r"several heads tell entailment.*rte \(pair: entailment, not_entailment\); qnli"
    ):
        NliMethod(asked, **OPTIONS)
    assert NliMethod(asked, **{**OPTIONS, "task": "qnli"}).identity == "qnli"


@pytest.mark.parametrize(
    ("heads", "options", "message"),
    [
        ((), {}, r"method\.path: nli needs a model that was trained on entailment"),
        ((SST2, STSB), {}, r"none of its heads tells.*sst2 \(one text: negative, positive\); stsb \(pair: a number\)"),
        ((SST2, RTE), {"task": "rt"}, "the run has no head 'rt'. Did you mean"),
        ((SST2, RTE), {"task": "sst2"}, "'sst2' does not tell entailment in pairs"),
        ((STSB, RTE), {"task": "stsb", "entailment": 0}, "'stsb' does not tell entailment in pairs"),
        ((RTE,), {"path": "x"}, r"method\.path: names a model, and run another"),
    ],
)  # fmt: skip
def test_a_head_that_cannot_be_meant_is_refused(heads, options, message):
    with pytest.raises(ConfigError, match=message):
        NliMethod(Asked(*heads), **{**OPTIONS, **options})


def test_a_shared_head_may_be_named_by_a_task_that_trained_it():
    shared = Head("entailment", ("entailment", "not_entailment"), True, tasks=("snli", "cb"))
    asked = Asked(shared, SST2)
    NliMethod(asked, **{**OPTIONS, "task": "cb"})
    assert asked.taken == ["entailment"]
    with pytest.raises(ConfigError, match=r"the run has no head 'cbb'\. Did you mean 'cb'\?"):
        NliMethod(Asked(shared), **{**OPTIONS, "task": "cbb"})
