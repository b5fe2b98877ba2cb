"""Hardware profiles and the cycle model."""
