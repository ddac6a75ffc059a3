import functools
import math

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import nn
from transformers import PreTrainedTokenizerFast

from mtl_cli.errors import ConfigError
from mtl_cli.model.backbone.tiny import byte_tokenizer
from mtl_cli.model.masked import load_masked
from mtl_cli.zeroshot.engines.cloze import ClozeMethod
from mtl_cli.zeroshot.labels.label_set import Phrase
from mtl_cli.zeroshot.scoring.cache import Cache
from mtl_cli.zeroshot.scoring.cloze import Gap, Gaps
from mtl_cli.zeroshot.scoring.models import Head
from tests.fakes import cpu
from tests.model.test_masked import random_masked, saved
from tests.zeroshot.fakes import Asked, label, named

TEMPLATE = "It is {}, they say."
TEXTS = ["What a film!", "", "no", "a text of some length, " * 3, "été ☕", "a [MASK] and [SEP]", "no"]


@pytest.fixture(scope="module", params=["Bert", "Roberta"])
def folder(request, tmp_path_factory):
    return saved(tmp_path_factory.mktemp(request.param), random_masked(request.param))


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("bert"), random_masked())


def cloze(path, batch_tokens=512, max_length=128, cache=None, join=" "):
    return ClozeMethod(Asked(batch_tokens=batch_tokens, max_length=max_length, cache=cache), path=path, join=join)


labels = functools.partial(named, template=TEMPLATE)


@torch.inference_mode()
def naive(method, text, template, word):
    """Mean log-probability of a word's bytes, one text and word at a time, from the whole forward."""
    before, _, after = template.partition("{}")

    def ids(part):
        return byte_tokenizer(128)(part, add_special_tokens=False, split_special_tokens=True)["input_ids"]

    filled = ids(word)
    left = [2, *ids(f"{text} {before}")]
    row = torch.tensor([[*left, *[4] * len(filled), *ids(after), 3]])
    log_p_V = method._gaps._model.model(input_ids=row).logits[0, len(left) : len(left) + len(filled)].log_softmax(-1)
    return float(np.mean([float(log_p_V[i, token]) for i, token in enumerate(filled)]))


def test_scores_are_mean_log_probabilities_of_the_words_in_the_gap(folder):
    method = cloze(folder)
    found = method.score(TEXTS, labels("film", "food", "été", "the weather"))
    expected = [
        [naive(method, text, TEMPLATE, word) for word in ("film", "food", "été", "the weather")] for text in TEXTS
    ]
    assert found.logits_NL == pytest.approx(np.array(expected), rel=1e-5)
    assert found.logits_NL.std(axis=0).min() > 1e-2  # not the same for every text


def test_a_label_scores_the_weighted_mean_of_its_words_and_the_mean_of_its_templates(bert):
    method = cloze(bert)
    templates = ("It is {}.", "{}? Yes")
    both = method.score(TEXTS[:2], [label("a", "yes", "no way", templates=templates), label("b", "z")])
    expected = [
        np.mean([naive(method, text, t, w) for t in templates for w in ("yes", "no way")]) for text in TEXTS[:2]
    ]
    assert both.logits_NL[:, 0] == pytest.approx(expected, rel=1e-5)
    values = {t.format(w): naive(method, TEXTS[0], t, w) for t in templates for w in ("yes", "no way")}
    assert both.driver(0, 0) == (max(values, key=values.get), pytest.approx(max(values.values()), rel=1e-5))


class TwoMasks:
    """A model that says of each place what a table says, whatever the text."""

    def __init__(self, table_KV):
        self.model, self.tokenizer, self.limit = nn.Identity(), byte_tokenizer(64), 64
        self._table_KV, self.seen = torch.tensor(table_KV), []

    def logits(self, inputs, places_BK):
        self.seen.append(inputs.padded(0).ids_BL.gather(1, places_BK))
        return self._table_KV.expand(len(places_BK), -1, -1)


