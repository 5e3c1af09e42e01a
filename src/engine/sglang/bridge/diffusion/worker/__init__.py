"""What runs inside SGLang's worker processes."""
