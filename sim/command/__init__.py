"""The command line of the simulator: its options, and what it tells."""
