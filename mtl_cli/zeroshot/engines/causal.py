"""Causal language models: how likely is a label said behind a text? Legend: N texts, L labels, H phrases."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from mtl_cli.errors import ConfigError, Fault
from mtl_cli.model.lm import CausalLM, load_causal
from mtl_cli.zeroshot.labels.label_set import Label, Phrase
from mtl_cli.zeroshot.scoring.likelihood import Likelihood
from mtl_cli.zeroshot.scoring.method import PhraseMethod, Scores
from mtl_cli.zeroshot.scoring.models import Models, weights_digest
from mtl_cli.zeroshot.scoring.pieces import Pieces, cut
from mtl_cli.zeroshot.scoring.plan import Plan, planned
from mtl_cli.zeroshot.scoring.prompts import Prompts, Spoken, UnspokenError
from mtl_cli.zeroshot.scoring.rules import RULES

RuleName = Literal["sum", "mean", "pmi", "contextual", "channel"]


class CausalMethod(PhraseMethod):
    """Likelihood of a label's words behind the text, by one of several rules (see `zeroshot.rules`).

    The model reads `lead`, the text, `join` and what stands before the words in the template; the words and what stands behind them are
    scored. A text that is too long loses tokens of its own, never of the template or the label.

    Args:
        models: what there is to build from.
        path: a causal language model, as a folder or an id on the hub.
        rule: what is made of the likelihoods.
        lead: stands before the text.
        join: stands between the text and the template.
        premise: for the rule pmi: what stands in the text's place where no text is.
        chat: put text and template into the tokenizer's chat template, as the user's turn.
        tree: let all labels of a text go through the model at once, where its attention can.

    Raises:
        ConfigError: there is no such model, or no chat template.
    """

    def __init__(
        self, models: Models, *, path: str, rule: RuleName, lead: str, join: str, premise: str, chat: bool, tree: bool
    ) -> None:  # fmt: skip
        super().__init__(models.cache, spoken=True)
        self._rule = RULES[rule](premise)
        self.sums_tokens = self._rule.sums_tokens
        if models.heads():
            raise ConfigError(
                [Fault("method.name", "causal asks a language model (method.path), and run names a trained encoder")]
            )
        if chat and self._rule.backwards:
            raise ConfigError(
                [Fault("method.chat", f"the rule {rule} asks for the text behind the label: no turn of a user")]
            )
        self._model = load_causal(path, "method.path")
        models.fabric.to_device(self._model.model).eval()
        self._speaker = _Speaker(self._model, models, lead=lead, join=join, chat=chat, tree=tree)
        self._options = f"{rule} {lead!r} {join!r} {premise!r} {chat}"
        self._known: tuple[Label, ...] = ()
        self._less: tuple[tuple[Label, ...], np.ndarray | None] | None = None

    @property
    def identity(self) -> str:
        """The model."""
        return self._model.identity

    @property
    def signature(self) -> str:
        """Weights, options and length."""
        return f"causal {weights_digest(self._model.model)} {self._options} {self._speaker.limit}"

    @property
    def truncated(self) -> int:
        """Texts that were cut so far."""
        return self._speaker.truncated

    def check(self, labels: Sequence[Label]) -> None:
        """Raise `ConfigError` for a label without tokens, with tokens that depend on the text, or with more than the model takes."""
        if tuple(labels) == self._known:
            return
        told = [(label.name, phrase) for label in labels for phrase in label.spoken]
        problems = self._speaker.learn([phrase for _, phrase in told])
        faults = [Fault(f"labels.{name}", problems[phrase]) for name, phrase in told if phrase in problems]
        if faults:
            raise ConfigError(faults)
        self._known = tuple(labels)

    def score(self, texts: Sequence[str], labels: Sequence[Label]) -> Scores:
        """Logits, shape [N, L]; what the rule subtracts for all labels together comes last."""
        found = super().score(texts, labels)
        less_L = self._subtracted(tuple(labels))
        return found if less_L is None else dataclasses.replace(found, logits_NL=found.logits_NL - less_L)

    def _subtracted(self, labels: tuple[Label, ...]) -> np.ndarray | None:
        if self._less is None or self._less[0] != labels:
            plain = super().score
            self._less = (labels, self._rule.less(lambda texts: plain(texts, labels).logits_NL))
        return self._less[1]

    def score_phrases(self, texts: Sequence[str], phrases: Sequence[Phrase]) -> np.ndarray:
        """By the rule."""
        return self._rule.score(self._speaker, texts, phrases)

    def combine(self, scores_NH: np.ndarray, phrases: Sequence[Phrase]) -> np.ndarray:
        """By the rule; the mean over templates."""
        return self._rule.combine(scores_NH, phrases)

    def plan(self, texts: Sequence[str], labels: Sequence[Label]) -> Plan:
        """One row a text, with the labels behind it; one a text and label if labels go by themselves or texts are asked for."""
        self.check(labels)
        phrases = [phrase for label in labels for phrase in label.spoken]
        return (self._speaker.plan_heard if self._rule.backwards else self._speaker.plan_said)(texts, phrases)

    def plan_labels(self, labels: Sequence[Label]) -> Plan:
        """The texts that the rule asks beside the user's."""
        self.check(labels)
        return self._speaker.plan_said(self._rule.once, [phrase for label in labels for phrase in label.spoken])

    def pieces(self, texts: Sequence[str]) -> list[Pieces]:
        """By the model's tokenizer."""
        return cut(self._model.tokenizer, texts)


