"""DVC's decision told to Snakemake; how far a study is, and whether it is whole."""
