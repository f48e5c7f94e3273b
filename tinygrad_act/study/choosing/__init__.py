"""Which backward rule runs, and which derivative is taken at a kink."""
