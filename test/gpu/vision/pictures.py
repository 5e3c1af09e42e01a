"""Pictures for GPU measurements: `python3 pictures.py FOLDER WIDTHxHEIGHT COUNT [png]`. Smooth colours and some noise, each another; JPEG unless PNG is asked for, which every decoder reads alike."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

folder, size, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
kind = sys.argv[4] if len(sys.argv) > 4 else "jpg"
width, height = map(int, size.split("x"))
os.makedirs(folder, exist_ok=True)
x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)


def make(seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 16, (height, width, 1), dtype=np.uint8)
    level = 120 + 60 * np.sin(x / (40 + seed % 17) + seed)[None, :, None] + 40 * np.sin(y / 70 + seed)[:, None, None] + noise
    level = np.clip(level + np.array([0, 12, -12]) * np.float32(seed % 5), 0, 255)
    Image.fromarray(level.astype(np.uint8)).save(os.path.join(folder, f"{size}-{seed}.{kind}"), **({"quality": 90} if kind == "jpg" else {}))


with ThreadPoolExecutor(os.cpu_count()) as pool:
    list(pool.map(make, range(count)))
