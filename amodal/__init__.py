"""Amodal completion via progressive mixed context diffusion (Xu, Zhang, Shi, CVPR 2024).

Pure torch and numpy; imports nothing of the host. A file for each section of the paper:
`order`, `padding`, `crop`, `passes`, `result` (3.4); `background`, `removal`, `sampling`,
`clusters` (3.5). `stickers/` is the embedded world of small models, `cli` the command line.
"""
