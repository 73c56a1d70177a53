"""The sticker world: a small synthetic world in which the whole method runs on any machine.

`catalog` lists the objects and their co-occurring occluders. `scenes` draws pictures with full
ground truth. `segmenter`, `order_model` and `autoencoder` are small networks. ComfyUI loads the
diffusion model.
"""
