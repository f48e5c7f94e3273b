"""The chain rule in words and numbers: rules as text, worked out along a graph, and taken apart by path."""
