import numpy as np
import pytest

from mtl_cli.zeroshot.engines.embed import EmbedMethod
from mtl_cli.zeroshot.labels.label_set import Label, Word
from mtl_cli.zeroshot.scoring.method import probabilities

VECTORS = {"east": (1, 0), "north": (0, 1), "steep": (0.6, 0.8), "west": (-1, 0)}


class Encoder:
    """Known unit vectors; counts what it is asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, texts):
        self.asked.append(list(texts))
        return np.array([VECTORS[text] for text in texts], np.float32)


def labels(*texts):
    return [Label(f"label {i}", tuple(map(Word, words)), ("{}",)) for i, words in enumerate(texts)]


def test_logits_are_cosines_over_the_temperature():
    found = EmbedMethod(Encoder(), temperature=0.1).score(["steep", "west"], labels(("east",), ("north",))).logits_NL
    assert found == pytest.approx(np.array([[6, 8], [-10, 0]]), abs=1e-5)


def test_a_label_of_several_texts_is_their_mean_at_length_one():
    found = (
        EmbedMethod(Encoder(), temperature=1).score(["east", "north"], labels(("east", "north"), ("steep",))).logits_NL
    )
    assert found == pytest.approx(np.array([[0.5**0.5, 0.6], [0.5**0.5, 0.8]]), abs=1e-6)


def test_labels_are_encoded_once_and_again_when_they_change():
    encoder = Encoder()
    method = EmbedMethod(encoder, temperature=1)
    for text in ("east", "west"):
        method.score([text], labels(("north",), ("steep",)))
    method.score(["east"], labels(("west",), ("steep",)))
    assert encoder.asked == [["east"], ["north", "steep"], ["west"], ["east"], ["west", "steep"]]


@pytest.mark.parametrize("temperature", [0, -1.0])
def test_a_temperature_that_is_not_positive_is_refused(temperature):
    with pytest.raises(ValueError, match="temperature must be more than 0; found"):
        EmbedMethod(Encoder(), temperature=temperature)


def test_probabilities_are_a_softmax_and_do_not_overflow():
    found = probabilities(np.array([[0.0, np.log(3)], [1000.0, 1000.0], [-2000.0, 0.0]]))
    assert found == pytest.approx(np.array([[0.25, 0.75], [0.5, 0.5], [0, 1]]))


def test_prefixes_stand_before_texts_and_before_phrases():
    class Hears(Encoder):
        def __call__(self, texts):
            self.asked.append(list(texts))
            return np.array([VECTORS[text.split()[-1]] for text in texts], np.float32)

    plain, encoder = Hears(), Hears()
    found = EmbedMethod(encoder, temperature=1, text_prefix="query: ", label_prefix="passage: ").score(
        ["east"], labels(("north",), ("west",))
    )
    assert encoder.asked == [["query: east"], ["passage: north", "passage: west"]]
    assert (
        found.logits_NL.tolist()
        == EmbedMethod(plain, temperature=1).score(["east"], labels(("north",), ("west",))).logits_NL.tolist()
    )
    assert found.parts[0].what == "north"
