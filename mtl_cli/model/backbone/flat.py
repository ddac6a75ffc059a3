"""Attention over rows that stand end to end. Legend: B rows, T tokens of all rows, H heads, d width of a head; of a group: G rows, L
tokens of its longest row.

Every linear layer, norm and dropout of an encoder sees the T real tokens as one row, [1, T, D]. Attention alone has to know the rows:
those of like length make a group, which is padded and attended to by batched products; what comes out is put back to its tokens.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from mtl_cli.data.collate import cut
from mtl_cli.data.text import TextInputs
from mtl_cli.model.backbone.dropout import keep_scale

NAME = "mtl_flat"
"""Name of this attention in transformers' registry."""
_GROUP_COST = 64
"""Padded tokens that one more group is worth. Padding costs attention only, so there are few groups."""


@dataclass(frozen=True)
class Group:
    """Rows that attend together."""

    rows: int
    length: int
    source_P: Tensor
    """Token that stands at each of the G * L places; 0 where none does."""
    places_N: Tensor
    """Places at which a token stands."""
    tokens_N: Tensor
    """Those tokens."""
    segments_GL: Tensor | None
    """-1 where no token stands; None: no row is packed and none is padded."""

    def bias(self, dtype: torch.dtype, *, causal: bool, window: int | None) -> Tensor | None:
        """What is added to scores: 0 where a token (third axis) sees another (fourth), the lowest number elsewhere.

        Args:
            dtype: of the scores.
            causal: whether a token sees none behind it.
            window: tokens further away than this are not seen; None: there is no limit.

        Returns:
            Shape [G or 1, 1, L or 1, L]; None if every token sees all.
        """
        seen: Tensor | None = None
        if self.segments_GL is not None:
            keys_G1L, queries_GL1 = self.segments_GL[:, None, :], self.segments_GL[:, :, None]
            seen = keys_G1L == 0
            if int(self.segments_GL.max()) > 0:
                seen = seen | ((keys_G1L == queries_GL1) & (keys_G1L > 0))
            seen = seen[:, None]
        if causal or window is not None:
            at_L = torch.arange(self.length, device=self.source_P.device)
            ahead_LL = at_L[None, :] - at_L[:, None]
            near_LL = ahead_LL <= 0 if causal else torch.ones_like(ahead_LL, dtype=torch.bool)
            if window is not None:
                near_LL &= ahead_LL.abs() <= window
            seen = near_LL if seen is None else seen & near_LL
        if seen is None:
            return None
        bias = torch.zeros(seen.shape, dtype=dtype, device=seen.device)
        return bias.masked_fill_(~seen, torch.finfo(dtype).min)


@dataclass(frozen=True)
class FlatRows:
    """How the rows of a batch attend."""

    groups: tuple[Group, ...]
    _biases: dict[tuple[torch.dtype, bool, int | None], list[Tensor | None]] = field(default_factory=dict)

    def biases(self, dtype: torch.dtype, causal: bool, window: int | None) -> list[Tensor | None]:
        """`Group.bias` of each group, made once for all layers of a kind."""
        key = (dtype, causal, window)
        if key not in self._biases:
            self._biases[key] = [group.bias(dtype, causal=causal, window=window) for group in self.groups]
        return self._biases[key]

    @classmethod
    def of(cls, inputs: TextInputs) -> FlatRows:
        """Sort rows by length into groups with little padding."""
        lengths = inputs.lengths_B
        return cls(tuple(_group(inputs, rows, lengths[rows]) for rows in cut(lengths, _GROUP_COST, None, None)))


def flat_states(encoder: PreTrainedModel, inputs: TextInputs) -> Tensor:
    """Token states, shape [T, D], of an encoder whose attention is `NAME`."""
    named: dict[str, Any] = {
        "input_ids": inputs.ids_T[None],
        "position_ids": inputs.places_T[None] + first_position(encoder),
        # A mask of four axes is handed on as it is: the encoder makes none of its own.
        "attention_mask": torch.zeros(1, 1, 1, 1, device=inputs.ids_T.device),
        "flat_rows": FlatRows.of(inputs),
    }
    if "token_type_ids" in inspect.signature(encoder.forward).parameters:
        # Encoders keep zeros of their own for as many tokens as they have positions; here there are more.
        types_T = torch.zeros_like(inputs.ids_T) if inputs.types_T is None else inputs.types_T
        named["token_type_ids"] = types_T[None]
    states_TD: Tensor = encoder(**named).last_hidden_state[0]
    return states_TD


