"""The sticker world: a small world in which the whole method runs, and is judged, anywhere.

`catalog` lists the objects and their companions, `scenes` draws pictures with full ground truth,
`segmenter` and `order_model` are its small nets. The diffusion model is loaded by the host.
"""
