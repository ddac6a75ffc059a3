"""Small stand-ins that several files need."""

import numpy as np
import torch
from lightning_fabric import Fabric

from mtl_cli.data.batch import StepBatch
from mtl_cli.data.collate import RowRef, collate
from mtl_cli.data.encoded import EncodedSet, Meta
from mtl_cli.model.backbone.tiny import tiny
from mtl_cli.tasks.columns import Column
from mtl_cli.tasks.kinds.single import LABEL
from mtl_cli.tasks.source import Origin


def cpu():
    return Fabric(accelerator="cpu", devices=1)


def tiny_backbone(*, dropout=0.0, pooling="mean"):
    return tiny(layers=2, width=32, heads=2, max_length=128, dropout=dropout, pooling=pooling)


def single(labels):
    """Targets of one number a row, as an encoded set has them; NaN is no label."""
    labels_N = np.asarray(labels, np.float32)
    known_N = ~np.isnan(labels_N)
    return {"targets": {LABEL: Column(labels_N)}, "labelled_N": known_N, "units_N": known_N.astype(np.int64)}


def single_B(labels):
    """Targets of one number a row, as a batch has them."""
    return {LABEL: Column(torch.tensor(labels, dtype=torch.float32))}


def encoded(backbone, texts, labels):
    """Texts (or pairs) as an encoded set in memory."""
    rows = [backbone.tokenizer(*([t] if isinstance(t, str) else t)) for t in texts]
    ids, types = ([np.array(row[key]) for row in rows] for key in ("input_ids", "token_type_ids"))
    flat, flat_types = np.concatenate(ids), np.concatenate(types)
    offsets = np.cumsum([0, *map(len, ids)])
    meta = Meta(rows=len(texts), tokens=flat.size, max_id=int(flat.max()), truncated=0, fingerprint="")
    origin = Origin("local", "validation", "memory", lambda: "", lambda: iter(()))
    return EncodedSet(origin, meta, flat, flat_types if flat_types.any() else None, offsets, **single(labels))


def refs(sets):
    """Every row of every set."""
    return [RowRef(task, row, int(n)) for task, one in sets.items() for row, n in enumerate(np.diff(one.offsets))]


def one_step(sets, passes=None):
    """A step of all rows; `passes` lists the positions in `refs(sets)` that go together, by default all in one pass."""
    rows = refs(sets)
    cut = passes or [range(len(rows))]
    batches = tuple(collate([rows[i] for i in one], sets) for one in cut)
    return StepBatch(batches, {task: int(one.units_N.sum()) for task, one in sets.items()}, len(rows))
