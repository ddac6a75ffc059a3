"""Every prior is a shift; by hand, by what defines it, and whatever the order of the texts and labels."""

import dataclasses

import numpy as np
import pytest

from mtl_cli.errors import ConfigError
from mtl_cli.zeroshot.decide.choice import AnyOf, OneOf
from mtl_cli.zeroshot.decide.priors.base import Sampled, em_prior, matching_shift
from mtl_cli.zeroshot.decide.priors.em import ExpectationMaximisation
from mtl_cli.zeroshot.decide.priors.none import NoPrior
from mtl_cli.zeroshot.decide.priors.sample import BatchCalibration
from mtl_cli.zeroshot.decide.priors.shares import Shares
from mtl_cli.zeroshot.decide.priors.uniform import Uniform

SHARES = {"a": 0.6, "b": 0.3, "c": 0.1}
ALL = [NoPrior(), Uniform(), Shares(shares=SHARES), ExpectationMaximisation(least=2), BatchCalibration(least=2)]
SEVERAL = [prior for prior in ALL if not isinstance(prior, Uniform)]
every = pytest.mark.parametrize("prior", ALL, ids=lambda prior: type(prior).__name__)


def sampled(rows=40, scale=2.0):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(rows, 3)) * scale + [2.0, 0.0, -1.0]
    weights = rng.uniform(0.5, 2, rows)
    return Sampled(logits, weights / weights.sum(), ("a", "b", "c"))


def mean_prediction(sample, shift, choice):
    return sample.weights_S @ choice.probabilities(sample.logits_SL + shift)


def test_no_prior_changes_nothing_and_needs_no_texts():
    assert NoPrior().shift(sampled(), OneOf()).tolist() == [0, 0, 0]
    assert [prior.needs_sample for prior in ALL] == [False, True, True, True, True]


def test_a_shift_by_hand():
    # softmax([log 3, 0]) = 3/4, so one text alone needs [log 1/3, 0] for half and half.
    one = Sampled(np.array([[np.log(3), 0.0]]), np.ones(1), ("a", "b"))
    shift = Uniform().shift(one, OneOf())
    assert shift[0] - shift[1] == pytest.approx(-np.log(3), abs=1e-5)


@pytest.mark.parametrize("scale", [0.1, 2.0, 100.0])
@pytest.mark.parametrize("choice", [OneOf(), AnyOf(0.5)])
def test_the_mean_prediction_has_the_shares_that_were_given(choice, scale):
    sample = sampled(scale=scale)
    shift = Shares(shares=SHARES).shift(sample, choice)
    assert mean_prediction(sample, shift, choice) == pytest.approx([0.6, 0.3, 0.1], abs=2e-6)


def test_uniform_is_the_shares_that_are_equal():
    sample = sampled()
    found = Uniform().shift(sample, OneOf())
    assert found == pytest.approx(Shares(shares=dict.fromkeys("abc", 1 / 3)).shift(sample, OneOf()), abs=1e-5)


def test_a_shift_to_the_shares_that_there_are_is_none():
    sample = sampled()
    own = dict(zip("abc", mean_prediction(sample, 0, OneOf()).tolist(), strict=True))
    assert Shares(shares=own).shift(sample, OneOf()) == pytest.approx([0, 0, 0], abs=1e-5)


def test_batch_calibration_makes_mean_log_scores_equal():
    # mean log-probabilities by hand: texts at 3/4 1/4 and 1/2 1/2
    sample = Sampled(np.log([[3.0, 1.0], [1.0, 1.0]]), np.array([0.5, 0.5]), ("a", "b"))
    shift = BatchCalibration(least=2).shift(sample, OneOf())
    assert shift[0] - shift[1] == pytest.approx(-0.5 * np.log(3))


def test_em_finds_the_shares_of_texts_from_calibrated_scores():
    # Two Gaussians, one unit of variance, means -1 and 1: the log-odds at equal priors are 2 x.
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(1, 1, 18_000), rng.normal(-1, 1, 2_000)])
    logits = np.stack([2 * x, np.zeros_like(x)], axis=1)
    found = em_prior(logits[None], np.full(len(x), 1 / len(x)))
    assert found[0] == pytest.approx([0.9, 0.1], abs=0.01)


