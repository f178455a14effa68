"""Reference turns of known label: made, fitted on, evaluated."""
