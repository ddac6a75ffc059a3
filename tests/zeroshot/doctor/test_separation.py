import numpy as np
import pytest

from mtl_cli.zeroshot.doctor.base import Scored
from mtl_cli.zeroshot.doctor.separation import first_places, first_shares, inseparable, relative_margins
from tests.zeroshot.doctor.fakes import of_names, scored


def test_relative_margins_by_hand():
    found = relative_margins(scored((0.5, 0.3, 0.2), (0.1, 0.3, 0.6)))
    # |.2| + |.2| over .8 + .4;  .3 + .5 over .7 + .7;  .1 + .3 over .5 + .9
    assert found[0, 1] == pytest.approx(0.4 / 1.2)
    assert found[0, 2] == pytest.approx(0.8 / 1.4)
    assert found[1, 2] == pytest.approx(0.4 / 1.4)
    assert np.array_equal(found, found.T)


def test_texts_count_as_the_rows_that_they_stand_for():
    p_SL = np.array([[0.5, 0.5], [1.0, 0.0]])
    assert relative_margins(Scored(p_SL, p_SL, np.array([0.75, 0.25])))[0, 1] == pytest.approx(0.25)


def test_labels_that_rise_and_fall_together_are_not_told_apart():
    (found,) = inseparable(of_names("a", "b", "c", scored=scored((0.45, 0.45, 0.1), (0.05, 0.06, 0.89))))
    assert found.labels == ("a", "b")
    assert "hardly tells 'a' from 'b': on these texts their probabilities differ by 1.0 % of their sum" in found.found


def test_labels_that_share_the_texts_are_told_apart():
    assert list(inseparable(of_names("a", "b", scored=scored((0.7, 0.3), (0.3, 0.7))))) == []


def test_a_label_that_takes_nearly_all_is_named():
    (found, *_) = first_places(of_names("a", "b", scored=scored(*[(0.6, 0.4)] * 19, (0.4, 0.6))))
    assert found.labels == ("a",)
    assert "'a' is the best label of 95 % of the texts" in found.found
    assert "prior=shares" in found.do


def test_labels_that_never_come_first_are_named_where_the_texts_are_enough():
    rows = [(0.5, 0.3, 0.2), (0.3, 0.5, 0.2)]
    (found,) = first_places(of_names("a", "b", "c", scored=scored(*rows * 5)))
    assert (found.severity, found.labels) == ("warning", ("c",))
    assert found.found == "'c' is never the best label of 10 texts"
    (found,) = first_places(of_names("a", "b", "c", scored=scored(*rows)))
    assert found.severity == "note"
    assert found.do == "look at more: doctor.sample=9"


def test_shares_are_of_rows():
    p_SL = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert first_shares(Scored(p_SL, p_SL, np.array([0.25, 0.75]))).tolist() == [0.25, 0.75]


def test_without_texts_nothing_is_said():
    assert [*inseparable(of_names("a", "b")), *first_places(of_names("a", "b"))] == []
