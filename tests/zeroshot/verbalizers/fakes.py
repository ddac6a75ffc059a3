"""A question whose encoder knows a few vectors."""

import numpy as np

from mtl_cli.zeroshot.scoring.method import Drawn
from tests.zeroshot.fakes import Asked

NO_TEXTS = Drawn([], np.zeros(0))


class Known:
    """Unit vectors by text; what is not known is orthogonal to all."""

    def __init__(self, vectors):
        self.vectors, self.asked = vectors, []

    def __call__(self, texts):
        self.asked += texts
        found = np.array([self.vectors.get(text, (0, 0, 1)) for text in texts], np.float32)
        return found / np.linalg.norm(found, axis=1, keepdims=True)


class Knowing(Asked):
    """The question; without vectors, one whose encoder must not be asked for."""

    def __init__(self, offline, vectors=None):
        super().__init__()
        self.offline, self._known = offline, None if vectors is None else Known(vectors)

    def encoder(self):
        return super().encoder() if self._known is None else self._known


def drawn(*texts):
    return Drawn(texts, np.full(len(texts), 1 / len(texts)))


def kept(expansion):
    return {word.text: word.weight for word in expansion.kept}


def dropped(expansion):
    return {word.text: word.reason for word in expansion.dropped}
