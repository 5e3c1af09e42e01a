"""SGLang's own vision tower in bfloat16 on the CPU, on the pixels of reference.py: python sglang_tower.py MODEL FOLDER. Writes N.sglang (float32)."""

import json
import sys

import numpy as np
import torch
from sglang.srt.disaggregation.encoder.server import MMEncoder
from sglang.srt.runtime_context import publish
from sglang.srt.server_args import ServerArgs
from sglang.srt.utils.network import get_free_port


def main(model, folder):
    args = ServerArgs(
        model_path=model,
        device="cpu",
        dtype="bfloat16",
        attention_backend="torch_native",
        mm_attention_backend="sdpa",
        page_size=16,
        encoder_only=True,
        enable_multimodal=True,
        encoder_transfer_backend="zmq_to_scheduler",
        context_length=2048,
    )
    publish(args, role="encoder")
    tower = MMEncoder(args, dist_init_method=f"tcp://127.0.0.1:{get_free_port()}").model.visual
    values = tower.patch_embed.proj.weight[0].numel()
    with open(f"{folder}/cases.json", encoding="utf-8") as file:
        cases = json.load(file)
    for i, case in enumerate(cases):
        pixels = torch.from_numpy(np.fromfile(f"{folder}/{i}.pixels", dtype=np.float32)).reshape(-1, values)
        with torch.no_grad():
            rows = tower(pixels.to(torch.bfloat16), grid_thw=torch.tensor(case["grids"]))
        rows.float().numpy().tofile(f"{folder}/{i}.sglang")


main(*sys.argv[1:])
