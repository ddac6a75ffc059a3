"""`mtl zeroshot method=api`: an endpoint of this machine."""

import json

import pytest

from tests.zeroshot.remote.server import likelihood, serving, status

TEXTS = ("--text", "Shares fell", "--text", "What a goal", "--text", "")


@pytest.fixture
def ask(mtl, monkeypatch, tmp_path):
    monkeypatch.setenv("MTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")

    def call(server, *words):
        monkeypatch.setenv("MTL_CACHE", str(tmp_path / "cache"))
        return mtl(
            "zeroshot",
            "method=api",
            f"method.url={server.url}",
            "method.model=tiny",
            "--labels",
            "sports,business",
            *words,
        )

    return call


def answers(result):
    assert result.code == 0, result.err
    return [json.loads(line) for line in result.out.splitlines()]


def test_an_endpoint_answers_and_explains(ask):
    with serving() as server:
        found = answers(ask(server, *TEXTS, "prior=none", "explain=true"))
    assert [answer["text"] for answer in found] == ["Shares fell", "What a goal", ""]
    for answer in found:
        scores = {n: sum(likelihood(f"Text: {answer['text']}\nTopic:", f" {n}")) for n in ("sports", "business")}
        best = max(scores, key=scores.get)
        assert answer["label"] == best
        assert answer["because"] == {
            "label": best,
            "what": f"Topic: {best}",
            "score": pytest.approx(scores[best], abs=1e-6),
        }


def test_batch_calibration_is_the_default_and_none_wins(ask):
    with serving() as server:
        calibrated = ask(server, *TEXTS, "prior.least=2")
        plain = ask(server, *TEXTS, "prior=none")
        count = len(server.seen)
        again = ask(server, *TEXTS, "prior=none")
        assert len(server.seen) == count + 1, "answers are kept but for the first question"
    assert "prior    sample" in calibrated.err
    assert "prior    " not in plain.err
    assert answers(calibrated) != answers(plain) == answers(again)
    assert "scores are log-probabilities" in plain.err


def test_a_run_folder_names_the_model_and_not_the_key(ask):
    with serving(answer=lambda question, _: "business") as server:
        result = ask(server, *TEXTS, "method.answers=labels", "--out", "mine")
    assert result.code == 0, result.err
    assert "how often the model named each label" in result.err
    files = [path for path in result.run.rglob("*") if path.is_file()]
    assert json.loads((result.run / "summary.json").read_text())["engine"] == f"api, tiny at {server.url}"
    assert not any(b"sk-secret" in path.read_bytes() for path in files)
    assert server.seen[0][2]["Authorization"] == "Bearer sk-secret"


def test_a_failure_is_told_without_a_traceback_or_the_key(ask):
    with serving(script=[status(401, "wrong key sk-secret")]) as server:
        result = ask(server, *TEXTS)
    assert (result.code, result.out) == (1, "")
    assert "environment variable OPENAI_API_KEY, which holds a key" in result.err
    assert "Traceback" not in result.err
    assert "sk-secret" not in result.err
    refused = ask(server, "--text", "x", "method.url=http://me:pw@host/v1")
    assert (refused.code, refused.out) == (2, "")
    assert "method.url: the one of host holds more than an address" in refused.err
    assert "pw" not in refused.err
