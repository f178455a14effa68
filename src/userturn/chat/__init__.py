"""A conversation as the exact token ids that a model is given, and what ends a turn."""
