"""How likely a causal language model finds continuations.

Legend: N prompts, H continuations, B rows, L columns, C columns of a trie, E its edges, V vocabulary.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from mtl_cli.data.lengths import token_batches
from mtl_cli.model.lm import CausalLM
from mtl_cli.zeroshot.scoring.plan import Plan
from mtl_cli.zeroshot.scoring.trie import Tokens, Trie, build, in_parts

log = logging.getLogger(__name__)

_LOGITS = 1 << 26
"""Logits that are held at once, at most, if one row does not have more: 256 MiB."""
_SLICE = 1 << 22
"""Logits that are made into probabilities at once."""
_CLOSE = 1e-4
_REFUSALS = (RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError, NotImplementedError)
"""What models raise that do not take the mask or the positions of a tree."""


@dataclass(frozen=True)
class Row:
    """A sequence whose end is asked for."""

    ids: Tokens
    start: int
    """The first token that is asked for; above 0."""


class Likelihood:
    """Log-likelihoods of token sequences behind token sequences.

    Where the model's attention takes any mask, all continuations of a prompt go through it at once, as a tree behind the prompt:
    a token sees the prompt and what stands before it in its own continuation, and has the position that it would have there. Else
    each continuation is a row of its own; the likelihoods are the same.

    Args:
        model: on its device.
        fabric: for the precision.
        limit: tokens a row at most, for models that see only so far back.
        batch_tokens: padded tokens a forward pass.
        tree: false: never as a tree. True: as a tree if a trial gives what single rows give.
    """

    def __init__(self, model: CausalLM, fabric: Fabric, *, limit: int, batch_tokens: int, tree: bool) -> None:
        self._model, self._fabric, self._batch_tokens = model, fabric, batch_tokens
        self._device = model.model.device
        why = self._why_no_tree(limit) if tree else ""
        self.tree = tree and not why
        """Whether the continuations of a prompt go through the model at once."""
        if why:
            log.warning("%s: each label goes through the model by itself, which is slower; scores are the same", why)

    def __call__(self, prompts: Sequence[Tokens], continuations: Sequence[Tokens]) -> np.ndarray:
        """Log-likelihood of every continuation behind every prompt, float64, shape [N, H].

        Args:
            prompts: each of one token or more.
            continuations: each of one token or more.
        """
        out_NH = np.empty((len(prompts), len(continuations)))
        lengths = np.array([len(prompt) for prompt in prompts], np.int64)
        for places, trie in self._tries(continuations):
            for rows in self._batches(lengths, trie):
                own = [prompts[row] for row in rows]
                found_BE = self._of_tree(own, trie) if self.tree else self._of_stems(own, trie)
                out_NH[np.ix_(rows, places)] = trie.sums(found_BE)
        return out_NH

    def of_rows(self, rows: Sequence[Row]) -> np.ndarray:
        """Log-likelihood of the end of each row, float64, shape [N]; 0 where nothing is asked for."""
        out_N = np.zeros(len(rows))
        asked = np.array([i for i, row in enumerate(rows) if row.start < len(row.ids)], np.int64)
        lengths = np.array([len(rows[i].ids) for i in asked], np.int64)
        for own in self._capped(lengths, lengths):
            batch = [rows[i] for i in asked[own]]
            logits_BLV = self._padded([row.ids[:-1] for row in batch], 0)
            b, column, token = _places([(row.ids, row.start) for row in batch])
            found = _log_probabilities(logits_BLV, b, column, token)
            out_N[asked[own]] = np.bincount(b, found, minlength=len(batch))
        return out_N

    def plan(self, lengths: np.ndarray, continuations: Sequence[Tokens]) -> Plan:
        """What scoring every continuation behind prompts of these lengths would take."""
        total = Plan(0, 0)
        for _, trie in self._tries(continuations):
            for rows in self._batches(lengths, trie):
                total += Plan(len(rows) * (int(lengths[rows].max()) + trie.columns - 1), 1)
        return total

    def _tries(self, continuations: Sequence[Tokens]) -> Iterator[tuple[np.ndarray, Trie]]:
        if self.tree:
            yield from in_parts(continuations, max(1, _LOGITS // self._model.vocabulary))
            return
        # As rows: continuations that differ in the last token alone share one.
        by_stem: dict[Tokens, list[int]] = {}
        for i, tokens in enumerate(continuations):
            by_stem.setdefault(tokens[:-1], []).append(i)
        for places in by_stem.values():
            yield np.array(places), build([continuations[i] for i in places])

    def _batches(self, lengths: np.ndarray, trie: Trie) -> Iterator[np.ndarray]:
        rows = lengths + trie.columns - 1
        return self._capped(rows, np.full_like(rows, trie.columns) if self.tree else rows)

    def _capped(self, lengths: np.ndarray, kept: np.ndarray) -> Iterator[np.ndarray]:
        """Rows in batches by length, with no more logits than fit; `kept` columns of each row have logits."""
        for rows in token_batches(lengths, self._batch_tokens):
            most = max(1, _LOGITS // (int(kept[rows].max()) * self._model.vocabulary))
            for at in range(0, len(rows), most):
                yield rows[at : at + most]

    @torch.inference_mode()
    def _of_tree(self, prompts: Sequence[Tokens], trie: Trie) -> np.ndarray:
        """Log-probability of each edge, shape [B, E]: prompts padded on the left, so that the columns behind them stand together."""
        longest, nodes = max(map(len, prompts)), trie.columns - 1
        ids_BL = np.zeros((len(prompts), longest + nodes), np.int64)
        positions_BL = np.zeros_like(ids_BL)
        sees_BLL = np.zeros((len(prompts), longest + nodes, longest + nodes), bool)
        sees_BLL[:, :longest, :longest] = np.tri(longest, dtype=bool)
        ids_BL[:, longest:] = trie.tokens_C[1:]
        sees_BLL[:, longest:, longest:] = trie.sees_CC[1:, 1:]
        for b, prompt in enumerate(prompts):
            before = longest - len(prompt)
            ids_BL[b, before:longest] = prompt
            positions_BL[b, before:longest] = np.arange(len(prompt))
            positions_BL[b, longest:] = len(prompt) + trie.depth_C[1:] - 1
            sees_BLL[b, before:, before:longest] |= np.arange(before, longest + nodes)[:, None] >= longest
            sees_BLL[b, :, :before] = False
        # What sees nothing is padding; it sees itself, so that no softmax is over nothing.
        sees_BLL |= np.eye(longest + nodes, dtype=bool)
        added = torch.zeros(sees_BLL.shape).masked_fill_(~torch.from_numpy(sees_BLL), torch.finfo(torch.float32).min)
        tensors = (torch.from_numpy(ids_BL), added[:, None], torch.from_numpy(positions_BL))
        ids, mask, positions = (tensor.to(self._device) for tensor in tensors)
        with self._fabric.autocast():
            logits_BCV = self._model(ids, mask, positions, trie.columns)
        row, edge = np.divmod(np.arange(len(prompts) * len(trie.token_E)), len(trie.token_E))
        found = _log_probabilities(logits_BCV, row, trie.column_E[edge], trie.token_E[edge])
        return found.reshape(len(prompts), -1)

    @torch.inference_mode()
    def _of_stems(self, prompts: Sequence[Tokens], trie: Trie) -> np.ndarray:
        """The same where all continuations have the same tokens but the last: plain rows, padded on the right."""
        stem = tuple(int(token) for token in trie.tokens_C[1:])
        logits_BLV = self._padded([(*prompt, *stem) for prompt in prompts], trie.columns)
        row, edge = np.divmod(np.arange(len(prompts) * len(trie.token_E)), len(trie.token_E))
        shortest = min(map(len, prompts))
        last_B = np.array([len(prompt) for prompt in prompts]) - shortest
        found = _log_probabilities(logits_BLV, row, last_B[row] + trie.column_E[edge], trie.token_E[edge])
        return found.reshape(len(prompts), -1)

    @torch.inference_mode()
    def _padded(self, rows: Sequence[Tokens], keep: int) -> Tensor:
        """Logits of rows padded on the right: all of them, or from the column on that is `keep` from the end of the shortest row."""
        longest = max(map(len, rows))
        ids_BL = np.zeros((len(rows), longest), np.int64)
        mask_BL = np.zeros_like(ids_BL)
        for b, tokens in enumerate(rows):
            ids_BL[b, : len(tokens)] = tokens
            mask_BL[b, : len(tokens)] = 1
        kept = longest - min(map(len, rows)) + keep if keep else longest
        ids, mask = (torch.from_numpy(array).to(self._device) for array in (ids_BL, mask_BL))
        with self._fabric.autocast():
            return self._model(ids, mask, None, kept)

    def _why_no_tree(self, limit: int) -> str:
        """Why the model must see its rows one by one; empty if it need not."""
        window = getattr(self._model.model.config, "sliding_window", None)
        if window is not None and window < limit:
            return f"the model sees {window} tokens back, and a row may have {limit} (max_length)"
        top = self._model.vocabulary - 1
        prompts = [tuple(min(top, 3 + i * 7 % 50) for i in range(n)) for n in (9, 4)]
        trie = build(
            [tuple(min(top, t) for t in tokens) for tokens in ((5, 8, 11), (5, 8, 12), (5, 9), (6,), (7, 8, 11, 3))]
        )
        try:
            found = trie.sums(self._of_tree(prompts, trie))
        except _REFUSALS as error:
            return (
                f"the model does not take the mask of a tree ({type(error).__name__}: {str(error).splitlines()[0]:.80})"
            )
        rows = [
            Row((*prompt, *_tokens_of(trie, h)), len(prompt)) for prompt in prompts for h in range(len(trie.edges_H))
        ]
        difference = float(np.abs(found.reshape(-1) - self.of_rows(rows)).max())
        if not difference <= _CLOSE:
            return f"the model's attention does not keep to the mask of a tree (a trial differs by {difference:.1e})"
        return ""


def _tokens_of(trie: Trie, sequence: int) -> Tokens:
    return tuple(int(token) for token in trie.token_E[trie.edges_H[sequence]])


def _places(rows: Sequence[tuple[Tokens, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row, column of the logits and token of everything that is asked for: a token is told by the column before it."""
    sizes = [len(ids) - start for ids, start in rows]
    b = np.repeat(np.arange(len(rows)), sizes)
    column = np.concatenate([np.arange(start - 1, len(ids) - 1) for ids, start in rows])
    return b, column, np.concatenate([np.array(ids[start:], np.int64) for ids, start in rows])


def _log_probabilities(logits_BLV: Tensor, b: np.ndarray, column: np.ndarray, token: np.ndarray) -> np.ndarray:
    """Log-probability of some tokens, float64; the softmax goes over a few columns at a time, since it copies them."""
    rows, columns, vocabulary = logits_BLV.shape
    flat_RV = logits_BLV.reshape(rows * columns, vocabulary)
    places, where = np.unique(b * columns + column, return_inverse=True)
    index = torch.from_numpy(places).to(flat_RV.device)
    step = max(1, _SLICE // vocabulary)
    norms = torch.cat([flat_RV[part].float().logsumexp(dim=1) for part in torch.split(index, step)])
    asked = flat_RV[index[torch.from_numpy(where).to(index)], torch.from_numpy(token).to(index)].float()
    return (asked.double() - norms.double()[torch.from_numpy(where).to(index)]).cpu().numpy()
