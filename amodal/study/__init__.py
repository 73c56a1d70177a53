"""The user study of section 4.1: people see completions side by side and vote for the best.

`folder` reads a study from a folder of pictures and orders its trials. `votes` stores the votes.
`statistics` computes the preference table and the agreement. None of them needs a server.
"""
