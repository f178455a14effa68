"""Artifacts: their schemas, the reader and the writer, provenance, labels, the turns of a model."""
