"""Seeded generators of the text that the embedded model learns from; every slot is filled from an open vocabulary."""
