"""Raw labels and targets of one number a row, for tests."""

import numpy as np

from mtl_cli.tasks.columns import Column
from mtl_cli.tasks.kinds.single import LABEL
from mtl_cli.tasks.labels import assembled


def read(kind, values, train=None):
    """How a column is read, with the labels of its rows."""
    reader = kind.reader()
    stored = [reader.read(value, None) for value in values]
    codes = {name: assembled(spec, [one[i] for one in stored]) for i, (name, spec) in enumerate(kind.columns.items())}
    found = kind.targets(reader.facts(), codes, train)
    return found.reading, kind.gold(found.columns).tolist()


def labels_of(kind, values, train=None):
    """Labels of a column's rows; None for none."""
    return [None if label != label else label for label in read(kind, values, train)[1]]


def targets(values):
    """Targets of some rows; NaN is no label."""
    return {LABEL: Column(np.asarray(values, np.float32))}
