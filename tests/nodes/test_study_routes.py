"""The study's routes: none on anybody's server unless AMODAL_STUDY is 1."""

import asyncio
import re
import sys
import threading
from collections import Counter
from types import SimpleNamespace

import pytest
from aiohttp import web

PAGE = "/amodal/study"


@pytest.fixture
def routes(host, monkeypatch):
    """Loads the pack's extension as a starting host does; returns the app with its routes."""
    import server

    def load(switch: str | None) -> web.Application:
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
        app.add_routes(table)
        return app

    return load


def paths(app: web.Application) -> set[str]:
    return {resource.canonical for resource in app.router.resources()}


@pytest.mark.parametrize("switch", [None, "", "0", "no"])
def test_the_pack_adds_no_route_by_default(routes, switch):
    app = routes(switch)
    assert paths(app) == set() and not app.on_response_prepare


def test_the_study_adds_routes_below_one_path_only(routes):
    added = paths(routes("1"))
    assert {f"{PAGE}/", PAGE + "/{study}/", PAGE + "/{study}/vote"} <= added
    assert all(path == PAGE or path.startswith(f"{PAGE}/") for path in added)


COUNT = 1000


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A study of many pictures by two methods; its pages never look into the pictures."""
    import folder_paths

    monkeypatch.setattr(folder_paths, "get_output_directory", lambda: str(tmp_path / "output"))
    monkeypatch.setattr(folder_paths, "get_user_directory", lambda: str(tmp_path / "user"))
    for method in ("a", "b"):
        folder = tmp_path / "output" / "studies" / "large" / method
        folder.mkdir(parents=True)
        for number in range(COUNT):
            (folder / f"{number}.png").touch()


def test_a_large_study_is_signed_off_the_event_loop(routes, large, monkeypatch):
    """All digests of pictures and trials are made in other threads than that of the loop."""
    from aiohttp.test_utils import TestClient, TestServer

    app = routes("1")
    server = sys.modules[next(iter(app.router.routes())).handler.__module__]
    answers = sys.modules[f"{server.__package__}.answers"]
    threads: dict[str, Counter] = {"pictures": Counter(), "trials": Counter()}

    def counted(what, work):
        def wrapped(*words):
            threads[what][threading.get_ident()] += 1
            return work(*words)

        return wrapped

    for module in (server, answers):
        monkeypatch.setattr(module, "identifier", counted("pictures", module.identifier))
    trial = server.folder.Trial
    monkeypatch.setattr(trial, "key", property(counted("trials", trial.key.fget)))

    async def visit():
        async with TestClient(TestServer(app)) as client:
            page = await (await client.get(f"{PAGE}/large/")).text()
            headers = {"X-Study-Token": re.search('study-token" content="([^"]+)"', page)[1]}
            state = await (await client.get(f"{PAGE}/large/state?rater=a", headers=headers)).json()
            trial = state["trial"]
            for picture in trial["choices"]:
                assert (await client.get(f"{PAGE}/large/picture/{picture}")).status == 200
            vote = {"rater": "a", "trial": trial["trial"], "choice": trial["choices"][0]}
            reply = await client.post(f"{PAGE}/large/vote", json=vote, headers=headers)
            assert (await reply.json())["done"] == 1
            return threading.get_ident()

    loop = asyncio.run(visit())
    assert threads["pictures"].total() > 10 and threads["trials"].total() >= COUNT
    assert not any(loop in seen for seen in threads.values())
