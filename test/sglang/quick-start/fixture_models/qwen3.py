"""SGLang's own class for the fixture models tiny-llm and tiny-embed."""

from sglang.srt.models.qwen3 import Qwen3ForCausalLM

EntryClass = Qwen3ForCausalLM
