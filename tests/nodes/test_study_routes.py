"""The study's routes: none on anybody's server unless AMODAL_STUDY is 1."""

import asyncio
import sys
from types import SimpleNamespace

import pytest
from aiohttp import web

PAGE = "/amodal/study"


@pytest.fixture
def routes(host, monkeypatch):
    """Loads the pack's extension as a starting host does; returns the paths of its routes."""
    import server

    def load(switch: str | None) -> set[str]:
        table, app = web.RouteTableDef(), web.Application()
        monkeypatch.setattr(server.PromptServer, "instance", SimpleNamespace(routes=table, app=app))
        if switch is None:
            monkeypatch.delenv("AMODAL_STUDY", raising=False)
        else:
            monkeypatch.setenv("AMODAL_STUDY", switch)
        node = host.pack["AmodalAddToStudy"]
        pack = sys.modules[node.__module__.removesuffix(".nodes.study.node")]
        extension = asyncio.run(pack.comfy_entrypoint())
        assert asyncio.run(extension.get_node_list())
        return {route.path for route in table}

    return load


@pytest.mark.parametrize("switch", [None, "", "0", "no"])
def test_the_pack_adds_no_route_by_default(routes, switch):
    assert routes(switch) == set()


def test_the_study_adds_routes_below_one_path_only(routes):
    paths = routes("1")
    assert {f"{PAGE}/", PAGE + "/{study}/", PAGE + "/{study}/vote"} <= paths
    assert all(path == PAGE or path.startswith(f"{PAGE}/") for path in paths)
