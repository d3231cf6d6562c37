"""What a job is: how it is found, what its functions are given, how they fail."""
