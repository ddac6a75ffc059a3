import json

import pytest

from mtl_cli.zeroshot.decide.answer import Answer
from mtl_cli.zeroshot.decide.choice import Decided


@pytest.mark.parametrize(
    "answer",
    [
        Answer("x", Decided("a"), {"a": 0.6, "b": 0.4}, None),
        Answer("x", Decided(None), {"a": 0.4, "b": 0.6}, ("a",), held=True),
        Answer("x", Decided(None, ("b",)), {"a": 0.4, "b": 0.6}, ("a", "b")),
        Answer("x", Decided(None, ()), {"a": 0.4}, ()),
    ],
)
def test_an_answer_is_the_same_from_its_line(answer):
    assert Answer.read(json.loads(json.dumps(answer.record()))) == answer


def test_a_line_has_what_there_is_to_say():
    assert Answer("x", Decided(None), {"a": 1.0}, ("a",)).record() == {
        "text": "x",
        "label": None,
        "scores": {"a": 1.0},
        "gold": "a",
    }
    assert Answer("x", Decided(None, ("a",)), {"a": 1.0}, ()).record() == {
        "text": "x",
        "labels": ["a"],
        "scores": {"a": 1.0},
        "gold": [],
    }


def test_the_top_label_is_known_where_none_was_given():
    assert Answer("x", Decided(None), {"a": 0.4, "b": 0.6}, None).top == "b"
