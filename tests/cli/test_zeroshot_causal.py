"""`mtl zeroshot method=causal`: the prior that it brings."""

import json

import numpy as np
import pytest

from tests.zeroshot.language import save

TEXTS = ("--text", "x" * 400, *(word for i in range(20) for word in ("--text", f"What a film {i * i}!")))


@pytest.fixture
def ask(mtl, tmp_path):
    path = save(tmp_path / "model", gain=2.0)

    def call(*words):
        return mtl("zeroshot", "method=causal", f"method.path={path}", "--labels", "film,food", "format=jsonl", *words)

    return call


def scores(result):
    assert result.code == 0, result.err
    return np.array([list(json.loads(line)["scores"].values()) for line in result.out.splitlines()])


def test_batch_calibration_is_its_prior_unless_another_is_named(ask):
    calibrated = ask(*TEXTS)
    assert "prior    sample" in calibrated.err
    assert "1 texts were longer" in calibrated.err
    raw = ask(*TEXTS, "prior=none")
    assert "prior    " not in raw.err
    log_p = np.log(scores(raw))
    shifted = log_p - log_p.mean(axis=0)
    expected = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    assert scores(calibrated) == pytest.approx(expected, abs=1e-3)
    assert np.abs(scores(calibrated) - scores(raw)).max() > 0.001


def test_an_unknown_rule_is_refused(ask):
    result = ask("method.rule=som", "--text", "x")
    assert (result.code, result.out) == (2, "")
    assert "method.rule: 'som' is not one of 'sum', 'mean', 'pmi', 'contextual', 'channel'" in result.err
