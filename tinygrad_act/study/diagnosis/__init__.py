"""Why a gradient is None, zero, not finite, tiny or huge."""
