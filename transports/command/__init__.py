"""The command line: its options, and one process of a deployment from first to last word."""
