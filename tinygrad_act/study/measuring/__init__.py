"""Where bytes and time go, and whether two backends agree."""
