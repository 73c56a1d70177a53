"""The user study over HTTP, in a host that allows other origins."""

import json
import threading

import pytest
import studies
from studies import ITEMS, make_study

OTHER = "https://elsewhere.example"
TOKEN = "X-Study-Token"


@pytest.fixture(scope="module")
def study(study_host):
    make_study(study_host.base, "over http")
    return Caller(study_host, "over http")


class Caller:
    """Requests to one study as its page sends them."""

    def __init__(self, host, name):
        self.host, self.name = host, name
        self.path = f"/amodal/study/{name.replace(' ', '%20')}"
        self.token = host.token(name.replace(" ", "%20"))

    def raw(self, path, body=None, **headers):
        return self.host.ask(f"{self.path}/{path}", body, **{TOKEN: self.token, **headers})

    def json(self, path, body=None):
        status, _, content = self.raw(path, body)
        return status, json.loads(content)

    def state(self, rater):
        return self.json(f"state?rater={rater}")[1]

    def vote(self, rater, at=0):
        """Votes for the completion at this place; returns (the choice, the new state)."""
        trial = self.state(rater)["trial"]
        choice = trial["choices"][at]
        status, now = self.json("vote", {"rater": rater, "trial": trial["trial"], "choice": choice})
        assert status == 200, now
        return choice, now


def test_a_rater_votes_undoes_and_finishes(study):
    first = study.state("ann")
    assert (first["done"], first["total"], first["last"]) == (0, 6, None)
    _, now = study.vote("ann")
    assert now["done"] == 1 and now["trial"] == first["next"]
    status, now = study.json("undo", {"rater": "ann", "vote": now["last"]})
    assert status == 200 and now == first  # the same pictures in the same order
    for _ in ITEMS:
        _, now = study.vote("Ann")
    assert (now["done"], now["trial"], now["next"]) == (6, None, None)
    assert study.state("ann")["done"] == 6 and study.state("ben")["done"] == 0
    assert len(study.host.votes(study.name)) == 6


def test_a_vote_sent_twice_counts_once(study):
    trial = study.state("twice")["trial"]
    body = {"rater": "twice", "trial": trial["trial"], "choice": trial["choices"][1]}
    assert [study.json("vote", body)[1]["done"] for _ in range(3)] == [1, 1, 1]
    status, said = study.json("vote", {**body, "choice": trial["choices"][0]})
    assert status == 409 and "already" in said["error"]
    assert [v[0] for v in study.host.votes(study.name)].count("twice") == 1


def test_identifiers_of_pictures_do_not_reveal_the_method(study):
    trial = study.state("looker")["trial"]
    page = json.dumps(trial) + study.raw("")[2].decode()
    assert not any(word in page for word in (*studies.METHODS, *ITEMS))
    identifiers = (trial["original"], *trial["choices"])
    pictures = {study.raw(f"picture/{identifier}")[2] for identifier in identifiers}
    files = (study.host.base / "output/studies/over http").glob("*/*.png")
    assert len(pictures) == 4 and pictures <= {file.read_bytes() for file in files}


def test_the_results_match_the_votes(study):
    votes = study.host.votes(study.name)
    status, results = study.json("results")
    assert status == 200 and results["votes"] == len(votes)
    for row in results["preferences"]:
        assert row["votes"] == [chosen for *_, chosen in votes].count(row["method"])
        assert row["low"] <= row["share"] <= row["high"]
    status, headers, table = study.raw("preference.csv")
    assert status == 200 and headers["Content-Type"].startswith("text/csv")
    assert table.decode().splitlines()[0].startswith("measure,name,value,low_95,high_95")
    assert len(study.raw("votes.csv")[2].decode().splitlines()) == len(votes) + 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": OTHER},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": OTHER, "Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "cors"},
        {TOKEN: ""},
        {TOKEN: "0123.4567"},
    ],
    ids=str,
)
def test_another_origin_can_neither_vote_nor_read(study, headers):
    """Another origin is refused even with a token, and a request without a token always."""
    trial, before = study.state("victim")["trial"], study.host.votes(study.name)
    body = {"rater": "victim", "trial": trial["trial"], "choice": trial["choices"][0]}
    asked = [("vote", body), ("undo", {"rater": "ann", "vote": 7})]
    asked += [(name, None) for name in ("state?rater=ann", "results", "votes.csv")]
    asked += [("preference.csv", None)]
    if TOKEN not in headers:
        asked += [("", None), (f"picture/{trial['original']}", None)]
    for path, sent in asked:
        status, _, content = study.raw(path, sent, **headers)
        assert status == 403 and b"study's own page" in content, path
    assert study.host.votes(study.name) == before


def test_no_preflight_allows_the_token_header(study):
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", study.host.port)
    connection.request(
        "OPTIONS",
        f"{study.path}/vote",
        headers={
            "Origin": OTHER,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type,x-study-token",
        },
    )
    allowed = connection.getresponse().headers.get("Access-Control-Allow-Headers", "")
    assert TOKEN.lower() not in allowed.lower() and "*" not in allowed


def test_a_form_of_another_page_cannot_vote(study):
    status, *_ = study.raw("vote", {"rater": "x"}, Content_Type="text/plain")
    assert status == 400


