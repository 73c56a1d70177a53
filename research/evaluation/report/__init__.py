"""Shows the evaluation's records: tables, sheets, plots, aims, claims, and the commands."""
