"""The backward pass to be driven by hand."""
