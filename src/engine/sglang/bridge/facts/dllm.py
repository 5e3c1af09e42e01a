"""Text diffusion (--dllm-algorithm): requests that SGLang's diffusion scheduler takes and then does not serve are refused by name.

One with a grammar is never answered there, and log-probabilities come back empty (SGLang 0.5.23). Everything else goes the usual way; rows come
in blocks. An answer may be continued elsewhere: rows end where a block does, and a prompt's blocks are computed like those of an answer."""

from ..continued import grammar


def algorithm(args: dict) -> str | None:
    """Which one runs; None for a model that writes token by token. `args` from `ready.plain_args`."""
    return args.get("dllm_algorithm") or None


def check(name: str | None, sampling: dict, opt: dict):
    """Raises ValueError for what a diffusion model cannot do."""
    if name is None:
        return
    if grammar.wanted(sampling):
        raise ValueError(
            f"This model writes by text diffusion (--dllm-algorithm {name}): SGLang cannot hold its answers to a JSON schema, regex or other grammar."
        )
    if opt.get("lp") is not None:
        raise ValueError(f"This model writes by text diffusion (--dllm-algorithm {name}): SGLang gives no log-probabilities for its tokens.")
