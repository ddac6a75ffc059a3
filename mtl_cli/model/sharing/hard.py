"""Hard parameter sharing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import nn

from mtl_cli.data.batch import Batch
from mtl_cli.model.backbone.base import Backbone
from mtl_cli.model.sharing.base import Features, Sharing


class HardSharing(Sharing):
    """One encoder for all tasks (Caruana 1997); each task has its own head on top.

    Args:
        backbone: the encoder.
        tasks: names of the tasks.
        head_dropout: dropout before each head.
    """

    def __init__(self, backbone: Backbone, tasks: Sequence[str], *, head_dropout: float) -> None:  # noqa: ARG002
        super().__init__()
        if not 0 <= head_dropout < 1:
            raise ValueError(f"head_dropout must lie in [0, 1); found {head_dropout}")
        self.shared = backbone
        self.head_dropout = head_dropout

    @property
    def backbone(self) -> Backbone:
        """The one encoder."""
        return self.shared

    def features(self, batch: Batch) -> Features:
        """All rows go through the encoder together, whatever their tasks."""
        hidden_TD = self.shared(batch.inputs)
        return Features(hidden_TD, self.shared.pool(hidden_TD, batch.inputs), self.table_of)

    def shared_parameters(self) -> Iterator[nn.Parameter]:
        """All of the encoder that is trained."""
        return (p for p in self.shared.parameters() if p.requires_grad)
