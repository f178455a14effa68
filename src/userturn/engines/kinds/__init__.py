"""One module per way to run a model, each defining ENGINE; a new engine is a new file here."""
