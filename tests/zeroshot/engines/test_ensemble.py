import dataclasses
import logging

import numpy as np
import pytest

from mtl_cli.errors import ConfigError
from mtl_cli.zeroshot.decide.priors.none import NoPrior
from mtl_cli.zeroshot.decide.priors.sample import BatchCalibration
from mtl_cli.zeroshot.engines.ensemble import EnsembleMethod
from mtl_cli.zeroshot.scoring.method import Drawn, Method, Part, Scores
from mtl_cli.zeroshot.scoring.models import Member
from mtl_cli.zeroshot.scoring.plan import Plan
from tests.zeroshot.fakes import Asked, label, named

TEXTS = ["aa", "b", "cccc", "", "dd d"]


class Known(Method):
    """A logit is a known number of text and label, times a scale."""

    def __init__(self, seed, scale=1.0, bias=(0.0, 0.0, 0.0)):
        self.seed, self.scale, self.bias, self.seen = seed, scale, np.array(bias), []

    identity = property(lambda self: f"known {self.seed}")
    truncated = property(lambda self: self.seed)

    def score(self, texts, labels):
        self.seen.append([one.texts for one in labels])
        draws = [
            [np.random.default_rng([self.seed, len(t), ord(one.name[0])]).normal() for one in labels] for t in texts
        ]
        logits_NL = self.scale * np.array(draws) + self.bias[: len(labels)]
        return Scores(logits_NL, tuple(Part(i, one.name) for i, one in enumerate(labels)), logits_NL)

    def plan(self, texts, labels):
        return Plan(len(texts) * self.seed, 1)


class Offers(Asked):
    """A question whose members a test names."""

    def __init__(self, members, **options):
        super().__init__(**options)
        self._members, self.asked = members, []

    def member(self, overrides):
        self.asked.append(list(overrides))
        return self._members[overrides[0]]


def member(method, prior=None, templates=("{}",)):
    return Member(f"known {method.seed}", method, prior or NoPrior(), templates)


def ensemble(members, weights=None, **options):
    members = {name: dataclasses.replace(one, name=name) for name, one in members.items()}
    return EnsembleMethod(Offers(members, **options), members=list(members), weights=weights)


def drawn(texts=TEXTS):
    return Drawn(texts, np.full(len(texts), 1 / len(texts)))


def scores(members, weights=None, names=("x", "y", "z"), **options):
    method = ensemble(members, weights, **options)
    method.fit(drawn(), named(*names))
    return method.score(TEXTS, named(*names))


def centred(logits_NL):
    return logits_NL - logits_NL.mean(axis=1, keepdims=True)


def test_members_are_brought_to_one_spread_and_averaged():
    one, two = (
        centred(Known(1).score(TEXTS, named("x", "y", "z")).logits_NL),
        centred(Known(2).score(TEXTS, named("x", "y", "z")).logits_NL),
    )
    spread = [np.sqrt((z**2).mean()) for z in (one, two)]
    expected = (one / spread[0] + two / spread[1]) / 2 * np.mean(spread)
    assert scores({"a": member(Known(1)), "b": member(Known(2))}).logits_NL == pytest.approx(expected)


def test_a_member_with_larger_logits_counts_no_more():
    one = scores({"a": member(Known(1)), "b": member(Known(2))}).logits_NL
    large = scores({"a": member(Known(1)), "b": member(Known(2, scale=1000.0))}).logits_NL
    assert centred(large) / np.abs(large).max() == pytest.approx(centred(one) / np.abs(one).max())


def test_a_member_of_weight_one_is_that_member_alone():
    found = scores({"a": member(Known(1)), "b": member(Known(2))}, [3.0, 0.0]).logits_NL
    assert found == pytest.approx(centred(Known(1).score(TEXTS, named("x", "y", "z")).logits_NL))


def test_each_member_has_its_own_prior_taken_off():
    biased = {"a": member(Known(1, bias=(9.0, 0, 0)), BatchCalibration(least=2)), "b": member(Known(2))}
    plain = {"a": member(Known(1), BatchCalibration(least=2)), "b": member(Known(2))}
    # Batch calibration takes a constant bias away but for what the softmax does to it.
    assert scores(biased).logits_NL.argmax(1).tolist() == scores(plain).logits_NL.argmax(1).tolist()