def test_two_masks_by_hand():
    # Of the first mask token 7 has 1/2 and token 8 1/4; of the second 7 has 1/8 and 8 has 1/16; logits up to a constant.
    table = np.full((2, 261), -1e9)
    table[0, [7, 8, 9]] = np.log([0.5, 0.25, 0.25]) + 3.0
    table[1, [7, 8, 9]] = np.log([1 / 8, 1 / 16, 13 / 16]) - 200.0
    model = TwoMasks(table)
    gaps = Gaps(model, cpu(), max_length=64, batch_tokens=512, join=" ")
    word = {token: byte_tokenizer(64).convert_ids_to_tokens(token) for token in (7, 8)}
    fillings = [gaps.filling(Phrase("x", word[a] + word[b], "y")) for a, b in ((7, 7), (8, 8), (7, 8))]
    found = gaps(["t", "uu"], fillings)
    by_hand = [math.log(1 / 2 * 1 / 8) / 2, math.log(1 / 4 * 1 / 16) / 2, math.log(1 / 2 * 1 / 16) / 2]
    assert found == pytest.approx(np.array([by_hand, by_hand]), rel=1e-5)
    assert [seen.tolist() for seen in model.seen] == [[[4, 4], [4, 4]]], "one pass for the three words, at the masks"


# What a score does not depend on


@pytest.mark.parametrize("batch_tokens", [1, 300, 100_000])
def test_a_text_scores_the_same_alone_and_in_any_batch_and_order(folder, batch_tokens):
    asked = labels("film", "weather")
    alone = np.concatenate([cloze(folder).score([text], asked).logits_NL for text in TEXTS])
    method = cloze(folder, batch_tokens=batch_tokens)
    assert method.score(TEXTS, asked).logits_NL == pytest.approx(alone, rel=1e-5)
    assert method.score(TEXTS[::-1], asked).logits_NL[::-1] == pytest.approx(alone, rel=1e-5)


def test_the_order_and_number_of_the_labels_change_no_score_and_200_cost_no_more_than_one(bert):
    method, names = cloze(bert), [f"{i:03d}" for i in range(200)]
    found = method.score(TEXTS[:2], labels(*names)).logits_NL
    assert found.shape == (2, 200)
    assert method.score(TEXTS[:2], labels(*names[::-1])).logits_NL[:, ::-1] == pytest.approx(found, rel=1e-5)
    assert method.score(TEXTS[:2], labels(names[150])).logits_NL == pytest.approx(found[:, 150:151], rel=1e-5)
    assert method.plan(TEXTS, labels(*names)) == method.plan(TEXTS, labels(names[0]))


def test_a_pass_is_planned_for_each_template_and_number_of_masks(bert):
    method = cloze(bert, batch_tokens=100_000)
    one = method.plan(["x", "yy"], labels("abc", "abd"))
    around = 2 + len(" ") + len(TEMPLATE.format("abc"))
    assert (one.passes, one.tokens) == (1, (1 + around) + (2 + around))
    assert method.plan(["x"], [*labels("abc"), *labels("abcd"), label("c", "abc", templates=("so {}",))]).passes == 3


def test_what_looks_like_a_special_token_in_a_text_or_a_word_is_text(bert):
    method = cloze(bert)
    words = ("film", "[MASK]")
    found = method.score(["[MASK] [MASK][SEP]"], labels(*words)).logits_NL
    assert found[0] == pytest.approx([naive(method, "[MASK] [MASK][SEP]", TEMPLATE, word) for word in words], rel=1e-5)
    assert method._gaps.filling(Phrase("", "[MASK]", "")).gap.masks == len("[MASK]")


def test_scores_are_kept_by_the_cache(bert, tmp_path):
    asked = labels("film", "food")
    first = cloze(bert, cache=Cache(tmp_path)).score(TEXTS, asked).logits_NL
    again = cloze(bert, cache=Cache(tmp_path))
    again.score_phrases = lambda *_: pytest.fail("asked again")
    assert again.score(TEXTS, asked).logits_NL == pytest.approx(first, rel=1e-5)
    other = cloze(bert, cache=Cache(tmp_path), join=", ").score(TEXTS, asked).logits_NL
    assert np.abs(other - first).max() > 1e-3, "another pattern is another score"


