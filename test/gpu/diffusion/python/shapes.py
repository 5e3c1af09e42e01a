"""`python shapes.py OUT tiny|flux|wan…`: model folders of real shapes without real weights, in a few seconds and almost without disk.

Tokenizers and schedulers are those of models/tiny-*. Transformers are safetensors files made of a header and a hole (sitecustomize.py fills
them on the GPU). Text encoders have two layers of real width. Decoders have real shapes and random weights, so that decoding takes its real time.
`tiny`: every part small, for trials without a GPU."""

import json
import os
import shutil
import struct
import sys

MODELS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../../models")
TEXT = 4096


def hollow(cls, config: dict, folder: str):
    """`cls(**config)` as one file of bfloat16 zeros that takes no room."""
    import diffusers
    import torch

    with torch.device("meta"):
        model = getattr(diffusers, cls)(**config)
    header, end = {}, 0
    for name, value in model.state_dict().items():
        begin, end = end, end + value.numel() * 2
        header[name] = {"dtype": "BF16", "shape": list(value.shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/diffusion_pytorch_model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)
    model.save_config(folder)


def random(model, folder: str, dtype):
    model.to(dtype).eval().save_pretrained(folder, safe_serialization=True)


def start(name: str, out: str, kind: str) -> str:
    folder = f"{out}/{kind}-{name.removeprefix('tiny-')}"
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for part in sorted(os.listdir(f"{MODELS}/{name}")):
        source = f"{MODELS}/{name}/{part}"
        if part.startswith(("tokenizer", "scheduler")):
            shutil.copytree(source, f"{folder}/{part}")
        elif part == "model_index.json":
            shutil.copy(source, folder)
    return folder


def tokens(folder: str, file: str) -> int:
    with open(f"{folder}/{file}") as opened:
        found = json.load(opened)
    return len(found) if file.endswith("vocab.json") else len(found["model"]["vocab"])


def flux(out: str, small: bool):
    import diffusers
    import torch
    import transformers

    width = 64 if small else TEXT
    folder = start("tiny-FLUX.1-dev", out, "small" if small else "big")
    words = tokens(folder, "tokenizer/vocab.json")
    torch.manual_seed(0)
    clip = transformers.CLIPTextConfig(
        vocab_size=words, hidden_size=width, intermediate_size=2 * width, projection_dim=width, num_hidden_layers=2, num_attention_heads=width // 32,
        max_position_embeddings=77, bos_token_id=words - 2, eos_token_id=words - 1, pad_token_id=words - 1, hidden_act="quick_gelu",
    )  # fmt: skip
    random(transformers.CLIPTextModel(clip), f"{folder}/text_encoder", torch.bfloat16)
    t5 = transformers.T5Config(
        vocab_size=tokens(folder, "tokenizer_2/tokenizer.json"), d_model=width, d_kv=32, d_ff=2 * width, num_layers=2, num_heads=width // 32,
        feed_forward_proj="gated-gelu", tie_word_embeddings=False,
    )  # fmt: skip
    random(transformers.T5EncoderModel(t5), f"{folder}/text_encoder_2", torch.bfloat16)
    size = dict(num_layers=5, num_single_layers=5, num_attention_heads=2) if small else dict(num_layers=19, num_single_layers=38, num_attention_heads=24)
    hollow(
        "FluxTransformer2DModel",
        dict(patch_size=1, in_channels=64, attention_head_dim=128, joint_attention_dim=width, pooled_projection_dim=width, guidance_embeds=True,
             axes_dims_rope=(16, 56, 56), **size),
        f"{folder}/transformer",
    )  # fmt: skip
    channels = [16, 16, 32, 32] if small else [128, 256, 512, 512]
    vae = diffusers.AutoencoderKL(
        in_channels=3, out_channels=3, down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4, block_out_channels=channels,
        layers_per_block=1 if small else 2, act_fn="silu", latent_channels=16, norm_num_groups=8 if small else 32, sample_size=1024,
        scaling_factor=0.3611, shift_factor=0.1159, use_quant_conv=False, use_post_quant_conv=False, force_upcast=True,
    )  # fmt: skip
    random(vae, f"{folder}/vae", torch.bfloat16)


def wan(out: str, small: bool):
    import diffusers
    import torch
    import transformers

    width = 64 if small else TEXT
    folder = start("tiny-Wan2.1-T2V-1.3B", out, "small" if small else "big")
    torch.manual_seed(0)
    umt5 = transformers.UMT5Config(
        vocab_size=tokens(folder, "tokenizer/tokenizer.json"), d_model=width, d_kv=32, d_ff=2 * width, num_layers=2, num_heads=width // 32,
        feed_forward_proj="gated-gelu", tie_word_embeddings=False,
    )  # fmt: skip
    random(transformers.UMT5EncoderModel(umt5), f"{folder}/text_encoder", torch.bfloat16)
    size = dict(num_attention_heads=2, ffn_dim=256, num_layers=5) if small else dict(num_attention_heads=12, ffn_dim=8960, num_layers=30)
    hollow(
        "WanTransformer3DModel",
        dict(patch_size=(1, 2, 2), attention_head_dim=128, in_channels=16, out_channels=16, text_dim=width, freq_dim=256, cross_attn_norm=True,
             qk_norm="rms_norm_across_heads", eps=1e-6, rope_max_seq_len=1024, **size),
        f"{folder}/transformer",
    )  # fmt: skip
    with open(f"{MODELS}/tiny-Wan2.1-T2V-1.3B/vae/config.json") as file:
        given = json.load(file)
    more = {} if small else dict(base_dim=96, num_res_blocks=2)
    config = {name: value for name, value in given.items() if not name.startswith("_")}
    random(diffusers.AutoencoderKLWan(**(config | more)), f"{folder}/vae", torch.float32)


if __name__ == "__main__":
    place, *kinds = sys.argv[1:]
    os.makedirs(place, exist_ok=True)
    tiny = "tiny" in kinds
    for kind in kinds:
        if kind != "tiny":
            {"flux": flux, "wan": wan}[kind](place, tiny)
    print(" ".join(sorted(os.listdir(place))))
