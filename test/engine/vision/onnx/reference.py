"""What transformers' own vision tower makes of seeded pixels in float32: python reference.py MODEL FOLDER. Writes cases.json, N.pixels, N.rows (float32)."""

import json
import sys

import torch
import transformers

# [temporal, vertical, horizontal] patches of each picture of a case: the smallest, ragged windows, several at once, clips, a large one.
CASES = [
    [[1, 2, 2]],
    [[1, 4, 4]],
    [[1, 10, 18]],
    [[1, 16, 16], [1, 6, 22], [2, 8, 10]],
    [[4, 12, 14]],
    [[3, 4, 4], [1, 4, 4]],
    [[1, 34, 46]],
]


def main(model, folder):
    loaded = transformers.AutoModelForImageTextToText.from_pretrained(model, dtype=torch.float32, attn_implementation="eager")
    tower = loaded.model.visual.eval()
    config = tower.config
    values = config.in_channels * config.temporal_patch_size * config.patch_size**2
    torch.manual_seed(3)
    for i, grids in enumerate(CASES):
        grid = torch.tensor(grids)
        pixels = torch.randn(int(grid.prod(1).sum()), values)
        with torch.no_grad():
            out = tower(pixels, grid_thw=grid)
        # As SGLang hands it on: deepstack's levels beside the rows themselves.
        rows = torch.cat([out.pooler_output, *getattr(out, "deepstack_features", [])], -1)
        pixels.numpy().tofile(f"{folder}/{i}.pixels")
        rows.numpy().tofile(f"{folder}/{i}.rows")
    with open(f"{folder}/cases.json", "w", encoding="utf-8") as file:
        json.dump([{"grids": grids} for grids in CASES], file)


main(*sys.argv[1:])
