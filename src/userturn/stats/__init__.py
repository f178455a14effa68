"""Intervals, contrasts, corrections, agreement and rankings: pure functions of numbers."""
