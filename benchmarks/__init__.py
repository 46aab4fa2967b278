"""The budgets of the program, measured on the machine at hand.

    python -m benchmarks          about two minutes, 100,000 readers where a budget says a million, scaled
    python -m benchmarks --full   the real sizes

CPU time, or a ratio to a floor measured in the same run: wall time on a busy machine says little.
`docs/performance.md` says what each name means.
"""
