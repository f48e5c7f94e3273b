"""Exchange with the outside: safetensors files."""
