"""Continuing an answer under a grammar: a request whose last n prompt ids were produced earlier gets its grammar advanced over them."""

import logging

PARAM = "dsgl_resume"
logger = logging.getLogger(__name__)


def available() -> bool:
    """Whether this SGLang's grammars can be continued."""
    try:
        from sglang.srt.constrained.grammar_manager import GrammarManager
    except ImportError:
        return False
    return hasattr(GrammarManager, "process_req_with_grammar") and hasattr(GrammarManager, "get_ready_grammar_requests")


def wanted(sampling: dict) -> bool:
    """Whether a request has a grammar at all."""
    return any(sampling.get(name) is not None for name in ("json_schema", "regex", "ebnf", "structural_tag"))


def install():
    """Wraps the two places where a scheduler gives a request its grammar. Without them a resumed grammar starts anew, so say so."""
    try:
        from sglang.srt.constrained.grammar_manager import GrammarManager

        process, ready = GrammarManager.process_req_with_grammar, GrammarManager.get_ready_grammar_requests
    except (ImportError, AttributeError):
        logger.warning("dynamo-sglang: this SGLang cannot continue an answer under a grammar")
        return

    def process_req_with_grammar(self, req):
        queued = process(self, req)
        if not queued:
            advance(req)
        return queued

    def get_ready_grammar_requests(self):
        found = ready(self)
        for req in found:
            advance(req)
        return found

    GrammarManager.process_req_with_grammar = process_req_with_grammar
    GrammarManager.get_ready_grammar_requests = get_ready_grammar_requests


def advance(req):
    """Feeds the last `dsgl_resume` prompt ids to the request's grammar, once."""
    params = req.sampling_params.custom_params
    count = params.get(PARAM) if isinstance(params, dict) else None
    grammar = req.grammar
    if not count or grammar is None or getattr(grammar, "_dsgl_advanced", False) or not hasattr(grammar, "accept_token"):
        return
    grammar._dsgl_advanced = True
    try:
        for token in list(req.origin_input_ids)[-count:]:
            grammar.accept_token(token)
    except Exception as error:  # the earlier ids do not fit the grammar: this request's fault, not the scheduler's
        req.set_finish_with_abort(f"the answer cannot be continued under its grammar: {error}")
