"""Digests: closing buckets, what customers wish, what staff may do, and what pages tell."""
