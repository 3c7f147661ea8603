"""Tiny random models and a tiny tokenizer, built in code: what the training tests run on."""

from pathlib import Path
from typing import Any, Literal

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

Kind = Literal["qwen2", "llama"]
PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """A token a byte, but for `th`; ChatML as the chat template; replies end with `<|im_end|>`."""
    signs = [*sorted(pre_tokenizers.ByteLevel.alphabet()), "th"]
    tokenizer = Tokenizer(models.BPE(vocab={sign: at for at, sign in enumerate(signs)}, merges=[("t", "h")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in (PAD, START, END)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, chat_template=TEMPLATE, model_max_length=4096
    )


def tiny_model(kind: Kind = "qwen2", seed: int = 0) -> tuple[Any, PreTrainedTokenizerFast]:
    """A random causal model of two layers, 32 wide, in float32, and its tokenizer.

    Args:
        kind: Architecture: Qwen2 has biases and tied embeddings, Llama has neither.
        seed: Of the weights.
    """
    tokenizer = tiny_tokenizer()
    size: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 2048,
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": None,
    }
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model: Any
        if kind == "qwen2":
            model = Qwen2ForCausalLM(Qwen2Config(**size, tie_word_embeddings=True))
        else:
            model = LlamaForCausalLM(LlamaConfig(**size, tie_word_embeddings=False))
    return model, tokenizer


def save_tiny(folder: Path, kind: Kind = "qwen2", seed: int = 0) -> Path:
    """Save `tiny_model` with its tokenizer as a folder that loads offline, and return it."""
    model, tokenizer = tiny_model(kind, seed)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
