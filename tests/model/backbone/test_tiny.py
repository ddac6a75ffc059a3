import pytest
import torch

from mtl_cli.model.backbone.tiny import byte_tokenizer, tiny
from tests.fakes import tiny_backbone


@pytest.mark.parametrize("text", ["plain", "naïve café", "日本語 🙂", " two  spaces ", "[MASKED]\n\t"])
def test_any_text_has_one_token_a_byte_and_comes_back(text):
    tokenizer = byte_tokenizer(512)
    ids = tokenizer(text)["input_ids"]
    assert len(ids) == len(text.encode()) + 2
    assert tokenizer.unk_token_id not in ids
    assert tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False) == text


def test_a_pair_is_separated_and_typed():
    found = byte_tokenizer(64)("ab", "c")
    assert [found["input_ids"][i] for i in (0, 3, 5)] == [2, 3, 3]
    assert found["token_type_ids"] == [0, 0, 0, 0, 1, 1]


def test_weights_follow_from_torchs_generator():
    def weights(seed):
        torch.manual_seed(seed)
        return tiny_backbone().encoder.embeddings.word_embeddings.weight

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_different_texts_have_clearly_different_vectors():
    one = tiny_backbone().eval()
    ids = [torch.tensor([one.tokenizer(t)["input_ids"]]) for t in ("good film", "bad, dull")]
    first, second = (one.encoder(i).last_hidden_state.mean(1) for i in ids)
    assert (first - second).norm() > 0.5


def test_a_width_that_the_heads_do_not_divide_is_refused():
    with pytest.raises(ValueError, match="width must be a multiple of heads; found 30 and 4"):
        tiny(layers=1, width=30, heads=4, max_length=16, dropout=0.0, pooling="cls")
