"""The user study of section 4.1: people see completions side by side and vote for the best.

`folder` reads a study from a folder of pictures and puts its trials in order, `votes` keeps what
was voted, `statistics` makes the preference table of it. None of it knows of a server.
"""
