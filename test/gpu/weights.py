"""Weights for a Qwen3 folder that has only a config.json: `python3 weights.py FOLDER`. Random, always the same, and strong enough that what is said
depends on all of the prompt: SGLang's own dummy weights are so small that every answer repeats its last token, whatever the KV cache holds."""

import json
import os
import sys

import torch
from safetensors.torch import save_file

folder = sys.argv[1]
with open(os.path.join(folder, "config.json")) as file:
    config = json.load(file)
hidden, inner, head = config["hidden_size"], config["intermediate_size"], config["head_dim"]
queries, values = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
device = "cuda" if torch.cuda.is_available() else "cpu"
generator = torch.Generator(device=device).manual_seed(7)
tensors = {}


def linear(name: str, rows: int, columns: int, spread: float = 1.0) -> None:
    weight = torch.randn(rows, columns, generator=generator, device=device) * (spread / columns**0.5)
    tensors[name + ".weight"] = weight.to(torch.bfloat16).cpu().contiguous()


def norm(name: str, size: int, value: float = 1.0) -> None:
    tensors[name + ".weight"] = torch.full((size,), value, dtype=torch.bfloat16)


linear("model.embed_tokens", config["vocab_size"], hidden)
for layer in range(config["num_hidden_layers"]):
    at = f"model.layers.{layer}."
    norm(at + "input_layernorm", hidden)
    norm(at + "post_attention_layernorm", hidden)
    linear(at + "self_attn.q_proj", queries, hidden)
    linear(at + "self_attn.k_proj", values, hidden)
    linear(at + "self_attn.v_proj", values, hidden)
    linear(at + "self_attn.o_proj", hidden, queries, 2.0)
    norm(at + "self_attn.q_norm", head, 1.5)
    norm(at + "self_attn.k_norm", head, 1.5)
    linear(at + "mlp.gate_proj", inner, hidden)
    linear(at + "mlp.up_proj", inner, hidden)
    linear(at + "mlp.down_proj", hidden, inner)
norm("model.norm", hidden)
if not config["tie_word_embeddings"]:
    linear("lm_head", config["vocab_size"], hidden)
save_file(tensors, os.path.join(folder, "model.safetensors"), {"format": "pt"})
