"""What carries messages from node to node: links that hold and links that fail."""
