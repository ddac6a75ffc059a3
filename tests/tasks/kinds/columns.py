"""Columns of raw labels for tests."""

import numpy as np


def read(kind, values, train=None):
    """How a column is read, with the labels of its rows."""
    column = kind.column()
    codes_N = np.array([column.code(value) for value in values], np.float32)
    labels = kind.read(column.facts(), codes_N, train)
    return labels.reading, labels.of(codes_N).tolist()


def labels_of(kind, values, train=None):
    """Labels of a column's rows; None for none."""
    return [None if label != label else label for label in read(kind, values, train)[1]]
