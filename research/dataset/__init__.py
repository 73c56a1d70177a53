"""Pseudo-occluded objects with their ground truth (section 4.1, figure 7).

    python -m research.dataset stickers --easy 20 --hard 20 --out output/dataset
    python -m research.dataset coco --annotations instances_val2017.json --pictures val2017 --out DIR
    python -m research.dataset openimages --segmentations CSV --masks DIR --pictures DIR --classes CSV

A whole object is pasted over another whole object, so that what it hides is known. `wholes` and
`open_images` are what objects come from, `occlusion` how one is laid over another, `builder` writes
the set. `amodal_truth` reads the masks that people drew for COCO-A, BSDS-A and KINS.
"""
