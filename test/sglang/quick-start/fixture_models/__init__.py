"""For tests, as SGLANG_EXTERNAL_MODEL_PACKAGE: SGLang then loads its own models (270 modules) only for an architecture that is not here."""