def test_em_is_a_fixed_point_of_its_own_step():
    sample = sampled()
    prior = em_prior(sample.logits_SL[None], sample.weights_S)[0]
    again = sample.weights_S @ OneOf().probabilities(sample.logits_SL + np.log(prior))
    assert again == pytest.approx(prior, abs=5e-6)


def test_em_that_drops_a_label_stays_finite():
    certain = Sampled(np.array([[50.0, 0.0], [60.0, 0.0]]), np.array([0.5, 0.5]), ("a", "b"))
    assert np.isfinite(ExpectationMaximisation(least=2).shift(certain, OneOf())).all()


@every
def test_the_order_of_the_texts_changes_nothing(prior):
    sample = sampled()
    order = np.random.default_rng(3).permutation(len(sample.weights_S))
    shuffled = Sampled(sample.logits_SL[order], sample.weights_S[order], sample.labels)
    assert prior.shift(shuffled, OneOf()) == pytest.approx(prior.shift(sample, OneOf()), abs=1e-9)


@every
def test_the_order_of_the_labels_permutes_the_shift(prior):
    sample = sampled()
    turned = Sampled(sample.logits_SL[:, [2, 0, 1]], sample.weights_S, ("c", "a", "b"))
    assert prior.shift(turned, OneOf()) == pytest.approx(prior.shift(sample, OneOf())[[2, 0, 1]], abs=1e-9)


@every
def test_a_weight_is_as_good_as_a_row_that_stands_twice(prior):
    sample = sampled(4)
    twice = Sampled(sample.logits_SL[[0, 0, 1, 2, 3]], np.full(5, 0.2), sample.labels)
    weighted = Sampled(sample.logits_SL, np.array([0.4, 0.2, 0.2, 0.2]), sample.labels)
    assert prior.shift(twice, OneOf()) == pytest.approx(prior.shift(weighted, OneOf()), abs=1e-9)


@pytest.mark.parametrize("prior", SEVERAL, ids=lambda prior: type(prior).__name__)
def test_with_several_labels_a_label_s_shift_does_not_depend_on_the_others(prior):
    sample = sampled()
    alone = Sampled(sample.logits_SL[:, 1:2], sample.weights_S, ("b",))
    own = Shares(shares={"b": 0.3}) if isinstance(prior, Shares) else prior
    assert own.shift(alone, AnyOf(0.5)) == pytest.approx(prior.shift(sample, AnyOf(0.5))[1:2], abs=1e-5)


def test_a_prior_says_before_anything_is_scored_that_it_does_not_fit():
    with pytest.raises(ValueError, match="no share is given for z"):
        Shares(shares=SHARES).check(("a", "b", "c", "z"), OneOf())
    with pytest.raises(ValueError, match="'uniform' says nothing"):
        Uniform().check(("a",), AnyOf(0.5))


def test_deterministic_logits_of_200_are_matched_too():
    logits = np.where(np.arange(10)[:, None] < 9, [[200.0, -200.0]], [[-200.0, 200.0]])
    shift = matching_shift(logits[None], np.full(10, 0.1), np.array([[0.5, 0.5]]))
    found = OneOf().probabilities(logits + shift[0]).mean(0)
    assert found == pytest.approx([0.5, 0.5], abs=1e-5)


def test_of_too_few_texts_batch_calibration_takes_nothing_and_says_so(caplog):
    logits = np.array([[2.0, 0.0], [1.0, 0.0], [3.0, 1.0]])
    few = Sampled(logits, np.full(3, 1 / 3), ("a", "b"))
    assert BatchCalibration(least=4).shift(few, OneOf()).tolist() == [0, 0]
    assert "prior sample: 3 texts (prior.least=4) are too few to tell" in caplog.text
    assert BatchCalibration(least=3).shift(few, OneOf()).tolist() != [0, 0]
    with pytest.raises(ValueError, match="least must be 2 or more"):
        BatchCalibration(least=1)


def test_shares_are_written_as_a_text_too():
    """For labels that Hydra's grammar has no place for."""
    sample = dataclasses.replace(sampled(), labels=("straße", "a,b", "c"))
    as_text = Shares(shares='straße=.6,"a,b=.3",c=.1')
    assert as_text.shift(sample, OneOf()) == pytest.approx(Shares(shares=SHARES).shift(sampled(), OneOf()))
    with pytest.raises(ConfigError, match=r"prior\.shares: the share of 'b' must be a number, .* found 'x'"):
        Shares(shares="a=.5,b=x")
