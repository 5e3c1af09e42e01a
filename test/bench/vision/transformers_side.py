"""The rival of the vision bench: transformers' own image processors on the CPU. Reads a line a question (`width height processor backend threads rounds`), answers
with a line of JSON: milliseconds of wall time and of CPU time of each round. The picture is decoded already, as ours is."""

import json
import sys
import time

import numpy as np
import torch
import transformers
from PIL import Image
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor

options = {
    "qwen2vl": dict(size={"shortest_edge": 3136, "longest_edge": 12845056}),
    "qwen3vl": dict(size={"shortest_edge": 65536, "longest_edge": 16777216}, patch_size=16, image_mean=[0.5] * 3, image_std=[0.5] * 3),
}
print(json.dumps({"torch": torch.__version__, "transformers": transformers.__version__}), flush=True)
for line in sys.stdin:
    width, height, processor, backend, threads, rounds = line.split()
    torch.set_num_threads(int(threads))
    noise = np.random.default_rng(1).integers(0, 256, (int(height), int(width), 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    make = (Qwen2VLImageProcessorPil if backend == "pil" else Qwen2VLImageProcessor)(**options[processor])
    wall, cpu = [], []
    for _ in range(int(rounds)):
        started, used = time.perf_counter(), time.process_time()
        made = make(images=picture, return_tensors="pt")
        wall.append(1000 * (time.perf_counter() - started))
        cpu.append(1000 * (time.process_time() - used))
        del made
    print(json.dumps({"wall": wall, "cpu": cpu}), flush=True)
