"""Leaf helpers without models; nothing here imports another part of the project."""
