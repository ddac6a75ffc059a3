import pytest
import torch
import transformers

from mtl_cli.data.text import TextInputs
from mtl_cli.errors import ConfigError
from mtl_cli.model.backbone.tiny import byte_tokenizer
from mtl_cli.model.masked import MaskedModel, load_masked

SIZES = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 130,
    "pad_token_id": 0,
}  # fmt: skip
MORE = {
    "Albert": {"embedding_size": 8},
    "Electra": {"embedding_size": 8},
    "ModernBert": {"cls_token_id": 2, "sep_token_id": 3},
}


def random_masked(kind="Bert", gain=8.0, **more):
    """A random masked language model over bytes; `gain` makes its logits differ from place to place."""
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(vocab_size=261, **SIZES, **MORE.get(kind, {}), **more)
    model = getattr(transformers, f"{kind}ForMaskedLM")(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.mul_(gain)
    return model


def saved(folder, model, tokenizer=None):
    model.save_pretrained(folder)
    (tokenizer or byte_tokenizer(128)).save_pretrained(folder)
    return str(folder)


def rows():
    ids_BL = torch.randint(5, 261, (3, 20), generator=torch.Generator().manual_seed(1))
    places_BK = torch.tensor([[3, 19], [11, 0], [6, 5]])
    ids_BL[torch.arange(3)[:, None], places_BK] = 4
    inputs = TextInputs.of([row[:length].numpy() for row, length in zip(ids_BL, (20, 12, 7), strict=True)])
    return inputs, places_BK


@pytest.mark.parametrize("kind", ["Bert", "Roberta", "Electra", "Albert", "MPNet", "DebertaV2", "ModernBert"])
@torch.inference_mode()
def test_logits_at_the_masks_are_those_of_the_whole_forward(tmp_path, kind):
    found = load_masked(saved(tmp_path, random_masked(kind)), "method.path")
    inputs, places_BK = rows()
    padded = inputs.padded(found.pad_id)
    whole = found.model(input_ids=padded.ids_BL, attention_mask=padded.mask_BL).logits
    expected = whole[torch.arange(3)[:, None], places_BK]
    assert found.cuts, "the head can be given the masks alone"
    assert torch.allclose(found.logits(inputs, places_BK), expected, rtol=1e-5, atol=1e-4)
    assert expected.std() > 0.1
    assert torch.equal(found.model(input_ids=padded.ids_BL, attention_mask=padded.mask_BL).logits, whole), (
        "nothing stays cut"
    )


@torch.inference_mode()
def test_a_model_whose_head_needs_every_position_is_asked_whole(tmp_path, monkeypatch):
    def forward(self, input_ids, attention_mask=None):
        states_BLD = self.bert(input_ids, attention_mask=attention_mask).last_hidden_state
        # A head that mixes the positions.
        return transformers.modeling_outputs.MaskedLMOutput(
            logits=self.cls(states_BLD + states_BLD.mean(1, keepdim=True))
        )

    monkeypatch.setattr(transformers.BertForMaskedLM, "forward", forward)
    found = load_masked(saved(tmp_path, random_masked()), "method.path")
    inputs, places_BK = rows()
    padded = inputs.padded(found.pad_id)
    whole = found.model(input_ids=padded.ids_BL, attention_mask=padded.mask_BL).logits
    assert not found.cuts
    assert torch.equal(found.logits(inputs, places_BK), whole[torch.arange(3)[:, None], places_BK])


@torch.inference_mode()
def test_only_the_masks_are_projected_on_the_vocabulary(tmp_path):
    found = load_masked(saved(tmp_path, random_masked()), "method.path")
    seen = []
    found.model.cls.register_forward_hook(lambda _, inputs, __: seen.append(tuple(inputs[0].shape)))
    inputs, places_BK = rows()
    found.logits(inputs, places_BK)
    assert seen == [(3, 2, 16)]
    assert isinstance(found, MaskedModel)


def refused(message, path):
    with pytest.raises(ConfigError, match=message):
        load_masked(str(path), "method.path")


def test_what_fills_no_masks_is_refused(tmp_path):
    refused(r"method\.path: there is no folder \./nowhere", "./nowhere")
    encoder = saved(tmp_path / "encoder", random_masked().bert)
    refused("has no trained head for masks: its weights lack cls", encoder)
    no_mask = byte_tokenizer(64)
    no_mask.mask_token = None
    refused("has no mask token, so it fills no gaps", saved(tmp_path / "no_mask", random_masked(), no_mask))
    config = transformers.GPT2Config(vocab_size=261, n_positions=32, n_embd=8, n_layer=1, n_head=1)
    refused("cannot load .*GPT2", saved(tmp_path / "causal", transformers.GPT2LMHeadModel(config)))
