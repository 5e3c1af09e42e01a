"""Weights for a vision model's folder that has only a config.json: `python3 weights.py FOLDER [vision|all]`. Random, always the same on a machine, and strong enough that what is said
depends on the pictures. Names and shapes are those of transformers' own model, as published checkpoints have them."""

import os
import sys

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForImageTextToText

folder, part = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "all"
config = AutoConfig.from_pretrained(folder)
dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16}[str(getattr(config, "dtype", None) or "bfloat16").removeprefix("torch.")]
with torch.device("meta"):
    shapes = {name: tuple(value.shape) for name, value in AutoModelForImageTextToText.from_config(config).state_dict().items()}
device = "cuda" if torch.cuda.is_available() else "cpu"
generator = torch.Generator(device=device).manual_seed(7)
tied = bool(getattr(config, "tie_word_embeddings", False))
tensors = {}
for name, shape in shapes.items():
    if (part == "vision" and ".visual." not in name) or (tied and name == "lm_head.weight"):
        continue
    if len(shape) > 1:
        columns = torch.Size(shape[1:]).numel()
        value = torch.randn(shape, generator=generator, device=device) / columns**0.5
    else:
        value = torch.zeros(shape) if name.endswith("bias") else torch.ones(shape)
    if config.model_type == "qwen2_5_vl":
        name = name.replace("model.visual.", "visual.").replace("model.language_model.", "model.")
    tensors[name] = value.to(dtype).cpu().contiguous()
save_file(tensors, os.path.join(folder, "model.safetensors"), {"format": "pt"})
print(len(tensors), "tensors,", sum(value.nbytes for value in tensors.values()) // 10**6, "MB")
