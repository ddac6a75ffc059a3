import numpy as np
import pytest
from transformers import BertConfig, BertForMaskedLM

from mtl_cli.errors import ConfigError
from mtl_cli.model.backbone.tiny import byte_tokenizer
from mtl_cli.zeroshot.engines.causal import CausalMethod
from mtl_cli.zeroshot.scoring.cache import Cache
from tests.zeroshot.fakes import Asked, label, named
from tests.zeroshot.language import naive, save, small

OPTIONS = {"rule": "sum", "lead": "", "join": "\n", "premise": "", "chat": False, "tree": True}
TEXTS = ["What a film!", "", "no", "a text of some length, " * 3, "été ☕", "no"]
TEMPLATE = "Topic: {}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save(tmp_path_factory.mktemp("model"))


def causal(path, batch_tokens=512, max_length=128, cache=None, heads=(), **options):
    asked = Asked(*heads, batch_tokens=batch_tokens, max_length=max_length, cache=cache)
    return CausalMethod(asked, **{**OPTIONS, "path": path, **options})


def scores(method, texts, labels):
    return method.score(texts, labels).logits_NL


def by_hand(text, words, before="Topic:"):
    """One forward pass; the space before the words is the first byte that is asked for."""
    model = small()
    ids = model.tokenizer(f"{text.rstrip()}\n{before}", add_special_tokens=False)["input_ids"]
    said = model.tokenizer(f" {words}", add_special_tokens=False)["input_ids"]
    return naive(model, [model.tokenizer.cls_token_id, *ids], said)


def test_a_score_is_the_likelihood_of_the_words_behind_text_and_template(folder):
    names = ["film", "food", "foo", "fi"]
    expected = [[by_hand(text, name) for name in names] for text in TEXTS]
    assert scores(causal(folder), TEXTS, named(*names, template=TEMPLATE)) == pytest.approx(
        np.array(expected), abs=1e-4
    )
    assert scores(causal(folder, tree=False), TEXTS, named(*names, template=TEMPLATE)) == pytest.approx(
        np.array(expected), abs=1e-4
    )


def test_what_stands_behind_the_words_is_scored_too(folder):
    found = scores(causal(folder), ["x"], named("a", "b", template="Topic: {}."))
    assert found == pytest.approx(np.array([[by_hand("x", "a."), by_hand("x", "b.")]]), abs=1e-4)


@pytest.mark.parametrize("rule", ["sum", "mean", "pmi", "contextual", "channel"])
def test_texts_batches_and_the_order_of_labels_change_no_score(folder, rule):
    names = ("film", "food", "a")
    expected = scores(causal(folder, rule=rule), TEXTS, named(*names, template=TEMPLATE))
    small_batches = causal(folder, rule=rule, batch_tokens=1)
    assert scores(small_batches, TEXTS[::-1], named(*names[::-1], template=TEMPLATE))[::-1, ::-1] == pytest.approx(
        expected, rel=1e-5, abs=1e-5
    )
    assert scores(small_batches, TEXTS[:1], named(*names, template=TEMPLATE)) == pytest.approx(
        expected[:1], rel=1e-5, abs=1e-5
    )


def test_rules_on_a_model(folder):
    asked = named("film", "a", template=TEMPLATE)
    plain = scores(causal(folder), TEXTS, asked)
    assert scores(causal(folder, rule="mean"), TEXTS, asked) == pytest.approx(plain / [5, 2], rel=1e-5)
    premise = np.array([by_hand("Nothing", "film"), by_hand("Nothing", "a")])
    assert scores(causal(folder, rule="pmi", premise="Nothing"), TEXTS, asked) == pytest.approx(
        plain - premise, abs=1e-4
    )
    free = np.array([[by_hand(text, name) for name in ("film", "a")] for text in ("N/A", "", "[MASK]")])
    p_SL = np.exp(free) / np.exp(free).sum(axis=1, keepdims=True)
    assert scores(causal(folder, rule="contextual"), TEXTS, asked) == pytest.approx(
        plain - np.log(p_SL.mean(axis=0)), abs=1e-4
    )


def test_the_channel_asks_for_the_text_behind_the_label(folder):
    model = small()

    def ids(text):
        return model.tokenizer(text, add_special_tokens=False)["input_ids"]

    found = scores(causal(folder, rule="channel"), ["no", "", "été"], named("film", "a", template=TEMPLATE))
    expected = [
        [naive(model, [model.tokenizer.cls_token_id, *ids(f"Topic: {name}\n")], ids(text)) for name in ("film", "a")]
        for text in ("no", "", "été")
    ]
    assert found == pytest.approx(np.array(expected), abs=1e-4)
    assert found[1].tolist() == [0, 0]


