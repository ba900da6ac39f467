"""Errors and labels: what everything else stands on."""
