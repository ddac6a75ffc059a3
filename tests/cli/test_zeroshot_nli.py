"""`mtl zeroshot method=nli`: by a head of a run."""

import json

import pytest

TEXTS = ("--text", "What a film!", "--text", "", "--text", "x" * 400)


@pytest.fixture
def ask(mtl):
    def call(*words):
        return mtl("zeroshot", "method=nli", "bootstrap=20", "--labels", "film,food,weather", *words)

    return call


def scores(result):
    assert result.code == 0, result.err
    return [json.loads(line)["scores"] for line in result.out.splitlines()]


def refused(result, message):
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert "Traceback" not in result.err


def test_a_head_of_a_run_that_tells_entailment_answers(ask, trained):
    result = ask(f"run={trained}", "method.task=rte", *TEXTS)
    found = scores(result)
    assert [list(one) for one in found] == [["film", "food", "weather"]] * 3
    assert [sum(one.values()) for one in found] == pytest.approx([1, 1, 1], abs=1e-4)
    assert f"{trained}/checkpoints/" in result.err
    assert "head rte" in result.err
    assert "1 texts were longer" in result.err
    alone = scores(ask(f"run={trained}", "method.task=rte", "--text", "What a film!", "batch_tokens=1"))
    assert list(alone[0].values()) == pytest.approx(list(found[0].values()), abs=1e-5)
    assert scores(ask(f"run={trained}", "method.task=qnli", *TEXTS)) != found


def test_labels_stand_in_a_sentence_and_a_template_replaces_it(ask, trained):
    of = (f"run={trained}", "method.task=rte", "--text", "x")
    plain = scores(ask(*of))
    assert scores(ask(*of, "--template", "This text is about {}.")) == plain
    assert scores(ask(*of, "--template", "{}?")) != plain


def test_several_labels_a_text_have_each_a_probability(ask, trained):
    (found,) = scores(ask(f"run={trained}", "method.task=rte", "decide.multi_label=true", "--text", "x"))
    assert abs(sum(found.values()) - 1) > 0.1


def test_heads_are_named_where_one_must_be_chosen(ask, trained):
    refused(ask(f"run={trained}", *TEXTS), "several heads tell entailment")
    refused(ask(f"run={trained}", "method.task=sst2", *TEXTS), "'sst2' does not tell entailment in pairs of texts")


def test_a_model_is_asked_for(ask):
    refused(ask(*TEXTS), "method.path: nli needs a model that was trained on entailment")


def test_labels_that_stand_twice_are_refused(mtl):
    refused(mtl("zeroshot", "method=nli", "--labels", "a,b,a", "--text", "x"), "--labels: a stands more than once")
