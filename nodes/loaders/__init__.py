"""Loader nodes: model files for photographs, and the embedded sticker models."""