def first_position(encoder: nn.Module) -> int:
    """Position of the first token in an encoder's own count: RoBERTa begins behind the padding id, others at 0."""
    table = getattr(getattr(encoder, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    return 0 if padding is None else int(padding) + 1


_FAILURES = (TypeError, ValueError, RuntimeError, IndexError, KeyError, AttributeError, AssertionError)
"""What an encoder may raise that is called in a way it does not know."""


@torch.no_grad()
def takes_flat(encoder: PreTrainedModel, tolerance: float = 1e-4) -> bool:
    """Whether an encoder gives rows end to end the states that each has alone; if so, its attention is `NAME` from here on.

    Args:
        encoder: stays as it is, but for its attention.
        tolerance: largest difference, as a part of the largest state.
    """
    able = "position_ids" in inspect.signature(encoder.forward).parameters and encoder._can_set_attn_implementation()
    if not able:
        return False
    # In evaluation mode, with a generator of its own: the run's random numbers stay as they are.
    training, before = encoder.training, encoder.config._attn_implementation
    encoder.train(False)
    try:
        rows = _probe_rows(encoder)
        alone_TD = torch.cat([encoder(input_ids=row[None]).last_hidden_state[0] for row in rows])
        encoder.set_attn_implementation(NAME)
        found_TD = flat_states(encoder, TextInputs.of([row.cpu().numpy() for row in rows]).to(encoder.device))
        close = bool((found_TD - alone_TD).abs().max() <= tolerance * alone_TD.abs().max())
    except _FAILURES:
        close = False
    finally:
        encoder.train(training)
    if not close:
        encoder.set_attn_implementation(before)
    return close


def _probe_rows(encoder: PreTrainedModel) -> list[Tensor]:
    """Rows of several lengths, one of them longer than the window of an encoder that looks around a token alone."""
    config = encoder.config
    windows = [getattr(config, name, None) for name in ("local_attention", "sliding_window")]
    longest = max([9, *(window + 9 for window in windows if isinstance(window, int))])
    most = getattr(config, "max_position_embeddings", None) or longest
    lengths = [min(n, max(1, most - 2)) for n in (5, longest, 7, 1)]
    vocabulary = cast(nn.Embedding, encoder.get_input_embeddings()).num_embeddings
    generator = torch.Generator().manual_seed(0)
    # Not the padding id, which is among the lowest and has positions of its own.
    ids_T = torch.randint(min(5, vocabulary - 1), vocabulary, (sum(lengths),), generator=generator)
    return list(ids_T.to(encoder.device).split(lengths))  # type: ignore[no-untyped-call]


def _group(inputs: TextInputs, rows: np.ndarray, lengths: np.ndarray) -> Group:
    longest = int(lengths.max())
    here_GL = np.arange(longest) < lengths[:, None]
    source_GL = np.where(here_GL, inputs.offsets[:-1][rows][:, None] + np.arange(longest), 0)
    device = inputs.ids_T.device
    source_P = torch.from_numpy(source_GL.reshape(-1)).to(device)
    places_N = torch.from_numpy(np.flatnonzero(here_GL)).to(device)
    segments_GL: Tensor | None = None
    if inputs.segments_T is not None or not here_GL.all():
        found_P = torch.zeros_like(source_P) if inputs.segments_T is None else inputs.segments_T[source_P]
        segments_GL = found_P.view(source_GL.shape).masked_fill(~torch.from_numpy(here_GL).to(device), -1)
    return Group(len(rows), longest, source_P, places_N, source_P[places_N], segments_GL)


def attend(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, *,
    scaling: float | None = None, dropout: float = 0.0, sliding_window: int | None = None, softcap: float | None = None,
    flat_rows: FlatRows | None = None, **rest: Any,
) -> tuple[Tensor, None]:  # fmt: skip
    """An attention function of transformers; without `flat_rows` it is the library's fused one.

    Args:
        module: the attention layer.
        query: shape [1, H, T, d], as are `key` and `value`, which may have fewer heads.
        attention_mask: of the padded form; flat rows need none.
        scaling: of the scores; None: d ** -0.5.
        dropout: of the attention weights, 0 in evaluation.
        sliding_window: tokens up to one less than this away are seen.
        softcap: not known here.
        flat_rows: the rows.

    Returns:
        Shape [1, T, H, d]; and no weights.

    Raises:
        NotImplementedError: the layer wants something that is not known here.
    """
    if flat_rows is None:
        found: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **rest
        )
        return found
    if softcap is not None or rest.get("s_aux") is not None:
        raise NotImplementedError("capped scores and attention sinks")
    heads = query.shape[1]
    key, value = (_of_all_heads(x, heads) for x in (key, value))
    causal = bool(getattr(module, "is_causal", False))
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    window = None if sliding_window is None else sliding_window - 1
    biases = flat_rows.biases(query.dtype, causal, window)
    out_HTD = _Attention.apply(query[0], key[0], value[0], flat_rows.groups, biases, scale, dropout)  # type: ignore[no-untyped-call]
    return out_HTD.transpose(0, 1)[None], None


def _of_all_heads(x: Tensor, heads: int) -> Tensor:
    return x if x.shape[1] == heads else x.repeat_interleave(heads // x.shape[1], dim=1)


class _Attention(torch.autograd.Function):
    """softmax(scale Q K^T + bias) V by group, with its gradients written out: each group writes into its own tokens of one result."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, groups: Sequence[Group], biases: Sequence[Tensor | None],
        scale: float, dropout: float,
    ) -> Tensor:  # fmt: skip
        heads, tokens, width = query.shape
        out_THd = query.new_empty(tokens, heads, width)
        kept: list[Tensor] = []
        ctx.groups, ctx.scale, ctx.dropped = groups, scale, dropout > 0
        for group, bias in zip(groups, biases, strict=True):
            q, k, v = (
                x.index_select(1, group.source_P).view(heads * group.rows, group.length, width)
                for x in (query, key, value)
            )
            weights = _weights(q, k, bias, heads, scale)
            scales = keep_scale(weights, 1.0 - dropout) if dropout > 0 else None
            used = weights if scales is None else weights * scales
            out = torch.bmm(used, v)
            _put(out_THd, out, group)
            if any(ctx.needs_input_grad[:3]):
                kept += [q, k, v, weights, *(() if scales is None else (scales,))]
        ctx.save_for_backward(*kept)
        return out_THd.transpose(0, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_HTd: Tensor) -> tuple[Tensor | None, ...]:
        heads, tokens, width = gradient_HTd.shape
        found = [gradient_HTd.new_empty(tokens, heads, width) for _ in range(3)]
        saved, each = ctx.saved_tensors, 5 if ctx.dropped else 4
        for i, group in enumerate(ctx.groups):
            q, k, v, weights, *scales = saved[i * each : (i + 1) * each]
            above = _rows_of(gradient_HTd, group).view(heads * group.rows, group.length, width)
            used = weights * scales[0] if scales else weights
            of_value = torch.bmm(used.mT, above)
            of_weights = torch.bmm(above, v.mT)
            if scales:
                of_weights *= scales[0]
            of_scores = torch._softmax_backward_data(of_weights, weights, -1, weights.dtype)
            of_query = torch.bmm(of_scores, k).mul_(ctx.scale)
            of_key = torch.bmm(of_scores.mT, q).mul_(ctx.scale)
            for into, one in zip(found, (of_query, of_key, of_value), strict=True):
                _put(into, one, group)
        return (*(one.transpose(0, 1) for one in found), None, None, None, None)


def _weights(q: Tensor, k: Tensor, bias: Tensor | None, heads: int, scale: float) -> Tensor:
    """Attention weights of a group, shape [H G, L, L]."""
    batch, length = q.shape[0], q.shape[1]
    scores = q.new_empty(batch, length, length)
    if bias is None:
        torch.baddbmm(scores, q, k.mT, beta=0, alpha=scale, out=scores)
    else:
        scores.view(heads, batch // heads, length, length).copy_(bias.transpose(0, 1))
        torch.baddbmm(scores, q, k.mT, alpha=scale, out=scores)
    return torch.softmax(scores, -1, out=scores)


def _rows_of(x_HTd: Tensor, group: Group) -> Tensor:
    """A group's places of a gradient, zero where no token stands, so that nothing flows from there."""
    found = x_HTd.index_select(1, group.source_P)
    if group.segments_GL is not None and len(group.places_N) < len(group.source_P):
        found.view(x_HTd.shape[0], group.rows, group.length, -1).masked_fill_(
            (group.segments_GL < 0)[None, :, :, None], 0.0
        )
    return found


def _put(into_THd: Tensor, one: Tensor, group: Group) -> None:
    """Write a group's results, shape [H G, L, d], to its tokens."""
    heads, width = into_THd.shape[1:]
    by_place = one.view(heads, group.rows * group.length, width).transpose(0, 1)
    into_THd.index_copy_(0, group.tokens_N, by_place.index_select(0, group.places_N))


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, sdpa_mask)
