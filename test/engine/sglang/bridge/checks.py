"""Checks of the bridge against a real SGLang on CPU: `python checks.py MODEL EMBED_MODEL GROUP…`. Run by checks.test.ts."""

import sys

import answers
import life

GROUPS = {
    "levels": answers.levels,
    "embeddings": answers.embeddings,
    "ranks": life.ranks,
    "failures": life.failures,
}

if __name__ == "__main__":
    for group in sys.argv[3:]:
        GROUPS[group]()
