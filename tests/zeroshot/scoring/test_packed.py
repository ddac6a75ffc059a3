"""A text and many hypotheses in one row: a hypothesis scores what it scores alone."""

import numpy as np
import pytest
import torch

from mtl_cli.data.batch import Batch, Part
from mtl_cli.data.text import TextInputs
from mtl_cli.errors import ConfigError
from mtl_cli.model.multitask import MultiTaskModel
from mtl_cli.model.sharing.hard import HardSharing
from mtl_cli.tasks.kinds.base import HeadSpec
from mtl_cli.zeroshot.engines import nli
from mtl_cli.zeroshot.engines.nli import NliMethod
from mtl_cli.zeroshot.scoring import packed
from mtl_cli.zeroshot.scoring.models import Classifier, Head
from mtl_cli.zeroshot.scoring.packed import PackedPairs, dealt
from tests.fakes import cpu, tiny_backbone
from tests.zeroshot.fakes import Asked, named

TEXTS = ["What a film!", "", "a text of some length, " * 3, "été ☕", "no", "y" * 200, "no"]
PHRASES = ["film", "the weather of the north", "x", "food"]


class Model:
    """A random packed classifier over bytes, and the batches that it was given."""

    def __init__(self, pooling="mean"):
        torch.manual_seed(0)
        self.backbone = tiny_backbone(pooling=pooling)
        self.whole = MultiTaskModel(
            HardSharing(self.backbone, ["nli"], head_dropout=0.1), {"nli": HeadSpec(3)}, 0
        ).eval()
        with torch.no_grad():
            self.whole.head("nli").linear.weight.mul_(30)
        self.seen = []

    def forward(self, inputs):
        self.seen.append(inputs)
        return self.whole.each(self.batch(inputs))

    @staticmethod
    def batch(inputs):
        return Batch(inputs, (Part("nli", slice(0, inputs.rows), np.arange(inputs.rows), np.ones(inputs.rows)),))

    @property
    def classifier(self):
        names = ("contradiction", "neutral", "entailment")
        return Classifier(self.forward, self.backbone.tokenizer, names, 128, "test", lambda: "", "packed")

    def pairs(self, max_length=128, batch_tokens=512):
        return PackedPairs(self.classifier, cpu(), max_length=max_length, batch_tokens=batch_tokens)

    def alone(self, text, phrase, max_length=128):
        """One pair as training would have it: cut by hand, natural positions, no mask but that of the segments."""
        tokenizer = self.backbone.tokenizer
        own = tokenizer(phrase, add_special_tokens=False)["input_ids"]
        first = tokenizer(text, add_special_tokens=False)["input_ids"][: max_length - 3 - len(own)]
        begin = len(first) + 2
        ids, segments = [2, *first, 3, *own, 3], [0] * begin + [1] * (len(own) + 1)
        inputs = TextInputs.of([np.array(ids)], [np.array(segments)], [np.array(segments)])
        with torch.no_grad():
            return self.whole(self.batch(inputs))[0].out.values[0].numpy()


@pytest.fixture(scope="module")
def model():
    return Model()


def scores(pairs, texts, phrases):
    return pairs(texts, pairs.tokenised(phrases))


@pytest.mark.parametrize("pooling", ["mean", "max", "cls"])
@pytest.mark.parametrize("batch_tokens", [1, 300, 100_000])
def test_every_hypothesis_scores_what_its_pair_does_alone_as_it_was_trained(pooling, batch_tokens):
    model = Model(pooling)
    found = scores(model.pairs(batch_tokens=batch_tokens), TEXTS, PHRASES)
    expected = [[model.alone(text, phrase) for phrase in PHRASES] for text in TEXTS]
    assert found.shape == (7, 4, 3)
    assert found == pytest.approx(np.array(expected), rel=1e-5, abs=1e-6)
    assert found.std(axis=(0, 1)).min() > 1e-3  # not the same for every pair


@pytest.mark.parametrize("linear", [1, 100, 2304, 1e9])
def test_200_hypotheses_in_any_order_and_any_number_of_rows_score_the_same(model, monkeypatch, linear):
    phrases = [f"topic {i}" + "!" * (i % 7) for i in range(200)]
    expected = scores(model.pairs(), TEXTS[:3], phrases)
    some = [0, 57, 199]
    assert scores(model.pairs(), TEXTS[2:3], [phrases[i] for i in some])[0] == pytest.approx(
        expected[2, some], rel=1e-5, abs=1e-6
    )
    monkeypatch.setattr(packed, "_LINEAR", linear)
    order = np.random.default_rng(0).permutation(200)
    found = scores(model.pairs(), TEXTS[:3][::-1], [phrases[i] for i in order])[::-1]
    assert found == pytest.approx(expected[:, order], rel=1e-5, abs=1e-6)


