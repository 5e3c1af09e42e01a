"""The bridge's diffusion role: SGLang's DiffGenerator behind a unix socket (messages.py has the words)."""
