"""Amodal completion by progressive mixed context diffusion, as ComfyUI nodes.

The method is in `amodal/`, a thin node for each of its stages in `nodes/`. Importing this file
costs nothing: everything is loaded when the host calls `comfy_entrypoint`.
"""

WEB_DIRECTORY = "./js"


async def comfy_entrypoint():
    from comfy_api.latest import ComfyExtension

    from .nodes import all_nodes
    from .nodes.study import server

    class AmodalExtension(ComfyExtension):
        async def get_node_list(self):
            server.register()
            return all_nodes()

    return AmodalExtension()
