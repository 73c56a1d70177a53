"""Metrics, statistics, tables and data set items (section 4.1). Stands on `core` alone."""