# Length and words


def test_only_the_text_is_cut_never_the_pattern(bert):
    method, asked = cloze(bert, max_length=60), labels("film", "food")
    found = method.score(["x" * 500, "x" * 400, "short"], asked).logits_NL
    assert found[0] == pytest.approx(found[1], rel=1e-5)
    assert abs(found[0, 0] - found[0, 1]) > 1e-4
    assert method.truncated == 2
    rest = 60 - 2 - len(" ") - len(TEMPLATE.format("film"))
    assert found[0] == pytest.approx(method.score(["x" * rest], asked).logits_NL[0], rel=1e-5)
    assert method.truncated == 2


def test_a_text_is_cut_where_the_tokenizer_cuts(bert):
    model = load_masked(bert, "method.path")
    model.tokenizer.truncation_side = "left"
    gaps = Gaps(model, cpu(), max_length=30, batch_tokens=512, join=" ")
    filling = gaps.filling(Phrase("It is ", "film", ""))
    rest = 30 - 2 - len(" It is film")
    found = gaps(["y" * 50 + "x" * rest, "x" * rest], [filling])
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_no_more_is_asked_than_the_model_takes(folder):
    method = cloze(folder, max_length=10_000)
    assert np.isfinite(method.score(["x" * 5000], labels("film", "food")).logits_NL).all()
    assert method.truncated == 1


def test_a_template_that_leaves_no_room_is_refused(bert):
    method = cloze(bert, max_length=40)
    with pytest.raises(ConfigError, match=r"labels\.l: 'y+' takes 38 tokens; beside a text there is room for 37"):
        method.score(["x"], [label("l", "y" * 37), label("b", "b")])
    assert np.isfinite(method.score(["x"], [label("l", "y" * 36)]).logits_NL).all()


@pytest.mark.parametrize("word", ["", "  "])
def test_a_word_that_is_nothing_to_the_tokenizer_is_refused(tmp_path, word):
    method = cloze(saved(tmp_path, random_masked(), words_tokenizer()))
    with pytest.raises(ConfigError, match=rf"labels\.none: '{word}' is nothing to the model's tokenizer"):
        method.score(["film"], [label("none", word, templates=(" about {}",)), *named("film", template=" about {}")])


def words_tokenizer():
    """Whole words with the space before them, as byte-level BPE has them."""
    known = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "Ġabout", "Ġfilm", "film", "(", "Ġ", "."]
    tokenizer = Tokenizer(models.WordLevel({token: i for i, token in enumerate(known)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=128, pad_token="[PAD]", unk_token="[UNK]", mask_token="[MASK]",
        cls_token="[CLS]", sep_token="[SEP]",
    )  # fmt: skip


def test_the_space_before_a_word_is_part_of_its_token(tmp_path):
    method = cloze(saved(tmp_path, random_masked(), words_tokenizer()))
    found = method._gaps.filling(Phrase(" about ", "film", "."))
    assert (found.gap, found.ids) == (Gap((9, 5), 1, (10,)), (6,))
    glued = method._gaps.filling(Phrase("(", "film", "."))
    assert glued.ids == (7,)
    with pytest.raises(ConfigError, match=r"labels\.x: 'opera' is unknown to the model's tokenizer, at least in part"):
        method.score(["film"], [label("x", "opera", templates=(" about {}",))])


def test_a_model_is_asked_for_and_a_run_is_none(bert):
    with pytest.raises(ConfigError, match=r"method\.path: cloze needs a masked language model: method\.path=FOLDER"):
        cloze(None)
    with pytest.raises(
        ConfigError, match=r"method\.path: names a model, and run another: a run keeps no head for masks"
    ):
        ClozeMethod(Asked(Head("rte", ("a", "b"), True)), path=bert, join=" ")