def test_a_text_too_long_is_cut_for_each_hypothesis_as_for_it_alone_whatever_else_is_asked(model):
    pairs = model.pairs(max_length=64)
    found = scores(pairs, ["y" * 60 + "?", "short"], ["ab", "cd", "a longer one"])
    expected = [[model.alone(t, p, 64) for p in ("ab", "cd", "a longer one")] for t in ("y" * 60 + "?", "short")]
    assert found == pytest.approx(np.array(expected), rel=1e-5, abs=1e-6)
    assert (pairs.truncated, pairs.second_limit) == (1, 60)
    # Two rows for the long text, since a longer hypothesis leaves it less room.
    assert pairs.plan(["y" * 60 + "?"], pairs.tokenised(["ab", "cd", "a longer one"])).tokens == 67 + 64
    assert pairs.plan(["short"], pairs.tokenised(["ab", "cd", "a longer one"])).tokens == 7 + 3 + 3 + 13


def test_a_text_goes_through_the_model_once_and_the_plan_says_what_runs():
    model = Model()
    pairs = model.pairs(batch_tokens=200)
    seconds = pairs.tokenised(PHRASES)
    pairs(TEXTS, seconds)
    plan = pairs.plan(TEXTS, seconds)
    assert (plan.tokens, plan.passes) == (sum(b.tokens for b in model.seen), len(model.seen))
    ids = [row for b in model.seen for row in b.padded(0).ids_BL.tolist()]
    film = model.backbone.tokenizer("What a film!")["input_ids"]
    assert sum(row[: len(film)] == film for row in ids) == 1
    assert max(int(b.positions_T.max()) for b in model.seen) < 128


@pytest.mark.parametrize(
    ("text", "count", "size"), [(30, 77, 9), (30, 10, 9), (3, 5, 2), (500, 77, 9), (1, 1, 1), (40, 200, 1), (0, 3, 4)]
)
def test_the_number_of_rows_is_the_cheapest_and_rows_are_of_like_length(text, count, size):
    sizes = np.full(count, size)
    rows = dealt(sizes, text)
    assert np.concatenate(rows).tolist() == list(range(count))
    lengths = [len(row) for row in rows]
    assert max(lengths) - min(lengths) <= 1

    def cost(n):
        tokens = max(1, text) + count * size / n
        return n * tokens * (2304 + tokens)

    assert len(rows) == min(range(1, count + 1), key=cost)


def test_hypotheses_of_very_different_lengths_are_all_dealt_in_their_order():
    rows = dealt(np.array([1, 900, 1, 1, 900, 1]), 5)
    assert np.concatenate(rows).tolist() == list(range(6))
    assert len(rows) > 1


PAIR = {"classes": ("entailment", "not_entailment"), "pairs": True}


class Run(Asked):
    """A run whose packed heads are the model's."""

    def head(self, task):
        self.taken.append(task)
        (head,) = (head for head in self._heads if head.task == task)
        return Model().classifier if head.layout == "packed" else super().head(task)


OPTIONS = {"path": None, "task": None, "entailment": None, "contradiction": None}


def test_nli_takes_the_packed_one_of_several_heads_and_says_so(caplog):
    run = Run(Head("rte", **PAIR), Head("mix", layout="packed", **PAIR), Head("qnli", **PAIR))
    with caplog.at_level("INFO", nli.__name__):
        method = NliMethod(run, **OPTIONS)
    assert run.taken == ["mix"]
    assert "mix, since it is packed: one pass for all labels. method.task takes another: rte, qnli" in caplog.text
    found = method.score(TEXTS[:2], named(*PHRASES)).logits_NL
    assert found == pytest.approx(scores(Model().pairs(), TEXTS[:2], PHRASES)[:, :, 2], rel=1e-5)
    NliMethod(run, **OPTIONS | {"task": "rte"})
    assert run.taken[1:] == ["rte", "rte"]


@pytest.mark.parametrize("layouts", [("packed", "packed"), ("joint", "joint")])
def test_two_heads_alike_are_still_a_question(layouts):
    run = Run(*(Head(name, layout=one, **PAIR) for name, one in zip("ab", layouts, strict=True)))
    with pytest.raises(ConfigError, match="several heads tell entailment"):
        NliMethod(run, **OPTIONS)
