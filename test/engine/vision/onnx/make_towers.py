"""Small random models of the families that have no fixture: python make_towers.py FOLDER. Writes FOLDER/FAMILY/{config.json, model.safetensors}."""

import sys

import torch
import transformers as tf

IDS = {"image_token_id": 90, "video_token_id": 91, "vision_start_token_id": 92, "vision_end_token_id": 93}
TEXT = {
    "vocab_size": 100,
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "rope_scaling": {"rope_type": "default", "mrope_section": [2, 3, 3]},
    "bos_token_id": 1,
    "eos_token_id": 2,
}
# Heads of 20: no power of two, as those of the real ones (80, 72).
QWEN2 = {"depth": 3, "embed_dim": 80, "hidden_size": 64, "num_heads": 4, "mlp_ratio": 2, "patch_size": 14}
QWEN3 = {
    "depth": 3,
    "hidden_size": 80,
    "intermediate_size": 100,
    "num_heads": 4,
    "out_hidden_size": 64,
    "patch_size": 16,
    "num_position_embeddings": 49,
    "deepstack_visual_indexes": [0, 1, 2],
}
QWEN25 = {
    "depth": 4,
    "hidden_size": 80,
    "intermediate_size": 60,
    "num_heads": 4,
    "out_hidden_size": 64,
    "fullatt_block_indexes": [1, 3],
    "window_size": 56,
}
TEXT3 = {**TEXT, "head_dim": 16}
LINEAR = {**TEXT3, "layer_types": ["full_attention"]}


def models():
    yield "qwen2_vl", tf.Qwen2VLForConditionalGeneration, tf.Qwen2VLConfig(text_config=TEXT, vision_config=QWEN2, **IDS)
    yield "qwen2_5_vl", tf.Qwen2_5_VLForConditionalGeneration, tf.Qwen2_5_VLConfig(text_config=TEXT, vision_config=QWEN25, **IDS)
    yield "qwen3_vl", tf.Qwen3VLForConditionalGeneration, tf.Qwen3VLConfig(text_config=TEXT3, vision_config=QWEN3, **IDS)
    shallow = {**QWEN3, "deepstack_visual_indexes": []}
    yield "qwen3_5", tf.Qwen3_5ForConditionalGeneration, tf.Qwen3_5Config(text_config=LINEAR, vision_config=shallow, **IDS)


def main(folder):
    for name, kind, config in models():
        torch.manual_seed(7)
        model = kind(config)
        for weight in model.model.visual.parameters():
            torch.nn.init.normal_(weight, std=0.15 if weight.dim() > 1 else 0.5)
        model.save_pretrained(f"{folder}/{name}")


main(*sys.argv[1:])
