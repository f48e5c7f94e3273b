"""Rules run on symbols: what they do, written down, as CUDA kernels and as text for a reader."""
