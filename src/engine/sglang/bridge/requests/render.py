"""Prompts that SGLang renders and tokenizes itself (--use-sglang-tokenizer): messages or text in, token ids out."""


def token_ids(manager, opt: dict) -> list[int]:
    """Ids of `opt.messages` through the tokenizer's own chat template, or of `opt.text`. ValueError says what is wrong."""
    tokenizer = manager.tokenizer
    if tokenizer is None:
        raise ValueError("SGLang was started with --skip-tokenizer-init and cannot tokenize")
    if opt.get("text") is not None:
        return list(tokenizer.encode(opt["text"]))
    if opt.get("messages") is None:
        raise ValueError("the request has no token ids, no text and no messages")
    arguments = {"tokenize": False, "add_generation_prompt": True, **(opt.get("template_kwargs") or {})}
    if opt.get("tools"):
        arguments["tools"] = opt["tools"]
    try:
        text = tokenizer.apply_chat_template(opt["messages"], **arguments)
    except Exception as error:  # templates raise what they like (jinja's TemplateError most of all)
        raise ValueError(f"the chat template refused the messages: {error}") from error
    # Templates write the special tokens themselves.
    return list(tokenizer.encode(text, add_special_tokens=False))
