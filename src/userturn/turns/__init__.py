"""What is asked of a model: answers and user turns."""
