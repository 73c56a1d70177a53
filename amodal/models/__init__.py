"""Segmenters, order models and inpainters for photographs. Stands on `core` alone."""
