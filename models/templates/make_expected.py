#!/usr/bin/env python3
"""Renders chat templates with transformers' own apply_chat_template and writes what comes out as JSON.

Usage: make_expected.py [TEMPLATE_FOLDER [OUT_FOLDER]]     (needs transformers and jinja2; both default to this file's folder)

For each *.jinja: OUT/expected/NAME.json, a list of {name, text} or {name, error} in the order of cases.json.
The clock of strftime_now stands still, so that two runs write the same bytes.
"""
import json
import os
import pathlib
import sys
from datetime import datetime as real_datetime

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
import tokenizers
import transformers
from transformers.utils import chat_template_utils

here = pathlib.Path(__file__).resolve().parent
special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}


class FrozenClock(real_datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2026, 11, 21, 9, 5, 7)


def make_tokenizer():
    model = tokenizers.models.WordLevel({token: i for i, token in enumerate(special.values())}, unk_token="<unk>")
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizers.Tokenizer(model), **special)


def render(tokenizer, source, case, tools):
    resumed = case.get("continueFinalMessage", False)
    try:
        text = tokenizer.apply_chat_template(
            case["messages"],
            tools=tools if case.get("useTools") else None,
            chat_template=source,
            add_generation_prompt=case.get("addGenerationPrompt", True) and not resumed,
            continue_final_message=resumed,
            tokenize=False,
            **case.get("variables", {}),
        )
        return {"name": case["name"], "text": text}
    except Exception as error:
        return {"name": case["name"], "error": f"{type(error).__name__}: {error}"}


def render_snippet(source):
    """One row of language.json: the language itself, without a chat around it."""
    inputs = {
        "s": "text",
        "l": [1, 2, 3],
        "d": {"a": 1, "b": "two"},
        "k": {"items": 7},
        "ms": [{"role": "user", "content": "hi", "n": 1}, {"role": "assistant", "content": "yo", "n": 2, "name": "bob"}],
    }
    try:
        return {"name": source, "text": chat_template_utils._compile_jinja_template(source).render(**inputs)}
    except Exception as error:
        return {"name": source, "error": f"{type(error).__name__}: {error}"}


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here
    out = (pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else folder) / "expected"
    out.mkdir(parents=True, exist_ok=True)
    chat_template_utils.datetime = FrozenClock
    given = json.loads((here / "cases.json").read_text(encoding="utf-8"))
    tokenizer = make_tokenizer()
    for path in sorted(folder.glob("*.jinja")):
        source = path.read_text(encoding="utf-8")
        rows = [render(tokenizer, source, case, given["tools"]) for case in given["cases"]]
        text = json.dumps(rows, ensure_ascii=True, indent=1) + "\n"
        (out / f"{path.stem}.json").write_text(text, encoding="utf-8")
    if folder == here:
        snippets = json.loads((here / "language.json").read_text(encoding="utf-8"))
        rows = [render_snippet(source) for source in snippets]
        (out / "language.json").write_text(json.dumps(rows, ensure_ascii=True, indent=1) + "\n", encoding="utf-8")
    print(f"transformers {transformers.__version__}: {len(list(folder.glob('*.jinja')))} templates, {len(given['cases'])} cases each")


if __name__ == "__main__":
    main()
