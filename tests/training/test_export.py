"""What is exported computes what was trained, under the names and in the order that the servers expect."""

import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from gguf import GGUFReader
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.modeling_gguf_pytorch_utils import LlamaTensorProcessor
from typer.testing import CliRunner

from graph.errors import BadInput
from graph.settings import Settings, get_settings
from serving.llama import start
from tests.training.tiny import Kind, save_tiny
from tests.training.unquantised import write_unquantised
from training.commands import app
from training.export import Form, export
from training.gguf_lora import permute_rows
from training.models import load_policy

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # PEFT asks transformers so
LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
PROMPTS = [
    "What do you sell?", "How much is it?", "I have no time.", "Who are you?", "Is it safe?", "We tried that before.",
    "Can you send me something?", "My boss decides.", "It is too expensive.", "What happens to my money?",
    "Tell me more.", "I am not interested.", "Why should I trust you?", "How long does it take?", "Is there a trial?",
    "Where are you from?", "Call me next week.", "Do you have a discount?", "What do others say?", "Okay, let us do it.",
]  # fmt: skip


def add_lora(model: Any, folder: Path, spread: float = 0.1, **more: Any) -> Any:
    """Save an adapter that does something (PEFT begins with B = 0) and return the model with it."""
    torch.manual_seed(1)
    with_lora = get_peft_model(model, LoraConfig(r=4, lora_alpha=16, target_modules=LAYERS, **more))
    for name, weight in with_lora.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=spread)
    with_lora.save_pretrained(folder)
    return with_lora.eval()


def trained(tmp_path: Path, kind: Kind = "qwen2", **more: Any) -> tuple[Path, Any]:
    """Return a run's folder with an adapter on a tiny model, and the model with it."""
    base = save_tiny(tmp_path / "base", kind)
    model = AutoModelForCausalLM.from_pretrained(base)
    return tmp_path / "run", add_lora(model, tmp_path / "run" / "adapter", **more)


def deltas(gguf: Path) -> dict[str, Any]:
    """Return what llama.cpp would add to each weight."""
    reader = GGUFReader(gguf)
    alpha = reader.get_field("adapter.lora.alpha")
    assert alpha is not None
    tensors = {tensor.name: np.array(tensor.data, np.float32) for tensor in reader.tensors}
    found = {}
    for name, b in tensors.items():
        if name.endswith(".lora_b"):
            a = tensors[f"{name.removesuffix('b')}a"]
            found[name.removesuffix(".weight.lora_b")] = alpha.contents() / a.shape[0] * b @ a
    return found


@pytest.mark.parametrize("more", [{}, {"use_rslora": True}, {"rank_pattern": {"q_proj": 2}}])
def test_the_gguf_adapter_adds_what_the_trained_one_adds(tmp_path: Path, more: dict[str, Any]) -> None:
    run, model = trained(tmp_path, **more)
    path, size = export(run, "gguf", get_settings(), dtype="float32")
    found = deltas(path)
    assert size == path.stat().st_size
    assert len(found) == 2 * len(LAYERS)
    for number, layer in enumerate(model.base_model.model.model.layers):
        for module, name in NAMES.items():
            expected = layer.get_submodule(module).get_delta_weight("default").detach().numpy()
            np.testing.assert_allclose(found[f"blk.{number}.{name}"], expected, atol=1e-5)


def test_a_llamas_rows_of_q_and_k_come_back_in_order_when_read_as_transformers_reads_gguf(tmp_path: Path) -> None:
    run, model = trained(tmp_path, "llama")
    path, _ = export(run, "gguf", get_settings(), dtype="float32")
    found, config = deltas(path), {"num_attention_heads": 4, "num_key_value_heads": 2}
    reader = LlamaTensorProcessor(config=config)
    moved = 0
    for number, layer in enumerate(model.base_model.model.model.layers):
        for module, short in NAMES.items():
            name = f"blk.{number}.{short}"
            expected = layer.get_submodule(module).get_delta_weight("default").detach().numpy()
            read = reader.process(found[name], name=f"{name}.weight").weights
            np.testing.assert_allclose(read, expected, atol=1e-5)
            moved += not np.allclose(found[name], expected, atol=1e-5)
    assert moved == 2 * 2  # q and k of two layers, and nothing else


