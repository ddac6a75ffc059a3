"""Nearest words in a table of embeddings that the test fills."""

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import nn
from transformers import PreTrainedTokenizerFast

from mtl_cli.zeroshot.scoring.encoder import TextEncoder
from mtl_cli.zeroshot.scoring.vocabulary import vocabulary
from mtl_cli.zeroshot.verbalizers.related import RelatedVerbalizer
from tests.fakes import cpu, tiny_backbone
from tests.zeroshot.fakes import label
from tests.zeroshot.verbalizers.fakes import NO_TEXTS, Knowing, kept

ROWS = {
    "[PAD]": (0, 0), "[UNK]": (9, 9), "joy": (1, 0), "glee": (0.8, 0.6), "##ful": (1, 0), "gloom": (-1, 0), "x": (1, 0), "1": (1, 0),
    "!": (1, 0), "sad": (0, 2), "ness": (0.6, 0.8), "##ness": (0, 0),
}  # fmt: skip


@pytest.fixture
def words():
    """A vocabulary of word pieces, with their vectors."""
    inner = Tokenizer(models.WordPiece(vocab={token: i for i, token in enumerate(ROWS)}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]")
    table = nn.Embedding.from_pretrained(torch.tensor(list(ROWS.values()), dtype=torch.float32))
    return vocabulary(tokenizer, table)


class Table(Knowing):
    """A question whose encoder has this vocabulary."""

    def __init__(self, found):
        super().__init__(None)
        self.found = found

    def encoder(self):
        return self

    def vocabulary(self):
        return self.found


def related(found, *labels, **options):
    chosen = {"nearest": 9, "least": 0.0, "most": 9, "longest": 3, "weight": 100.0, "least_similarity": None, **options}
    return RelatedVerbalizer(Table(found), **chosen).expand(labels, NO_TEXTS)


def test_whole_words_of_letters_alone_are_in_the_vocabulary(words):
    assert words.words == ("joy", "glee", "gloom", "sad", "ness")


def test_the_nearest_words_weigh_their_cosine(words):
    joy, _ = related(words, label("joy"), label("zzz"))
    assert kept(joy) == pytest.approx({"glee": 0.8, "ness": 0.6}, abs=1e-4)
    assert kept(related(words, label("joy"), label("zzz"), nearest=2)[0]) == pytest.approx({"glee": 0.8}, abs=1e-4)
    assert kept(related(words, label("joy"), label("zzz"), least=0.7)[0]) == pytest.approx({"glee": 0.8}, abs=1e-4)


def test_a_label_of_several_tokens_is_their_mean(words):
    # joy (1, 0) and sad (0, 2): the mean lies at (0.447, 0.894)
    both, _ = related(words, label("joy_sad"), label("zzz"), nearest=1)
    assert kept(both) == pytest.approx({"ness": 0.6 * 0.4472 + 0.8 * 0.8944}, abs=1e-3)


@pytest.mark.parametrize("text", ["zzz", " ", "卡", "{}"])
def test_a_label_that_the_tokenizer_does_not_know_stays_as_it_is(words, text):
    nothing, _ = related(words, label(text), label("joy"))
    assert (kept(nothing), nothing.told) == ({}, "the model's tokenizer knows nothing of it")


def test_a_label_with_words_of_its_own_keeps_those_alone(words):
    own, _ = related(words, label("sad", "sad", "blue"), label("joy"))
    assert (kept(own), own.told) == ({}, "it has words of its own")


def test_a_model_of_bytes_has_no_words_and_says_so():
    encoder = TextEncoder(tiny_backbone(), cpu(), max_length=32, batch_tokens=64)
    found, _ = related(encoder.vocabulary(), label("joy"), label("sad"))
    assert (kept(found), found.told) == ({}, "the model's tokens are no words")


@pytest.mark.parametrize("options", [{"nearest": 0}, {"least": 1.0}, {"least": -0.1}])
def test_options_that_mean_nothing_are_refused(words, options):
    with pytest.raises(ValueError, match="nearest must be 1 or more, least from 0 to below 1"):
        related(words, **options)
