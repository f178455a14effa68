"""Measure what chat models know about the other side of a conversation.

A chat model answers; then it generates the *user's* next turn from the raw user role of its chat
template. The package probes, perturbs, scores and labels those turns (arXiv 2604.02315).
"""

__version__ = "0.1.0"
