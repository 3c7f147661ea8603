import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from graph.errors import BadInput
from graph.settings import Settings
from tests.training.tiny import save_tiny, tiny_model
from training.models import load_policy, weights_of

TENSORS = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def write_gguf(path: Path) -> torch.nn.Module:
    """Write the tiny Qwen2 model as a GGUF file, unquantised, and return the model."""
    from gguf import GGUFWriter

    model, tokenizer = tiny_model("qwen2")
    config = model.config
    writer = GGUFWriter(path, "qwen2")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([tokenizer.convert_ids_to_tokens(place) for place in range(len(tokenizer))])
    writer.add_token_types([1] * 257 + [3] * 3)
    writer.add_token_merges(["t h"])
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_chat_template(tokenizer.chat_template)
    for name, tensor in model.state_dict().items():
        if name != "lm_head.weight":
            writer.add_tensor(_gguf_name(name), tensor.numpy().astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return model


def _gguf_name(name: str) -> str:
    if name.startswith("model.layers."):
        _, _, layer, rest = name.split(".", 3)
        module, kind = rest.rsplit(".", 1)
        return f"blk.{layer}.{TENSORS[module]}.{kind}"
    return {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}[name]


@pytest.fixture
def catalogue(tmp_path: Path) -> tuple[torch.nn.Module, Settings, Path]:
    cache = tmp_path / "cache"
    cache.mkdir()
    model = write_gguf(cache / "tiny.gguf")
    content = (cache / "tiny.gguf").read_bytes()
    path = tmp_path / "models.toml"
    path.write_text(
        f'[tiny]\nfile = "tiny.gguf"\nsize = {len(content)}\nsha256 = "{hashlib.sha256(content).hexdigest()}"\n'
        'licence = "none"\ncontext = 2048\nhub = "https://example.invalid/tiny.gguf"\n'
    )
    return model, Settings(cache=cache), path


def test_a_catalogue_name_gives_the_served_weights_ready_to_train(
    catalogue: tuple[torch.nn.Module, Settings, Path],
) -> None:
    served, settings, path = catalogue
    folder = weights_of("tiny", settings, catalogue=path)
    model, tokenizer = load_policy(folder, settings, dtype="float32")
    ids = torch.tensor([tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}])["input_ids"]])
    assert torch.allclose(model(ids).logits, served(ids).logits, atol=1e-6)
    assert not hasattr(model.config, "quantization_config")
    assert Path(folder) == settings.cache / "dequantised" / "tiny"


def test_weights_are_dequantised_once_and_never_left_half_done(
    catalogue: tuple[torch.nn.Module, Settings, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, settings, path = catalogue

    def dies(gguf: Path, folder: Path) -> None:
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("training.models._convert", dies)
        weights_of("tiny", settings, catalogue=path)
    folder = Path(weights_of("tiny", settings, catalogue=path))
    assert (folder / "model.safetensors").is_file()
    monkeypatch.setattr("training.models._convert", dies)
    assert Path(weights_of("tiny", settings, catalogue=path)) == folder


def test_a_folder_loads_in_the_type_asked_for_and_pads_on_the_left(tmp_path: Path) -> None:
    model, tokenizer = load_policy(str(save_tiny(tmp_path / "llama", "llama")), Settings(), dtype="bfloat16")
    assert model.dtype == torch.bfloat16
    assert tokenizer.padding_side == "left"
    assert not model.training


def test_a_hub_name_is_left_to_transformers() -> None:
    assert weights_of("Qwen/Qwen2.5-7B-Instruct", Settings()) == "Qwen/Qwen2.5-7B-Instruct"


def test_what_is_no_model_is_named_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(
        BadInput, match=r"'qwen9' is no folder and not in the catalogue; expected one of qwen2\.5-coder"
    ):
        weights_of("qwen9", Settings())
    with pytest.raises(BadInput, match=r"has no config\.json"):
        weights_of(str(tmp_path), Settings())
    save_tiny(tmp_path / "broken")
    (tmp_path / "broken" / "model.safetensors").unlink()
    with pytest.raises(BadInput, match="cannot be loaded"):
        load_policy(str(tmp_path / "broken"), Settings())
