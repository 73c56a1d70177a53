"""Seeded fuzzing of everything that enters the pack; see `__main__`."""
