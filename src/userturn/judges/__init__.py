"""Judges: each gives every user turn one label, or says why it cannot."""
