"""Models and other bytes: where they come from, which they are, how they are loaded."""
