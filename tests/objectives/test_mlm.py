"""Hidden tokens: how many, which, and what is lost by not knowing them."""

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from mtl_cli.data.loader import Passes as Cut
from mtl_cli.data.loader import StepLoader
from mtl_cli.data.sampler.all_tasks import AllTasks
from mtl_cli.model.multitask import MultiTaskModel
from mtl_cli.model.sharing.hard import HardSharing
from mtl_cli.objectives.base import Vocabulary
from mtl_cli.objectives.mlm import MaskedLM
from mtl_cli.tasks.columns import Column
from mtl_cli.tasks.kinds.unlabelled import Unlabelled
from mtl_cli.train.step.passes import Passes
from tests.data.fakes import encoded_set
from tests.fakes import cpu, encoded, tiny_backbone

MASK, VOCABULARY = 4, Vocabulary(2000, 4, (0, 1, 2, 3, 4))
KEY = (7, 5, 0)


def mlm(rate=0.15):
    return MaskedLM(Unlabelled(), VOCABULARY, rate=rate)


def rows_of(column):
    return [column.row(i) for i in range(len(column))]


def row(tokens, first=100):
    return np.array([2, *range(first, first + tokens), 3])


@pytest.mark.parametrize(
    ("tokens", "rate", "chosen"), [(20, 0.15, 3), (1, 0.15, 1), (3, 0.15, 1), (10, 0.5, 5), (0, 0.15, 0)]
)
def test_a_share_of_the_text_is_chosen_and_one_token_at_least(tokens, rate, chosen):
    found = mlm(rate).prepared([row(tokens)], np.array([0]), KEY)
    assert len(found.targets["tokens"].values) == len(found.arrays["hidden"].values) == chosen
    assert len(found.ids[0]) == tokens + 2


def test_units_are_what_will_be_chosen():
    one = mlm(0.3)
    lengths = [3, 12, 40, 7]
    units = one.units(encoded_set(lengths, first_id=10)).tolist()
    ids = [np.arange(10 + 100 * i, 10 + 100 * i + n) for i, n in enumerate(lengths)]
    found = one.prepared(ids, np.arange(4), KEY).targets["tokens"]
    assert units == np.diff(found.offsets).tolist()


def test_only_text_is_hidden_and_what_it_was_is_kept():
    text = row(50)
    found = mlm(0.9).prepared([text], np.array([0]), KEY)
    at = found.arrays["hidden"].values
    assert found.targets["tokens"].values.tolist() == text[at].tolist()
    assert not {0, 51} & set(at.tolist())
    untouched = np.setdiff1d(np.arange(52), at)
    assert found.ids[0][untouched].tolist() == text[untouched].tolist()


def test_most_become_the_mask_some_another_token_and_some_stay():
    text = row(1500)
    found = mlm(0.9).prepared([text] * 8, np.arange(8), KEY)
    ids, was = (
        np.concatenate([one[at] for one, at in zip(found.ids, rows_of(found.arrays["hidden"]), strict=True)]),
        found.targets["tokens"].values,
    )
    masked, same = ids == MASK, ids == was
    assert masked.mean() == pytest.approx(0.8, abs=0.03)
    assert same.mean() == pytest.approx(0.1, abs=0.03)
    assert (~masked & ~same).mean() == pytest.approx(0.1, abs=0.03)


def test_a_row_is_hidden_alike_whatever_stands_beside_it_and_anew_in_each_step():
    one, text = mlm(), row(30)
    alone = one.prepared([text], np.array([7]), KEY).ids[0]
    beside = one.prepared([row(9), text, row(4)], np.array([1, 7, 3]), KEY).ids[1]
    assert alone.tolist() == beside.tolist()
    later = one.prepared([text], np.array([7]), (7, 5, 1)).ids[0]
    other = one.prepared([text], np.array([8]), KEY).ids[0]
    assert alone.tolist() not in (later.tolist(), other.tolist())


def test_loss_is_the_negative_log_likelihood_of_the_hidden_tokens_of_each_row():
    out = np.random.default_rng(0).normal(size=(3, 6)).astype(np.float32)
    logs, offsets = log_softmax(out, axis=1), np.array([0, 2, 2, 3])
    found = mlm().loss(Column(torch.tensor(out), offsets), {"tokens": Column(torch.tensor([1, 5, 0]), offsets)})
    assert found.tolist() == pytest.approx([-(logs[0, 1] + logs[1, 5]), 0, -logs[2, 0]], abs=1e-6)


def test_a_tokenizer_without_a_mask_is_refused_and_so_is_a_share_of_nothing():
    with pytest.raises(ValueError, match="the backbone's tokenizer has no mask token"):
        MaskedLM(Unlabelled(), Vocabulary(10, None, ()))
    with pytest.raises(ValueError, match="rate must lie between 0 and 1; found 0"):
        mlm(0)


def trained(passes):
    """Loss and gradient of one step over texts, cut into passes."""
    torch.manual_seed(0)
    backbone = tiny_backbone()
    sets = {"t": encoded(backbone, ["a text of some length", "short", "another one here"], [np.nan] * 3)}
    tokenizer = backbone.tokenizer
    objectives = {
        "t": MaskedLM(
            Unlabelled(), Vocabulary(backbone.vocabulary, tokenizer.mask_token_id, tuple(tokenizer.all_special_ids))
        )
    }
    sets["t"] = type(sets["t"])(**{**vars(sets["t"]), "units_N": objectives["t"].units(sets["t"])})
    model = MultiTaskModel(HardSharing(backbone, ["t"], head_dropout=0.0), {"t": objectives["t"].head}, 0)
    loader = StepLoader(
        sets, {"t": np.arange(3)}, AllTasks(["t"], [3]), size=3, window=1, passes=passes, seed=0, preparing=objectives
    )  # fmt: skip
    found = Passes(model, objectives, loader.step(0), cpu()).accumulate(torch.ones(1))
    return found.losses_K, {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def test_loss_and_gradient_do_not_depend_on_the_cut_into_passes():
    (whole, gradients), (cut, others) = trained(Cut(None, None, None)), trained(Cut(None, 1, None))
    torch.testing.assert_close(whole, cut, atol=1e-5, rtol=1e-5)
    assert gradients.keys() == others.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, others[name], atol=1e-5, rtol=1e-4)


def test_the_embeddings_are_tied_and_trained_by_what_texts_look_up_alone():
    _, gradients = trained(Cut(None, None, None))
    table = gradients["sharing.shared.encoder.embeddings.word_embeddings.weight"]
    seen = encoded(tiny_backbone(), ["a text of some length", "short", "another one here"], [np.nan] * 3).ids_T
    touched = set(torch.nonzero(table.abs().sum(1)).flatten().tolist())
    assert touched <= {*seen.tolist(), *range(table.shape[0])}
    assert {"heads.task_t.dense.weight", "heads.task_t.norm.weight", "heads.task_t.bias"} <= gradients.keys()
    assert len(touched) < len(set(seen.tolist())) + 8
