"""A gap behind a text, and which label's words fill it. Legend: N texts, H phrases."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from mtl_cli.errors import ConfigError, Fault
from mtl_cli.model.masked import load_masked
from mtl_cli.zeroshot.labels.label_set import Label, Phrase
from mtl_cli.zeroshot.scoring.cloze import Filling, Gaps
from mtl_cli.zeroshot.scoring.method import PhraseMethod, weighted_mean
from mtl_cli.zeroshot.scoring.models import Models, weights_digest
from mtl_cli.zeroshot.scoring.pieces import Pieces, cut
from mtl_cli.zeroshot.scoring.plan import Plan


class ClozeMethod(PhraseMethod):
    """logit(x, l) = mean over words v of l and templates of log p(v | x, template with a gap) (Schick & Schuetze 2021, PET, 3.1).

    The probability is a masked language model's over its whole vocabulary, so that a score does not depend on the other labels. A
    word of k tokens fills k masks at once and scores the mean of their log-probabilities; words of unlike k see unlike gaps.
    A text goes through the model once for each template and k, so the number of labels costs nothing. Where text and gap are too
    long together, the text is cut.

    Args:
        models: device, lengths and cache.
        path: a masked language model, as a folder or an id on the hub.
        join: stands between a text and its template.

    Raises:
        ConfigError: no model, a run beside it, or a model that fills no masks.
    """

    def __init__(self, models: Models, *, path: str | None, join: str) -> None:
        super().__init__(models.cache, spoken=True)
        if path is None:
            problem = (
                "cloze needs a masked language model: method.path=FOLDER, or an id on the hub such as roberta-base"
            )
            raise ConfigError([Fault("method.path", problem)])
        if models.heads():
            raise ConfigError([Fault("method.path", "names a model, and run another: a run keeps no head for masks")])
        model = load_masked(path, "method.path")
        self._gaps = Gaps(
            model, models.fabric, max_length=models.max_length, batch_tokens=models.batch_tokens, join=join
        )
        self._tokenizer, self._identity, self._join = model.tokenizer, model.identity, join
        self._digest = functools.partial(weights_digest, model.model)
        self._known: dict[Phrase, Filling] = {}

    @property
    def identity(self) -> str:
        """The model."""
        return self._identity

    @property
    def signature(self) -> str:
        """Weights, length and what stands between text and template."""
        return f"cloze {self._digest()} {self._gaps.max_length} {self._join!r}"

    @property
    def truncated(self) -> int:
        """Texts that were cut so far."""
        return self._gaps.truncated

    def check(self, labels: Sequence[Label]) -> None:
        """Raise `ConfigError` for a word without tokens, one that is unknown to the tokenizer, or a template without room for a text."""
        new = [(label, phrase) for label in labels for phrase in label.spoken if phrase not in self._known]
        faults = []
        for label, phrase in new:
            filling = self._gaps.filling(phrase)
            problem = self._problem(phrase, filling)
            if problem is not None:
                faults.append(Fault(f"labels.{label.name}", problem))
            self._known[phrase] = filling
        if faults:
            self._known.clear()
            raise ConfigError(faults)

    def scores_phrases_alone(self, texts: Sequence[str]) -> bool:  # noqa: ARG002
        """Always: what fills a gap is read off one distribution over the vocabulary."""
        return True

    def score_phrases(self, texts: Sequence[str], phrases: Sequence[Phrase]) -> np.ndarray:
        """Mean log-probability of the tokens of each phrase's words."""
        return self._gaps(texts, [self._known[phrase] for phrase in phrases])

    def combine(self, scores_NH: np.ndarray, phrases: Sequence[Phrase]) -> np.ndarray:
        """The mean over words and templates."""
        return weighted_mean(scores_NH, phrases)

    def plan(self, texts: Sequence[str], labels: Sequence[Label]) -> Plan:
        """One row a text, template and number of masks."""
        self.check(labels)
        return self._gaps.plan(texts, [self._known[phrase] for label in labels for phrase in label.spoken])

    def pieces(self, texts: Sequence[str]) -> list[Pieces]:
        """By the model's tokenizer."""
        return cut(self._tokenizer, texts)

    def _problem(self, phrase: Phrase, filling: Filling) -> str | None:
        if not filling.ids or not phrase.words.strip():
            return f"{phrase.words!r} is nothing to the model's tokenizer; give words for it: LABEL=words"
        if self._tokenizer.unk_token_id in filling.ids:
            return (
                f"{phrase.words!r} is unknown to the model's tokenizer, at least in part; give other words: LABEL=words"
            )
        if filling.gap.size > self._gaps.room:
            room = max(0, self._gaps.room)
            told = f"'{phrase.text:.40}' takes {filling.gap.size} tokens; beside a text there is room for {room}"
            return f"{told} (max_length, or the model's own)"
        return None
