"""The command line: thin adapters over `run`, `load_world` and the tables."""
