"""Amodal completion by progressive mixed context diffusion, as ComfyUI nodes.

The method is in `amodal/`; `nodes/` has one thin node for each of its stages. Importing this file
loads nothing else. The nodes are loaded when the host calls `comfy_entrypoint`.
"""

WEB_DIRECTORY = "./js"


async def comfy_entrypoint():
    """The pack as an extension of the host.

    The user study's routes are added only if the environment variable AMODAL_STUDY is 1.
    """
    from comfy_api.latest import ComfyExtension

    from .nodes import all_nodes
    from .nodes.study import server

    class AmodalExtension(ComfyExtension):
        async def get_node_list(self):
            server.register()
            return all_nodes()

    return AmodalExtension()
