import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from tokenizers import processors

from mtl_cli.model.backbone.tiny import tiny
from mtl_cli.zeroshot.scoring.encoder import TextEncoder

TEXTS = ["a", "", "a text of some length", "été", "b" * 40, "a", "c" * 300]


@pytest.fixture(params=["mean", "cls", "max"])
def backbone(request):
    torch.manual_seed(0)
    return tiny(layers=1, width=16, heads=2, max_length=64, dropout=0.5, pooling=request.param)


def encoder(backbone, max_length=32, batch_tokens=64):
    return TextEncoder(backbone, Fabric(accelerator="cpu"), max_length=max_length, batch_tokens=batch_tokens)


def test_vectors_have_length_one_and_the_order_of_the_texts(backbone):
    found = encoder(backbone)(TEXTS)
    assert (found.shape, found.dtype) == ((len(TEXTS), 16), np.float32)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)
    assert found[::-1] == pytest.approx(encoder(backbone)(TEXTS[::-1]), abs=1e-5)
    assert found[0] == pytest.approx(found[5], abs=1e-5)


@pytest.mark.parametrize("batch_tokens", [1, 50, 10_000])
def test_a_vector_does_not_depend_on_what_else_is_in_the_batch(backbone, batch_tokens):
    alone = np.concatenate([encoder(backbone)([text]) for text in TEXTS])
    assert encoder(backbone, batch_tokens=batch_tokens)(TEXTS) == pytest.approx(alone, abs=1e-5)


def test_a_vector_is_the_pooled_state_of_the_plain_encoder(backbone):
    found = encoder(backbone)(["été"])[0]
    with torch.inference_mode():
        states = backbone.encoder(**backbone.tokenizer("été", return_tensors="pt")).last_hidden_state[0]
    pooled = {"mean": states.mean(0), "cls": states[0], "max": states.amax(0)}[backbone.pooling]
    assert found == pytest.approx((pooled / pooled.norm()).numpy(), abs=1e-5)


def test_long_texts_are_cut_and_counted_over_all_calls(backbone):
    one = encoder(backbone)
    assert one(["b" * 40, "b" * 30])[0] == pytest.approx(one(["b" * 30])[0], abs=1e-5)
    assert one.truncated == 1
    one(["b" * 31])
    assert one.truncated == 2


def test_no_more_is_asked_than_the_encoder_takes(backbone):
    one = encoder(backbone, max_length=1000)
    assert np.isfinite(one(["b" * 200])).all()
    assert one.truncated == 1


def test_a_text_without_tokens_has_a_vector_under_a_tokenizer_that_adds_none(backbone):
    backbone.tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A", pair="$A $B:1", special_tokens=[]
    )
    found = encoder(backbone)(["", "ab"])
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)
