"""What goes wrong in a simulated world: in words, planned, and done."""
