"""The bridge between dynamo-sglang and SGLang's Python engine. WIRE.md says what travels; `main.py` is the process's life."""
