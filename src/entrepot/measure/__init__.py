"""Measures: numbers read off a world table, each with its source."""
