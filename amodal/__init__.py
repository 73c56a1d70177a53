"""Amodal completion via progressive mixed context diffusion (Xu, Zhang, Shi, CVPR 2024).

Pure torch and numpy; imports nothing of the host. Each package imports only `core`:

    core/      types, errors, validation, masks, detections, canvas, drawing
    method/    section 3 of the paper, a file for each part
    models/    segmenters, order models and inpainters for photographs
    measures/  metrics, statistics and tables (section 4.1)
    stickers/  the embedded world of small models and scenes
    study/     the user study (section 4.1)
    app/       command line, client of a running ComfyUI, workflow files
"""