def test_each_member_speaks_of_labels_in_its_own_templates_unless_a_label_has_its_own():
    about = Known(1)
    method = ensemble({"a": member(about, templates=("about {}",)), "b": member(Known(2))})
    own = label("y", templates=("my {}",), own_templates=True)
    method.fit(drawn(), [label("x"), own])
    assert about.seen == [[("about x",), ("my y",)]]


def test_the_sample_is_a_set_its_order_changes_nothing():
    members = {"a": member(Known(1)), "b": member(Known(2))}
    forwards, backwards = ensemble(members), ensemble(members)
    forwards.fit(drawn(), named("x", "y"))
    backwards.fit(drawn(TEXTS[::-1]), named("x", "y"))
    assert forwards.score(TEXTS, named("x", "y")).logits_NL == pytest.approx(
        backwards.score(TEXTS, named("x", "y")).logits_NL, rel=1e-12
    )


def test_where_a_text_may_have_several_labels_the_common_part_counts():
    known = {"a": member(Known(1, bias=(5.0, 5.0))), "b": member(Known(2))}
    found = scores(known, names=("x", "y"), several=True).logits_NL
    assert found.mean() > 0.5


def test_the_driver_is_the_member_that_adds_most():
    found = scores({"a": member(Known(1)), "b": member(Known(2))})
    assert found.parts_NP.reshape(5, 2, 3).sum(axis=1) == pytest.approx(found.logits_NL)
    what, value = found.driver(0, 1)
    assert value == found.parts_NP[0, [1, 4]].max()
    assert what == "ab"[int(found.parts_NP[0, [1, 4]].argmax())]


def test_what_it_is_and_costs_is_the_sum_of_its_members():
    method = ensemble({"a": member(Known(1)), "b": member(Known(2))})
    assert method.identity == "a (known 1) + b (known 2)"
    assert method.plan(TEXTS, named("x")) == Plan(15, 2)
    assert method.truncated == 2


def test_agreement_of_members_is_told_and_a_member_that_says_nothing_is_named(caplog):
    caplog.set_level(logging.INFO)
    scores({"a": member(Known(1)), "b": member(Known(1, scale=2.0)), "c": member(Known(1, scale=0.0))})
    assert "a and b 100 %" in caplog.text
    assert "member c says the same of every label and text: it changes nothing" in caplog.text


def test_other_labels_than_those_of_the_sample_are_refused():
    method = ensemble({"a": member(Known(1)), "b": member(Known(2))})
    for names in (["x"], ["y", "x"]):
        with pytest.raises(ConfigError, match="an ensemble needs one label set for all texts"):
            method.score(["t"], named(*names))
        method.fit(drawn(), named("x", "y"))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0], r"method\.weights: must have one number a member, 2; found 1"),
        ([-1.0, 1.0], r"method\.weights: must not be below 0, nor all 0; found \[-1\.0, 1\.0\]"),
        ([0.0, 0.0], r"method\.weights: must not be below 0, nor all 0"),
        ([float("inf"), 1.0], r"method\.weights: must not be below 0, nor all 0"),
    ],
)
def test_weights_that_do_not_fit_are_told(weights, message):
    with pytest.raises(ConfigError, match=message):
        ensemble({"a": member(Known(1)), "b": member(Known(2))}, weights)


def test_one_member_is_no_ensemble():
    with pytest.raises(ConfigError, match=r"method\.members: an ensemble has at least two members; found 1"):
        ensemble({"a": member(Known(1))})


def test_a_member_is_what_one_would_write_on_the_command_line_and_equal_names_are_numbered():
    offers = Offers({"method=embed": member(Known(1)), "method=nli": member(Known(2))})
    method = EnsembleMethod(offers, members=["method=embed", "method=nli 'run=a b'", "method=embed"], weights=None)
    assert offers.asked == [["method=embed"], ["method=nli", "run=a b"], ["method=embed"]]
    assert method.identity == "known 1 1 (known 1) + known 2 (known 2) + known 1 2 (known 1)"


def test_quotes_of_a_member_that_do_not_close_are_told():
    with pytest.raises(ConfigError, match=r"method\.members\[1\]: its quotes do not close: method='nli"):
        EnsembleMethod(Offers({"a": member(Known(1))}), members=["a", "method='nli"], weights=None)