def test_the_token_of_one_study_opens_no_other(study):
    make_study(study.host.base, "second", items=("cup", "owl"))
    second = Caller(study.host, "second")
    assert second.raw("results")[0] == 200
    assert second.raw("results", **{TOKEN: study.token})[0] == 403


def test_the_results_count_the_pictures_left_out(study):
    folder = make_study(study.host.base, "with gaps", items=("cup", "owl", "zebra"))
    (folder / "removal" / "owl.png").unlink()
    results = Caller(study.host, "with gaps").json("results")[1]
    assert (results["total"], results["left_out"], results["votes"]) == (2, 1, 0)


def test_a_link_opens_the_page_and_a_frame_does_not(study):
    linked = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    status, headers, _ = study.raw("", **linked, Sec_Fetch_Dest="document")
    assert status == 200 and headers["X-Frame-Options"] == "DENY"
    assert study.raw("", **linked, Sec_Fetch_Dest="iframe")[0] == 403


@pytest.mark.parametrize(
    "path",
    [
        "/amodal/study/..%2f..%2fuser/",
        "/amodal/study/%2e%2e/",
        "/amodal/study/%2e%2e/state",
        "/amodal/study/over%20http%2foriginal/",
        "/amodal/study/%2fetc/",
        "/amodal/study/a%00b/",
        "/amodal/study/over%20http/picture/..%2foriginal%2fcup.png",
        "/amodal/study/over%20http/picture/%2fetc%2fpasswd",
        "/amodal/study/over%20http/picture/cup.png",
        "/amodal/study/no such/".replace(" ", "%20"),
        "/userdata/..%2f__amodal_studies%2fover%20http.sqlite",
        "/view?type=output&subfolder=../user/__amodal_studies&filename=over%20http.sqlite",
    ],
)
def test_a_path_cannot_lead_outside_the_study(study, path):
    status, _, content = study.host.ask(path, **{TOKEN: study.token})
    assert status in (400, 403, 404)
    assert b"SQLite" not in content and b"root:" not in content and b"PNG" not in content


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"rater": ""},
        {"rater": ["x"]},
        {"rater": "x", "trial": {}},
        {"rater": "x", "trial": "../cup", "choice": "mixed context"},
    ],
    ids=str,
)
def test_an_invalid_vote_is_refused_with_a_message(study, body):
    status, said = study.json("vote", body)
    assert status == 409 and said["error"]


def test_a_choice_that_was_not_shown_is_refused(study):
    trial = study.state("odd")["trial"]
    for choice in (trial["original"], ["x"], None):
        body = {"rater": "odd", "trial": trial["trial"], "choice": choice}
        status, said = study.json("vote", body)
        assert status == 409 and "not one of the pictures" in said["error"]


def test_the_studies_are_listed_and_an_unusable_one_says_why(study):
    assert b'<a href="over%20http/">over http</a>' in study.host.ask("/amodal/study/")[2]
    status, headers, _ = study.host.ask("/amodal/study")
    assert (status, headers["Location"]) == (302, "study/")
    assert study.host.ask(study.path)[1]["Location"] == "over%20http/"
    make_study(study.host.base, "of one", items=("cup",), methods=("alone",))
    status, _, said = study.host.ask("/amodal/study/of%20one/")
    assert status == 409 and b"has 1 methods to compare" in said


def test_a_broken_file_of_votes_is_reported_and_not_changed(study):
    make_study(study.host.base, "broken", items=("cup",))
    broken = Caller(study.host, "broken")
    broken.vote("ann")
    file = study.host.votes_file("broken")
    for part in file.parent.glob("broken.sqlite*"):
        part.write_bytes(b"no database" * 1000)
    status, said = broken.json("state?rater=ann")
    assert status == 503 and "file of the votes" in said["error"]
    assert study.host.ask(f"{broken.path}/")[0] == 503
    assert file.read_bytes().startswith(b"no database")


def test_the_editor_does_not_load_the_pages_scripts(study):
    loaded = json.loads(study.host.ask("/extensions")[2])
    scripts = [path for path in loaded if "amodal" in path]
    assert scripts and not [path for path in scripts if "study" in path]


def test_a_kill_during_a_vote_loses_nothing_and_counts_nothing_twice(study):
    """Another writer locks the file, so the host dies between the request and its answer."""
    import sqlite3

    study.vote("killed")
    before = study.host.votes(study.name)
    trial = study.state("killed")["trial"]
    body = {"rater": "killed", "trial": trial["trial"], "choice": trial["choices"][0]}
    failed = []

    def send():
        try:
            study.raw("vote", body)
        except OSError as error:
            failed.append(error)

    writer = sqlite3.connect(study.host.votes_file(study.name), isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    sending = threading.Thread(target=send)
    sending.start()
    sending.join(1.0)
    assert sending.is_alive()  # the vote is waiting
    study.host.kill()
    sending.join()
    writer.execute("ROLLBACK")
    writer.close()
    assert failed and study.host.votes(study.name) == before
    study.host.start()
    for _ in range(2):  # the token is still valid
        assert study.json("vote", body)[1]["done"] == 2
    assert len(study.host.votes(study.name)) == len(before) + 1
