"""The graph as a picture: what is drawn (scene), what of it is folded, and how it is written (DOT, SVG, PNG, PDF)."""
