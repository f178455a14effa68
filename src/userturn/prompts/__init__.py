"""Prompts: a reader per kind of dataset, and the seeded order in which a study takes them."""
