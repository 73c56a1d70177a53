"""Section 3 of the paper, a file for each part, and what helps against its limitations.

3.4  Progressive occlusion-aware completion
     occluder_selection.py  neighbours, pairwise order, M_occ
     occluder_hints.py      marks of a person, which overrule the order (our addition)
     padding.py             padding where the picture's border cuts the object off
     modal_mask.py          the modal mask, asked for again near the object (our addition)
     loop.py                inpaint mask, passes, when to stop
     amodal_mask.py         the amodal mask of the completed object
     cutout.py              the completed object as RGBA, and in its picture
     colour_match.py        colours of the painted part as in the picture around it (our addition)
     upper_bound.py         how far the object may reach (our addition)
     (zoom and paste back: core/zoom.py, core/canvas.py)
3.5  Mixed context diffusion sampling
     swapped_background.py  I_syn, the object on a clean background
     smooth_fill.py         I_bg, the removed background without a model
     sampling.py            step k, noise to step k, composite (equations 4 to 6)
     feature_levels.py      which level's features are clustered
     mask_at_k.py           M^k by feature clusters
     known_background.py    M^k by the difference from the known background (our addition)
     seeded_mask.py         M^k by a classifier of the features (our addition)
     mask_check.py          how well a rule tells what is certain apart, and the choice
     registration.py        an edit model's answer put back in its place, where a model that takes
                            no mask paints instead of 3.5 (our addition)
3.6  Counterfactual completion curation
     curation.py            does the object grow when its surroundings are outpainted?
     thresholds/            thresholds for curation.py, a file for each model they were fitted to
5    Limitations
     shadows.py             shadows and reflections of the occluders (our addition)
"""