class _Speaker:
    """The model with what it reads and says."""

    def __init__(self, model: CausalLM, models: Models, *, lead: str, join: str, chat: bool, tree: bool) -> None:
        self._prompts = Prompts(model, lead=lead, join=join, chat=chat, max_length=models.max_length)
        self._likelihood = Likelihood(
            model, models.fabric, limit=self._prompts.limit, batch_tokens=models.batch_tokens, tree=tree
        )
        self._batch_tokens = models.batch_tokens
        self._spoken: dict[Phrase, Spoken] = {}
        self.limit = self._prompts.limit
        self.truncated = 0

    def learn(self, phrases: Sequence[Phrase]) -> dict[Phrase, str]:
        """Tokenise phrases; returns what is wrong with some."""
        new = [phrase for phrase in dict.fromkeys(phrases) if phrase not in self._spoken]
        problems: dict[Phrase, str] = {}
        for phrase, found in zip(new, self._prompts.spoken(new), strict=True):
            if isinstance(found, UnspokenError):
                problems[phrase] = str(found)
            elif found.room > self._prompts.most(found):
                most = max(0, self._prompts.most(found))
                told = f"'{phrase.text:.40}...' has {len(found.ids)} tokens, for which {found.room} are kept free"
                problems[phrase] = f"{told}; beside a text there is room for {most} (max_length, or the model's own)"
            else:
                self._spoken[phrase] = found
        return problems

    def said(self, texts: Sequence[str], phrases: Sequence[Phrase]) -> np.ndarray:
        """log p(phrase | text)."""
        out_NH = np.empty((len(texts), len(phrases)))
        shortened = np.zeros(len(texts), bool)
        for places, before, room in self._groups(phrases):
            prompts = self._prompts.prompts(texts, before, room)
            shortened |= [prompt.cut for prompt in prompts]
            out_NH[:, places] = self._likelihood(
                [prompt.ids for prompt in prompts], [self._spoken[phrases[i]].ids for i in places]
            )
        self.truncated += int(shortened.sum())
        return out_NH

    def heard(self, texts: Sequence[str], phrases: Sequence[Phrase]) -> np.ndarray:
        """log p(text | phrase)."""
        out_NH = np.empty((len(texts), len(phrases)))
        shortened = np.zeros(len(texts), bool)
        for i, phrase in enumerate(phrases):
            rows = self._prompts.channel(texts, phrase)
            shortened |= [was_cut for _, was_cut in rows]
            out_NH[:, i] = self._likelihood.of_rows([row for row, _ in rows])
        self.truncated += int(shortened.sum())
        return out_NH

    def sizes(self, phrases: Sequence[Phrase]) -> np.ndarray:
        """Tokens of each phrase."""
        return np.array([len(self._spoken[phrase].ids) for phrase in phrases])

    def plan_said(self, texts: Sequence[str], phrases: Sequence[Phrase]) -> Plan:
        """What `said` would take."""
        total = Plan(0, 0)
        for places, before, room in self._groups(phrases):
            lengths = np.array([len(p.ids) for p in self._prompts.prompts(texts, before, room)], np.int64)
            total += self._likelihood.plan(lengths, [self._spoken[phrases[i]].ids for i in places])
        return total

    def plan_heard(self, texts: Sequence[str], phrases: Sequence[Phrase]) -> Plan:
        """What `heard` would take."""
        total = Plan(0, 0)
        for phrase in phrases:
            lengths = np.array([len(row.ids) - 1 for row, _ in self._prompts.channel(texts, phrase)], np.int64)
            total += planned(lengths, self._batch_tokens)
        return total

    def _groups(self, phrases: Sequence[Phrase]) -> Iterator[tuple[list[int], str, int]]:
        """Phrases behind the same prompts: their places, what stands before them and the room they take."""
        groups: dict[tuple[str, int], list[int]] = {}
        for i, phrase in enumerate(phrases):
            spoken = self._spoken[phrase]
            groups.setdefault((spoken.before, spoken.room), []).append(i)
        for (before, room), places in groups.items():
            yield places, before, room
