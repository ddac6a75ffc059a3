import numpy as np
import pytest
import torch

from mtl_cli.model.multitask import MultiTaskModel
from mtl_cli.model.sharing.hard import HardSharing
from mtl_cli.tasks.kinds.base import HeadSpec
from mtl_cli.train.predict import predict, token_batches
from tests.fakes import cpu, encoded, tiny_backbone

TEXTS = ["one", "a text of middle length", "x", "the longest text of all, by a good margin", "two words", "x"]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    sharing = HardSharing(tiny_backbone(dropout=0.1), ["a", "b"], head_dropout=0.1)
    return MultiTaskModel(sharing, {"a": HeadSpec(3), "b": HeadSpec(1)}, 0).train()


def outputs(model, texts, batch_tokens, head="a", tick=lambda: None):
    rows = encoded(model.sharing.backbone, texts, [np.nan] * len(texts))
    return predict(model, head, rows, batch_tokens=batch_tokens, fabric=cpu(), tick=tick).values


@pytest.mark.parametrize("seed", range(5))
def test_every_row_is_in_one_batch_within_the_budget_longest_first(seed):
    lengths = np.random.default_rng(seed).integers(1, 60, 100)
    batches = list(token_batches(lengths, 128))
    assert sorted(np.concatenate(batches)) == list(range(100))
    assert all(lengths[b].max() * len(b) <= 128 for b in batches)
    longest = [lengths[b].max() for b in batches]
    assert longest == sorted(longest, reverse=True)


def test_a_row_longer_than_the_budget_goes_alone():
    assert [b.tolist() for b in token_batches(np.array([3, 50, 3]), 10)] == [[1], [0, 2]]


@pytest.mark.parametrize("batch_tokens", [1, 40, 100, 10_000])
def test_a_text_scores_the_same_alone_and_in_any_batch_in_the_order_of_the_rows(model, batch_tokens):
    together = outputs(model, TEXTS, batch_tokens)
    alone = np.concatenate([outputs(model, [text], 1000) for text in TEXTS])
    assert together.shape == (6, 3)
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_the_head_asked_for_is_used(model):
    assert outputs(model, TEXTS, 100, head="b").shape == (6, 1)


def test_prediction_is_without_dropout_and_training_goes_on_after_it(model):
    assert np.array_equal(outputs(model, TEXTS, 100), outputs(model, TEXTS, 100))
    assert model.training


def test_a_stop_between_passes_leaves_the_model_in_training_mode(model):
    ticks = []

    def tick():
        ticks.append(1)
        if len(ticks) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outputs(model, TEXTS, 1, tick=tick)
    assert model.training
