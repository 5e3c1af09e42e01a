"""Builds SGLang's tokenized requests from GEN and EMB, checking what its TokenizerManager would check. Refusals are ValueErrors (400)."""

from array import array

import numpy

from .. import compat
from ..continued import grammar, penalties
from ..facts import disagg, dllm, ready

OPTIONS = frozenset(
    ["stream", "lp", "dp", "priority", "salt", "extra_key", "lora", "resume", "boot", "text", "messages", "tools", "template_kwargs", "media"]
)


class Builder:
    """Everything about building a request that does not change between requests."""

    def __init__(self, manager, io_struct):
        from sglang.srt.sampling.sampling_params import SamplingParams

        self._params = getattr(manager, "sampling_params_class", None) or SamplingParams
        self._gen, self._emb = io_struct.TokenizedGenerateReqInput, io_struct.TokenizedEmbeddingReqInput
        self._gen_fields = frozenset(compat.fields_of(self._gen))
        self._emb_fields = frozenset(compat.fields_of(self._emb))
        self._arrays = compat.uses_arrays()
        self._manager = manager
        self._tokenizer = manager.tokenizer
        self._vocab = manager.model_config.vocab_size
        self._context = manager.context_len
        self._reserved = getattr(manager, "num_reserved_tokens", 0) or 0
        self._truncates = bool(getattr(manager, "allow_auto_truncate", getattr(manager.server_args, "allow_auto_truncate", False)))
        self._preferred = getattr(manager, "preferred_sampling_params", None) or getattr(manager.server_args, "preferred_sampling_params", None)
        priority = getattr(manager, "enable_priority_scheduling", False)
        self._priority = getattr(manager, "default_priority_value", None) if priority else None
        self._meeting = disagg.Meeting(manager.server_args)
        args = ready.plain_args(manager.server_args)
        self._ranks, self._diffusion = ready.dp_ranks(args), dllm.algorithm(args)
        self._dp = "routed_dp_rank" if "routed_dp_rank" in self._gen_fields else "data_parallel_rank"
        self._gen_base = self._known(
            self._gen_fields,
            {
                "input_text": None,
                "input_embeds": None,
                "mm_inputs": None,
                "token_type_ids": None,
                "return_logprob": False,
                "logprob_start_len": -1,
                "top_logprobs_num": 0,
                "token_ids_logprob": None,
            },
        )
        self._emb_base = self._known(
            self._emb_fields, {"input_text": None, "mm_inputs": None, "image_inputs": None, "token_type_ids": None}
        )

    @staticmethod
    def _known(fields, values):
        return {name: value for name, value in values.items() if name in fields}

    def generate(self, rid: str, ids, sampling: dict, opt: dict, lora_id=None, pictures=None):
        """A TokenizedGenerateReqInput; `ids` is GEN's bin or a list, `pictures` what requests/pictures.py made."""
        check_kind(self._manager, True)
        ids = self._ids(ids)
        if "max_new_tokens" not in sampling:
            sampling = {"max_new_tokens": None, **sampling}
        if self._preferred:
            sampling = {**self._preferred, **{k: v for k, v in sampling.items() if v is not None}}
            sampling.setdefault("max_new_tokens", None)
        self._check_length(ids, sampling)
        dllm.check(self._diffusion, sampling, opt)
        fields = dict(self._gen_base)
        for name, value in opt.items():
            if value is None:
                continue
            if name == "lp":
                self._ask_logprobs(fields, value)
            elif name == "dp":
                fields[self._dp] = self._rank(value)
            elif name == "priority":
                fields["priority"] = value
            elif name == "salt":
                self._put(fields, "cache_salt" if "cache_salt" in self._gen_fields else "extra_key", value)
            elif name == "extra_key":
                self._put(fields, "extra_key", value + (fields.get("extra_key") or ""))
            elif name == "resume":
                check_resume(sampling)
                sampling = {**sampling, "custom_params": {**(sampling.get("custom_params") or {}), grammar.PARAM: value}}
            elif name not in OPTIONS:
                raise ValueError(f"unknown request option {name!r}")
        for name, value in self._meeting.values(opt.get("boot")).items():
            # Older releases follow the room alone, which tells the same rank.
            if name in self._gen_fields or name != "disagg_prefill_dp_rank":
                self._put(fields, name, value)
        if self._meeting.apart and "time_stats" in self._gen_fields:
            fields["time_stats"] = self._meeting.time_stats()
        if self._priority is not None and "priority" not in fields:
            fields["priority"] = self._priority
        if lora_id is not None:
            self._put(fields, "lora_id", lora_id)
            if "lora_name" in self._gen_fields:
                fields["lora_name"] = opt["lora"]
        if pictures is not None:
            self._put(fields, "mm_inputs", pictures)
        fields["stream"] = opt.get("stream", True)
        return self._gen(rid=rid, input_ids=ids, sampling_params=self._sampling(sampling), **fields)

    def embed(self, rid: str, ids, opt: dict):
        """A TokenizedEmbeddingReqInput."""
        check_kind(self._manager, False)
        ids = self._ids(ids)
        self._check_length(ids, {})
        fields = dict(self._emb_base)
        if opt.get("dp") is not None:
            dp = "routed_dp_rank" if "routed_dp_rank" in self._emb_fields else "data_parallel_rank"
            fields[dp] = self._rank(opt["dp"])
        if opt.get("priority") is not None:
            fields["priority"] = opt["priority"]
        return self._emb(rid=rid, input_ids=ids, sampling_params=self._sampling({"max_new_tokens": 0}), **fields)

    def _rank(self, rank: int) -> int:
        """SGLang's data-parallel controller dies of a rank that is not there."""
        if not 0 <= rank < self._ranks:
            raise ValueError(f"There is no data-parallel rank {rank}; there are {self._ranks}.")
        return rank

    def _put(self, fields, name, value):
        if name not in self._gen_fields:
            raise ValueError(f"this SGLang knows no {name}: its requests have no such field")
        fields[name] = value

    def _ids(self, ids):
        """GEN's bin (u32 LE) or a list as the ids that this release takes; numpy keeps long prompts cheap."""
        ids = numpy.frombuffer(ids, "<u4") if isinstance(ids, (bytes, bytearray)) else numpy.asarray(ids)
        if len(ids) == 0:
            raise ValueError("The prompt has no tokens.")
        highest = int(ids.max())
        if highest >= self._vocab:
            raise ValueError(f"Token id {highest} is outside of the vocabulary ({self._vocab}).")
        return array("q", ids.astype("<i8").tobytes()) if self._arrays else ids.tolist()

    def _sampling(self, values: dict):
        try:
            params = self._params(**values)
        except TypeError as error:
            raise ValueError(f"sampling parameters: {error}") from None
        params.normalize(self._tokenizer)
        params.verify(self._vocab)
        return params

    def _ask_logprobs(self, fields, wanted):
        start, top, ids = (*wanted, None, None)[:3]
        if ids and not all(0 <= int(token) < self._vocab for token in ids):
            raise ValueError(f"log-probabilities were asked for ids outside of the vocabulary ({self._vocab})")
        fields["return_logprob"] = True
        fields["logprob_start_len"] = -1 if start is None else start
        fields["top_logprobs_num"] = top or 0
        fields["token_ids_logprob"] = list(ids) if ids else None

    def _check_length(self, ids, sampling: dict):
        """As SGLang's `_validate_one_request`: prompt below the context, prompt and answer within it."""
        total = len(ids) + self._reserved
        if total >= self._context:
            if not self._truncates:
                raise ValueError(f"The input ({total} tokens) is longer than the model's context length ({self._context} tokens).")
            del ids[self._context - self._reserved - 1 :]
            total = len(ids) + self._reserved
        wanted = sampling.get("max_new_tokens")
        if wanted is not None and total + wanted > self._context:
            if not self._truncates:
                raise ValueError(
                    f"Requested token count exceeds the model's maximum context length of {self._context} tokens: "
                    f"{total} tokens from the input and {wanted} tokens for the completion."
                )
            sampling["max_new_tokens"] = max(0, self._context - total)


def check_kind(manager, generates: bool):
    """Refuses what this model is not for: a scheduler handed the wrong kind of request dies of it in some releases."""
    if generates and not manager.is_generation:
        raise ValueError("This model only makes embeddings (it was started with --is-embedding).")
    if not generates and manager.is_generation:
        raise ValueError("This model does not make embeddings; start it with --is-embedding if it should.")


def check_resume(sampling: dict):
    """Refuses to continue what would not be the same answer: its grammar or its penalties would start anew."""
    for what in (grammar, penalties):
        if what.wanted(sampling) and not what.available():
            raise ValueError(f"this SGLang cannot continue an answer with {what.__name__.rsplit('.', 1)[-1]}")
