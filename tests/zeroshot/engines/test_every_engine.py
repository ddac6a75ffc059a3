"""What holds for every engine: a score depends on the text and the label, and on nothing that comes with them."""

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from mtl_cli.errors import ConfigError
from mtl_cli.zeroshot.decide.choice import AnyOf, OneOf
from mtl_cli.zeroshot.engines.causal import CausalMethod
from mtl_cli.zeroshot.engines.cloze import ClozeMethod
from mtl_cli.zeroshot.engines.embed import EmbedMethod
from mtl_cli.zeroshot.engines.nli import NliMethod
from mtl_cli.zeroshot.labels.label_set import make_labels
from mtl_cli.zeroshot.scoring.encoder import TextEncoder
from mtl_cli.zeroshot.scoring.plan import Plan
from tests.fakes import cpu, tiny_backbone
from tests.model.test_masked import random_masked, saved
from tests.zeroshot.engines.test_nli import OPTIONS, save
from tests.zeroshot.fakes import Asked, named

TEXTS = ["What a film!", "", "no", "a text of some length, " * 3, "été ☕", "x" * 300, "no"]
TEMPLATE = "It is {}."
SPEECH = {"lead": "", "join": "\n", "premise": "", "chat": False}


def random_causal(folder):
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=261, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
        max_position_embeddings=128, bos_token_id=2, eos_token_id=3, pad_token_id=0,
    )  # fmt: skip
    model = LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.mul_(8.0)
    return saved(folder, model)


def embed(_, asked):
    torch.manual_seed(0)
    encoder = TextEncoder(tiny_backbone(), cpu(), max_length=asked.max_length, batch_tokens=asked.batch_tokens)
    return EmbedMethod(encoder, temperature=0.05)


MODELS = {"embed": lambda _: None, "nli": save, "cloze": lambda f: saved(f, random_masked()), "causal": random_causal}
ENGINES = {
    "embed": ("embed", embed),
    "nli": ("nli", lambda path, asked: NliMethod(asked, **{**OPTIONS, "path": path})),
    "cloze": ("cloze", lambda path, asked: ClozeMethod(asked, path=path, join=" ")),
    **{
        f"causal {rule}, {'tree' if tree else 'rows'}": (
            "causal", lambda path, asked, rule=rule, tree=tree: CausalMethod(asked, path=path, rule=rule, tree=tree, **SPEECH)
        )
        for rule, tree in (("sum", True), ("sum", False), ("mean", True), ("contextual", True), ("channel", True))
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {name: make(tmp_path_factory.mktemp(name)) for name, make in MODELS.items()}


@pytest.fixture(params=ENGINES)
def engine(request, folders):
    """Builds the engine anew, with so many tokens a pass."""
    model, build = ENGINES[request.param]
    return lambda batch_tokens=512: build(folders[model], Asked(batch_tokens=batch_tokens))


def labels(*names):
    return named(*names, template=TEMPLATE)


def test_a_text_scores_the_same_alone_and_in_any_batch_and_order(engine):
    asked, method = labels("film", "the weather"), engine()
    alone = np.concatenate([method.score([text], asked).logits_NL for text in TEXTS])
    assert alone.std(axis=0).min() > 1e-3, "the texts differ"
    for batch_tokens in (1, 300, 100_000):
        other = engine(batch_tokens)
        assert other.score(TEXTS, asked).logits_NL == pytest.approx(alone, rel=1e-5)
        assert other.score(TEXTS[::-1], asked).logits_NL[::-1] == pytest.approx(alone, rel=1e-5)


def test_there_may_be_200_labels_in_any_order(engine):
    names, method = [f"topic {i:03d}" for i in range(200)], engine(4096)
    found = method.score(TEXTS[:1], labels(*names)).logits_NL
    assert found.shape == (1, 200)
    assert method.score(TEXTS[:1], labels(*names[::-1])).logits_NL[:, ::-1] == pytest.approx(found, rel=1e-5)


@pytest.mark.parametrize("engine", [name for name in ENGINES if "contextual" not in name], indirect=True)
def test_a_score_does_not_depend_on_the_other_labels(engine):
    # The rule `contextual` divides by shares of the labels among themselves, so there it does by definition.
    method, names = engine(), ["film", "the weather", "food"]
    found = method.score(TEXTS, labels(*names)).logits_NL
    assert method.score(TEXTS, labels(*names[:2])).logits_NL == pytest.approx(found[:, :2], rel=1e-5)


def test_a_text_longer_than_the_model_is_cut_and_counted_and_an_empty_one_is_scored(engine):
    method = engine()
    found = method.score(["", "y" * 5000], labels("film", "food")).logits_NL
    assert np.isfinite(found).all()
    assert method.truncated == 1


@pytest.mark.parametrize("engine", [name for name in ENGINES if name != "embed"], indirect=True)
def test_a_label_that_is_nothing_to_the_tokenizer_is_refused(engine):
    nothing, _ = make_labels({"a": "film", "b": {"text": ""}}, ["{}"])
    with pytest.raises(ConfigError, match=r"labels\.b: '' is nothing to the model's tokenizer"):
        engine().score(["x"], nothing)


def test_a_plan_grows_with_texts_and_labels_cost_once_or_never(engine):
    method, asked = engine(), labels("film", "food")
    one, many = method.plan(["x"], asked), method.plan(["x"] * 9, asked)
    assert one.tokens > 0
    assert many.tokens == 9 * one.tokens
    assert method.plan_labels(asked) == Plan(0, 0) or method.plan_labels(asked).tokens > 0


def test_the_pieces_of_a_text_are_its_tokens(engine):
    first, second = engine().pieces(["film", ""])
    assert (len(first.ids), first.unknown, second.ids) == (4, 0, ())


@pytest.mark.parametrize("choice", [OneOf(), AnyOf(0.5)])
def test_logits_in_the_hundreds_are_probabilities(choice):
    logits_NL = np.array([[200.0, -200.0, 0.0], [-200.0, -200.0, -200.0], [200.0, 200.0, 199.0]])
    found = choice.probabilities(logits_NL)
    assert np.isfinite(found).all()
    assert ((found >= 0) & (found <= 1)).all()
    assert found[0, 0] == pytest.approx(1)


def test_a_label_that_stands_twice_is_refused_whatever_the_engine():
    with pytest.raises(ConfigError, match="a stands more than once"):
        make_labels(["a", "b", "a"], ["{}"])
