"""A sample of texts in one pass and constant memory, the same whatever the order of the rows."""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Kept:
    """A text of the sample."""

    text: str
    rows: int = 0
    """Rows that hold this text."""
    golds: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """How many of them have which gold labels."""


class Sketch:
    """The k distinct texts with the lowest keyed hash, each with the number of its rows.

    Bottom-k sampling (Cohen & Kaplan 2007): a hash that knows nothing of the rows makes these k a uniform sample of the distinct
    texts. A text that is among the k lowest at the end was so from its first row on, so its rows are all counted.

    Args:
        size: k.
        seed: key of the hash.
    """

    def __init__(self, size: int, seed: int) -> None:
        self._size, self._key = size, seed.to_bytes(8, "little")
        self._kept: dict[int, Kept] = {}
        self._heap: list[int] = []

    def add(self, text: str, gold: tuple[str, ...] | None = None) -> None:
        """See one row."""
        if not self._size:
            return
        place = int.from_bytes(
            hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, key=self._key).digest(), "little"
        )
        if place not in self._kept:
            if len(self._heap) == self._size:
                if place > -self._heap[0]:
                    return
                del self._kept[-heapq.heapreplace(self._heap, -place)]
            else:
                heapq.heappush(self._heap, -place)
            self._kept[place] = Kept(text)
        kept = self._kept[place]
        kept.rows += 1
        if gold is not None:
            kept.golds[gold] += 1

    def kept(self) -> list[Kept]:
        """The sample in the order of the hashes."""
        return [self._kept[place] for place in sorted(self._kept)]
