"""What each layer does while a network trains."""
