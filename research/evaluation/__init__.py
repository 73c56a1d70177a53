"""The paper's claims (section 4), measured in the sticker world through the real host.

The modules here make figures: scenes, methods, measures, judge, runner. `report` shows them:
tables, sheets, plots, aims, claims and the commands. A change here invalidates finished records; a
change in `report` does not.
"""
