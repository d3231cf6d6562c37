"""Large values: files beside the messages, and how they come from other processes."""
