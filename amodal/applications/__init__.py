"""What completed objects are good for, as pure functions.

framing.py         an object in the middle of a square, for the models below
correspondence.py  which point of one object is which of another (section 5, figure 10)
match_pictures.py  pictures of that
scene_layers.py    a picture as whole objects before a clean background
open_raster.py     layers as a file for image editors
view.py            from which height a photograph shows an object
"""
