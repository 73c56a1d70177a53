"""Types, errors, validation, masks, detections, canvas, drawing.

Imports nothing of the other packages.
"""
