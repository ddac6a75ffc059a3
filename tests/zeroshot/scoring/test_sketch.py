import numpy as np
import pytest

from mtl_cli.zeroshot.scoring.sketch import Sketch


def kept(texts, size, seed=1, golds=None):
    sketch = Sketch(size, seed)
    for i, text in enumerate(texts):
        sketch.add(text, golds[i] if golds else None)
    return sketch.kept()


def test_few_texts_are_all_kept_with_the_number_of_their_rows():
    assert {k.text: k.rows for k in kept(["a", "b", "a", "", "a"], 10)} == {"a": 3, "b": 1, "": 1}


@pytest.mark.parametrize("size", [1, 7, 50])
def test_the_order_of_the_rows_does_not_change_the_sample(size):
    texts = [f"text {i % 70}" for i in range(200)]
    order = np.random.default_rng(0).permutation(200)
    one, other = kept(texts, size), kept([texts[i] for i in order], size)
    assert [(k.text, k.rows) for k in one] == [(k.text, k.rows) for k in other]
    assert len(one) == size
    assert all(k.rows == texts.count(k.text) for k in one)


def test_another_seed_draws_another_sample():
    texts = [str(i) for i in range(100)]
    assert {k.text for k in kept(texts, 10, 1)} != {k.text for k in kept(texts, 10, 2)}


def test_every_text_has_the_same_chance():
    texts = [str(i) for i in range(20)]
    counts = dict.fromkeys(texts, 0)
    for seed in range(400):
        for k in kept(texts, 5, seed):
            counts[k.text] += 1
    assert sum(counts.values()) == 2000
    assert all(60 < n < 140 for n in counts.values())  # 100 expected, deviation 9


def test_gold_labels_of_a_text_are_counted():
    (found,) = kept(["a", "a", "a"], 2, golds=[("x",), ("y",), ("x",)])
    assert dict(found.golds) == {("x",): 2, ("y",): 1}


def test_a_sample_of_none_is_empty():
    assert kept(["a"], 0) == []
