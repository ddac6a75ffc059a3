import numpy as np
import pytest

from mtl_cli.zeroshot.scoring.trie import build, in_parts


def test_a_column_is_made_for_each_beginning_that_something_follows():
    trie = build([(1, 2, 3), (1, 2, 4), (1, 5), (6,)])
    assert trie.tokens_C.tolist() == [0, 1, 2]
    assert trie.depth_C.tolist() == [0, 1, 2]
    assert trie.sees_CC.tolist() == [[True, False, False], [True, True, False], [True, True, True]]
    edges = list(zip(trie.column_E.tolist(), trie.token_E.tolist(), strict=True))
    assert edges == [(0, 1), (1, 2), (2, 3), (2, 4), (1, 5), (0, 6)]
    assert [own.tolist() for own in trie.edges_H] == [[0, 1, 2], [0, 1, 3], [0, 4], [5]]


def test_branches_do_not_see_each_other():
    trie = build([(1, 2, 3), (4, 2, 3)])
    assert trie.tokens_C.tolist() == [0, 1, 2, 4, 2]
    behind_prompt = trie.sees_CC[1:, 1:] & ~np.eye(4, dtype=bool)
    assert np.argwhere(behind_prompt).tolist() == [[1, 0], [3, 2]]


def test_a_sequence_that_begins_another_and_one_that_stands_twice():
    trie = build([(1,), (1, 2), (1,)])
    assert trie.columns == 2
    assert trie.sums(np.array([[-1.0, -2.0]])).tolist() == [[-1.0, -3.0, -1.0]]


@pytest.mark.parametrize("most", [1, 2, 3, 5, 100])
def test_parts_hold_every_sequence_once_and_no_more_columns_than_asked(most):
    sequences = [(1, 2, 3), (4, 5), (1, 2, 4), (6,), (4, 6, 7), (8,)]
    parts = list(in_parts(sequences, most))
    assert sorted(i for places, _ in parts for i in places) == list(range(len(sequences)))
    assert all(trie.columns <= most or len(places) == 1 for places, trie in parts)
    for places, trie in parts:
        assert [tuple(trie.token_E[own]) for own in trie.edges_H] == [sequences[i] for i in places]
    assert list(in_parts([], most)) == []
