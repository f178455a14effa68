"""LLM judges: what they are asked, what they may reply, and where they run."""
