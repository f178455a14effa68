"""The study: `params.yaml` and `registry.yaml`, typed and checked."""
