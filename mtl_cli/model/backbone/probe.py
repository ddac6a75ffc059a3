"""Can an encoder hold packed rows? Asked of the encoder itself, by a small random input. Legend: L tokens of a row, D width."""

from __future__ import annotations

import inspect

import numpy as np
import torch
from torch import Tensor

from mtl_cli.data.text import TextInputs
from mtl_cli.errors import ConfigError, Fault
from mtl_cli.model.backbone.base import Backbone

_KNOWN = (
    "Known to work: BERT, MiniLM, RoBERTa, XLM-R, CamemBERT, ELECTRA, ALBERT, DistilBERT, ERNIE, EuroBERT, NomicBERT and others that take "
    "positions and look at the whole input; not: DeBERTa, MPNet, ModernBERT, Longformer, RoFormer, ConvBERT. Use input: text"
)
_HYPOTHESES = (5, 3)
"""Tokens of the two hypotheses that are tried."""


@torch.no_grad()
def check_packed(backbone: Backbone, key: str, tolerance: float = 1e-5) -> None:
    """See that a packed row is what it must be: the text as if alone, each hypothesis as if it stood beside the text alone.

    Args:
        backbone: the encoder, which stays as it is.
        key: of the config, for the message.
        tolerance: largest difference, as a part of the largest state.

    Raises:
        ConfigError: the encoder cannot do it.
    """
    if "position_ids" not in inspect.signature(backbone.encoder.forward).parameters:
        raise _cannot(backbone, key, "takes no positions")
    # In evaluation mode, with a generator of its own: the run's random numbers stay as they are.
    training = backbone.training
    backbone.eval()
    try:
        off = _largest_difference(backbone)
    except (TypeError, ValueError, RuntimeError, IndexError, AssertionError) as error:
        told = str(error).strip().split("\n")[0] or type(error).__name__
        raise _cannot(backbone, key, f"does not take a mask of four axes and positions ({told})") from error
    finally:
        backbone.train(training)
    if not off <= tolerance:
        problem = (
            f"lets a text or a hypothesis see what else stands in its row (states differ by {off:.1g} of the largest)"
        )
        raise _cannot(backbone, key, problem)


def _cannot(backbone: Backbone, key: str, problem: str) -> ConfigError:
    name = type(backbone.encoder).__name__
    return ConfigError(
        [Fault(key, f"packed pairs cannot be had from {name} ({backbone.identity}): it {problem}. {_KNOWN}")]
    )


def _largest_difference(backbone: Backbone) -> float:
    generator = torch.Generator().manual_seed(0)
    text = _text_length(backbone)
    ids_L = torch.randint(backbone.vocabulary, (text + sum(_HYPOTHESES),), generator=generator)
    ids_L[ids_L == backbone.pad_id] = (backbone.pad_id + 1) % backbone.vocabulary
    together = _states(backbone, ids_L, text, _HYPOTHESES)
    pairs = [(together[:text], _states(backbone, ids_L[:text], text, ()))]
    begin = text
    for length in _HYPOTHESES:
        own_L = torch.cat([ids_L[:text], ids_L[begin : begin + length]])
        pairs.append((together[begin : begin + length], _states(backbone, own_L, text, (length,))[text:]))
        begin += length
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)


def _text_length(backbone: Backbone) -> int:
    """Longer than the window of an encoder that looks around a token alone."""
    config = backbone.encoder.config
    windows = [getattr(config, name, None) for name in ("local_attention", "sliding_window")]
    wanted = max([8, *(window + 8 for window in windows if isinstance(window, int))])
    return max(2, min(wanted, (backbone.max_length or wanted + 8) - 8))


def _states(backbone: Backbone, ids_L: Tensor, text: int, hypotheses: tuple[int, ...]) -> Tensor:
    """States of one row, shape [L, D]; with fewer than two hypotheses the encoder counts positions itself."""
    pieces = [torch.arange(text), *(torch.arange(text, text + n) for n in hypotheses)]
    segments_L = torch.cat([torch.full((len(p),), k) for k, p in enumerate(pieces)])
    several = len(hypotheses) > 1
    positions_L = torch.cat(pieces) if several else None
    inputs = TextInputs(
        ids_L, np.array([0, len(ids_L)]), segments_T=segments_L if hypotheses else None, positions_T=positions_L
    )
    return backbone(inputs.to(backbone.encoder.device)).float()
