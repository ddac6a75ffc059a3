"""Small random language models over bytes."""

import torch
from transformers import AutoModelForCausalLM, BloomConfig, GPT2Config, LlamaConfig, MistralConfig

from mtl_cli.model.backbone.tiny import byte_tokenizer
from mtl_cli.model.lm import CausalLM

LIMIT = 128


def small(kind="llama", gain=6.0, **more):
    """A model whose logits differ from text to text: `gain` makes its matrices large."""
    torch.manual_seed(0)
    tokenizer = byte_tokenizer(LIMIT)
    size = {"vocab_size": len(tokenizer), "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    far = {"intermediate_size": 32, "max_position_embeddings": LIMIT, "num_key_value_heads": 1}
    configs = {
        "llama": lambda: LlamaConfig(**size, **far, **more),
        "gpt2": lambda: GPT2Config(
            vocab_size=len(tokenizer), n_embd=16, n_layer=2, n_head=2, n_positions=LIMIT, **more
        ),
        "bloom": lambda: BloomConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            n_layer=2,
            n_head=2,
            bos_token_id=2,
            eos_token_id=3,
            pad_token_id=0,
        ),
        "mistral": lambda: MistralConfig(**size, **far, **more),
    }
    model = AutoModelForCausalLM.from_config(configs[kind]()).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.mul_(gain)
    return CausalLM(model, tokenizer, LIMIT, kind)


def save(folder, **options):
    """The folder of such a model."""
    found = small(**options)
    found.model.save_pretrained(folder)
    found.tokenizer.save_pretrained(folder)
    return str(folder)


@torch.inference_mode()
def naive(model, prompt, continuation):
    """Log-likelihood of one continuation, by a forward pass of its own."""
    logits_LV = model.model(torch.tensor([[*prompt, *continuation]])).logits[0].double()
    told = logits_LV.log_softmax(-1)
    return sum(told[len(prompt) - 1 + i, token].item() for i, token in enumerate(continuation))
