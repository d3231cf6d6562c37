"""What all command lines share: streams, signals, options, tables, progress, words."""