def test_permuting_puts_each_rotations_two_rows_side_by_side() -> None:
    rows = np.arange(8, dtype=np.float32)[
        :, None
    ]  # two heads of four rows: rotations (0, 2), (1, 3) and (4, 6), (5, 7)
    assert permute_rows(rows, 2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_half_precision_is_the_default_and_takes_half_the_room(tmp_path: Path) -> None:
    run, _ = trained(tmp_path)
    path, small = export(run, "gguf", get_settings())
    assert path == run / "adapter.gguf"
    assert {tensor.data.dtype for tensor in GGUFReader(path).tensors} == {np.dtype(np.float16)}
    _, large = export(run, "gguf", get_settings(), out=tmp_path / "large.gguf", dtype="float32")
    assert small < 0.75 * large


@pytest.mark.parametrize("kind", ["qwen2", "llama"])
def test_merged_weights_answer_as_the_model_with_the_adapter(tmp_path: Path, kind: Kind) -> None:
    run, model = trained(tmp_path, kind)
    folder, _ = export(run, "merged", get_settings(), dtype="float32")
    merged, tokenizer = load_policy(str(folder), get_settings(), dtype="float32")
    ids = tokenizer("How much is it?", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        torch.testing.assert_close(merged(ids).logits, model(ids).logits, atol=1e-4, rtol=1e-4)
        with model.disable_adapter():
            assert not torch.allclose(merged(ids).logits, model(ids).logits, atol=1e-2)


def test_the_peft_form_is_the_adapter_in_half_precision(tmp_path: Path) -> None:
    run, model = trained(tmp_path)
    folder, size = export(run, "peft", get_settings())
    assert sorted(path.name for path in folder.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    assert {tensor.dtype for tensor in load_file(folder / "adapter_model.safetensors").values()} == {torch.float16}
    assert size < 0.75 * sum(path.stat().st_size for path in (run / "adapter").iterdir())
    ids = torch.tensor([[5, 6, 7]])
    again = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tmp_path / "base"), str(folder))
    torch.testing.assert_close(again(ids).logits, model(ids).logits, atol=1e-2, rtol=1e-2)


def test_a_run_that_trained_all_weights_is_exported_whole_and_has_no_adapter(tmp_path: Path) -> None:
    run = tmp_path / "run"
    save_tiny(run / "model")
    folder, size = export(run, "merged", get_settings())
    assert AutoConfig.from_pretrained(folder).dtype == torch.float16
    assert size == sum(path.stat().st_size for path in folder.iterdir())
    with pytest.raises(BadInput, match="trained all weights"):
        export(run, "gguf", get_settings())


def test_an_export_replaces_the_one_before(tmp_path: Path) -> None:
    run, _ = trained(tmp_path)
    folder, _ = export(run, "merged", get_settings())
    (folder / "stale").touch()
    export(run, "merged", get_settings())
    assert not (folder / "stale").exists()
    assert [path.name for path in run.glob("*.part")] == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"use_dora": True}, "use_dora"),
        ({"bias": "all"}, "bias"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"peft_type": "IA3"}, "only LoRA"),
    ],
)
def test_what_a_gguf_adapter_cannot_hold_is_refused(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    run, _ = trained(tmp_path)
    config = run / "adapter" / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | changes))
    with pytest.raises(BadInput, match=told):
        export(run, "gguf", get_settings())
    assert not (run / "adapter.gguf").exists()


def test_a_model_without_gguf_names_is_refused(tmp_path: Path) -> None:
    run, _ = trained(tmp_path)
    config = tmp_path / "base" / "config.json"
    config.write_text(config.read_text().replace('"qwen2"', '"gpt2"'))
    with pytest.raises(BadInput, match="'gpt2' have no GGUF names"):
        export(run, "gguf", get_settings())