def test_there_may_be_200_labels_and_a_score_does_not_depend_on_the_others(folder):
    names = [f"topic {i}" for i in range(200)]
    method = causal(folder)
    found = scores(method, TEXTS[:2], named(*names, template=TEMPLATE))
    assert found[:, 150:151] == pytest.approx(scores(method, TEXTS[:2], named(names[150], template=TEMPLATE)), rel=1e-5)


@pytest.mark.parametrize("rule", ["sum", "channel"])
def test_only_the_text_is_cut_and_the_same_beside_any_label(folder, rule):
    method, asked = causal(folder, rule=rule, max_length=64), named("film", "food and more", template=TEMPLATE)
    found = scores(method, ["x" * 500, "x" * 400, "short"], asked)
    assert found[0] == pytest.approx(found[1], rel=1e-5)
    assert method.truncated == 2
    # 64 tokens, less 16 for the label, one special one, and what stands between. Behind a label three quarters of them.
    rest = 64 - 16 - 1 - len("\nTopic:") if rule == "sum" else 48
    kept = causal(folder, rule=rule)
    assert scores(kept, ["x" * rest], asked)[0] == pytest.approx(found[0], rel=1e-5)
    assert kept.truncated == 0
    alone = scores(causal(folder, rule=rule, max_length=64), ["x" * 500], asked[:1])
    assert alone[0, 0] == pytest.approx(found[0, 0], rel=1e-5)


def test_labels_that_cannot_be_scored_are_refused(folder):
    with pytest.raises(ConfigError, match=r"labels\.none: '' is nothing to the model's tokenizer"):
        scores(causal(folder), ["x"], [label("none", "", templates=(TEMPLATE,)), label("b")])
    with pytest.raises(ConfigError, match=r"labels\.long: .*has 101 tokens, for which 128 are kept free"):
        scores(causal(folder), ["x"], [label("long", "y" * 100, templates=(TEMPLATE,)), label("b")])


def test_several_words_and_templates(folder):
    method = causal(folder)

    def alone(word, template):
        return scores(method, TEXTS, [label("a", word, templates=(template,))])[:, 0]

    found = scores(method, TEXTS, [label("a", "yes", "no", templates=("So: {}", "It is {}"))])[:, 0]
    either = [np.logaddexp(alone("yes", t), alone("no", t)) for t in ("So: {}", "It is {}")]
    assert found == pytest.approx(np.mean(either, axis=0), abs=1e-4)


def test_scores_are_kept(folder, tmp_path):
    asked = named("film", "food", template=TEMPLATE)
    first = scores(causal(folder, cache=Cache(tmp_path), rule="contextual"), TEXTS, asked)
    again = causal(folder, cache=Cache(tmp_path), rule="contextual")
    again.score_phrases = None  # nothing is asked again
    assert scores(again, TEXTS, asked).tolist() == first.tolist()
    assert causal(folder).signature != causal(folder, join=" ").signature


def test_what_is_planned(folder):
    method, asked = causal(folder, batch_tokens=10_000), named("film", "food", template=TEMPLATE)
    fixed, nodes = 1 + len("\nTopic:"), len(" fil") + len("oo")
    assert (method.plan(["abc", "a"], asked).tokens, method.plan(["abc", "a"], asked).passes) == (
        2 * (3 + fixed + nodes),
        1,
    )
    assert method.plan_labels(asked).passes == 0
    assert causal(folder, rule="contextual").plan_labels(asked).passes == 1


def test_the_chat_template_goes_around_text_and_template(folder, tmp_path):
    with pytest.raises(ConfigError, match=r"method\.chat: the model's tokenizer has no chat template"):
        causal(folder, chat=True)
    model = small()
    model.tokenizer.chat_template = "{% for m in messages %}<{{ m.content }}>{% endfor %}say:"
    model.model.save_pretrained(tmp_path)
    model.tokenizer.save_pretrained(tmp_path)
    ids = [model.tokenizer(t, add_special_tokens=False)["input_ids"] for t in ("<x\nTopic:>say:", "film")]
    found = scores(causal(str(tmp_path), chat=True), ["x"], named("film", "food", template=TEMPLATE))
    assert found[0, 0] == pytest.approx(naive(model, *ids), abs=1e-4)
    with pytest.raises(ConfigError, match="no turn of a user"):
        causal(str(tmp_path), chat=True, rule="channel")


def test_models_that_are_none_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("MTL_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ConfigError, match=r"method\.path: there is no folder \./nowhere"):
        causal("./nowhere")
    with pytest.raises(ConfigError, match=r"is no folder here, and the hub .* once `mtl offline add smollm2`"):
        causal("HuggingFaceTB/SmolLM2-135M-Instruct")
    tokenizer = byte_tokenizer(64)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
    )
    BertForMaskedLM(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="it looks at what comes after a token"):
        causal(str(tmp_path))
