"""The heads by the names that kinds ask for them."""

from __future__ import annotations

from collections.abc import Mapping

from mtl_cli.model.heads.base import Head
from mtl_cli.model.heads.pooled import PooledHead
from mtl_cli.model.heads.word import WordHead

HEADS: Mapping[str, type[Head]] = {"pooled": PooledHead, "word": WordHead}
