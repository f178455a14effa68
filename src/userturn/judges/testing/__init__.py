"""Testing a judge before it is trusted: on turns with labels by reading, and on addresses."""