@pytest.mark.parametrize("form", ["merged", "peft", "gguf"])
def test_what_is_no_export_is_never_replaced(tmp_path: Path, form: Form) -> None:
    run, _ = trained(tmp_path)
    folder = tmp_path / "letters"
    folder.mkdir()
    (folder / "dear.txt").write_text("Dear")
    with pytest.raises(BadInput, match="something else"):
        export(run, form, get_settings(), out=folder)
    assert (folder / "dear.txt").read_text() == "Dear"


def test_the_command_says_where_it_lies_and_how_large_it_is(tmp_path: Path) -> None:
    run, _ = trained(tmp_path)
    told = CliRunner().invoke(app, ["export", str(run), "--to", "gguf"])
    size = (run / "adapter.gguf").stat().st_size
    assert " ".join(told.output.split()) == f"{run / 'adapter.gguf'}, {size / 1e6:.1f} MB"


def test_a_folder_without_a_result_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="neither adapter/ nor model/"):
        export(tmp_path, "peft", get_settings())


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["smollm2-135m-instruct", "qwen2.5-coder-0.5b-instruct"])
def test_the_embedded_server_answers_as_transformers_does_with_the_adapter_on(tmp_path: Path, name: str) -> None:
    from serving.download import pull

    settings = Settings(home=tmp_path, _env_file=None)  # type: ignore[call-arg]
    whole = write_unquantised(pull(name, settings.cache), tmp_path / "whole.gguf")
    model, tokenizer = load_policy(name, settings, dtype="float32")
    prompts = [
        tokenizer.apply_chat_template([{"role": "user", "content": text}], add_generation_prompt=True)["input_ids"]
        for text in PROMPTS
    ]
    plain = [greedy(model, tokenizer, ids) for ids in prompts]
    model = add_lora(model, tmp_path / "run" / "adapter", spread=0.01)
    expected = [greedy(model, tokenizer, ids) for ids in prompts]
    assert sum(one != other for one, other in zip(plain, expected, strict=True)) >= len(PROMPTS) // 2
    adapter, _ = export(tmp_path / "run", "gguf", settings)
    server = start(whole, home=tmp_path, n_parallel=1, adapter=adapter)
    try:
        answers = [served(server.base_url, ids) for ids in prompts]
    finally:
        server.close()
        whole.unlink()  # gigabytes, which pytest would keep
    equal = sum(a == b for one, other in zip(expected, answers, strict=True) for a, b in zip(one, other, strict=False))
    assert equal / sum(map(len, expected)) >= 0.95


def greedy(model: Any, tokenizer: Any, ids: list[int]) -> list[int]:
    """Return transformers' first 20 tokens."""
    with torch.no_grad():
        made = model.generate(
            torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            max_new_tokens=20,
            do_sample=False,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    return [token for token in made[0, len(ids) :].tolist() if token != tokenizer.eos_token_id]


def served(base_url: str, ids: list[int]) -> list[int]:
    """Return the server's first 20 tokens."""
    asked = {"prompt": ids, "n_predict": 20, "temperature": 0.0, "return_tokens": True, "cache_prompt": False}
    url = base_url.removesuffix("/v1") + "/completion"
    tokens: list[int] = httpx.post(url, json=asked, timeout=120, trust_env=False).raise_for_status().json()["tokens"]
    return tokens


def test_an_adapter_as_gguf_has_no_bfloat16_and_one_for_vllm_has(tmp_path: Path) -> None:
    run, _ = trained(tmp_path)
    with pytest.raises(BadInput, match="float16 or float32"):
        export(run, "gguf", get_settings(), dtype="bfloat16")
    path, _ = export(run, "peft", get_settings(), dtype="bfloat16")
    assert {tensor.dtype for tensor in load_file(path / "adapter_model.safetensors").values()} == {torch.bfloat16}
