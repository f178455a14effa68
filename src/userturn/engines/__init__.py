"""Engines: one module per way to run a model; `create` picks the study's."""
