"""The heads by the names that kinds ask for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mtl_cli.model.heads.base import Head, HeadPlace
from mtl_cli.model.heads.lm import LmHead
from mtl_cli.model.heads.pooled import PooledHead
from mtl_cli.model.heads.word import WordHead

HEADS: Mapping[str, Callable[[HeadPlace, int], Head]] = {"pooled": PooledHead, "word": WordHead, "lm": LmHead}
