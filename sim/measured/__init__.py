"""What was measured elsewhere, for the simulator: who came when, how long links are."""
