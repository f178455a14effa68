"""Readers of datasets: one module per kind, registered by name."""
