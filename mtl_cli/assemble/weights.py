"""Weights of a checkpoint for a model."""

from __future__ import annotations

from transformers import AutoModel

from mtl_cli.errors import ConfigError, RunError
from mtl_cli.model.loading import from_pretrained
from mtl_cli.model.multitask import MultiTaskModel
from mtl_cli.runs.checkpoint import Checkpoint


def _load_encoder(model: MultiTaskModel, checkpoint: Checkpoint) -> None:
    try:
        encoder = from_pretrained(AutoModel, checkpoint.encoder, "")
        model.sharing.load_encoder(encoder.state_dict())
    except (ConfigError, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RunError(f"checkpoint {checkpoint.path} is damaged: its encoder cannot be loaded: {reason}") from error


def load_weights(model: MultiTaskModel, checkpoint: Checkpoint) -> None:
    """Give a model the weights of a checkpoint. Raises `ConfigError` if names do not fit."""
    tensors = checkpoint.model()
    _load_encoder(model, checkpoint)
    try:
        found = model.load_state_dict(tensors, strict=False)
    except RuntimeError as error:
        raise ConfigError(
            f"checkpoint {checkpoint.path} does not fit: {str(error).splitlines()[-1].strip()}"
        ) from error
    if found.unexpected_keys:
        raise ConfigError(
            f"checkpoint {checkpoint.path} holds {', '.join(found.unexpected_keys[:4])}, which this model has not"
        )
    lacking = [name for name in model.state_beyond_encoder() if name not in tensors]
    if lacking:
        raise ConfigError(f"checkpoint {checkpoint.path} has not {', '.join(lacking[:4])}, which this model needs")
