"""The measured figures of the TCP transport: `python -m tests.benchmarks.tcp --help`.

A figure and its peers are measured in turn, A B A B, and the median of the runs counts. A figure
counts only if the result of each run was right. What is measured is the work: processes and their
interpreters are started and warmed before the clock is, ours as well as the peers'.
"""
