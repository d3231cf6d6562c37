"""A search for failures: thousands of drawn worlds with drawn faults, each checked all the way."""
