"""One verb, `run`, and what it returns."""
