"""Pseudo-occluded objects with their ground truth (section 4.1, figure 7).

    python -m research.dataset stickers --easy 20 --hard 20 --out output/dataset
    python -m research.dataset coco --annotations instances_val2017.json --pictures val2017
    python -m research.dataset openimages --help

A whole object is pasted over another whole object, so the occluded part is known. `wholes` and
`open_images` give objects, `occlusion` lays one over another, `builder` writes the set.
`amodal_truth` reads the masks that people drew for COCO-A, BSDS-A and KINS.
"""
