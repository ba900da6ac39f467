"""Scenarios as data, and the one translator from scenario and world to a shock."""
