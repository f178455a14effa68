"""What a study is going to cost, before anything is downloaded.

`make` works a plan out: `known` says what is known already, each module of `jobs/` what is asked of
which model, `cost` how long that takes, `warnings` what would not work. What is neither in the
study nor on this machine stands in `assumptions`.
"""
