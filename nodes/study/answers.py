"""Replies to the study's page: functions of a study, its votes and the query.

`query` is the body of a POST or the query of a GET. Each function returns a dict, or CSV text.
Each raises ValueError (StudyError included) for a request that cannot be met.
"""

from __future__ import annotations

from dataclasses import asdict

from ...amodal.study import statistics
from ...amodal.study.folder import ORIGINAL, Study, Trial
from ...amodal.study.votes import Votes, rater_name
from .guard import identifier


def state(study: Study, votes: Votes, query: dict) -> dict:
    """The rater's progress, the trial to judge now, and the next trial so the page can preload.

    Raises StudyError for an unusable rater name.
    """
    rater = rater_name(query.get("rater"))
    trials = study.trials_for(rater)
    voted = votes.of(rater)
    left = [trial for trial in trials if trial.key not in voted]
    ahead = [shown(study, votes.secret, rater, trial) for trial in left[:2]]
    return {
        "done": len(trials) - len(left),
        "total": len(trials),
        "last": votes.last(rater),
        "trial": ahead[0] if left else None,
        "next": ahead[1] if len(left) > 1 else None,
    }


def shown(study: Study, secret: str, rater: str, trial: Trial) -> dict:
    """A trial as the page receives it: picture identifiers only, in this rater's order."""

    def picture_id(method: str) -> str:
        return identifier(secret, method, trial.item)

    return {
        "trial": trial.key,
        "original": picture_id(ORIGINAL) if ORIGINAL in study.files else None,
        "choices": [picture_id(method) for method in study.methods_for(rater, trial)],
    }


def vote(study: Study, votes: Votes, query: dict) -> dict:
    """Stores a vote {rater, trial, choice} and returns the new state.

    Raises ValueError if the trial is no longer in the study or the choice was not shown, and
    StudyError if the rater voted differently before.
    """
    rater = rater_name(query.get("rater"))
    trial = next((trial for trial in study.trials() if trial.key == query.get("trial")), None)
    if trial is None:
        raise ValueError("The study has changed: these pictures are no longer in it.")
    methods = study.methods_for(rater, trial)
    by_identifier = {identifier(votes.secret, method, trial.item): method for method in methods}
    choice = query.get("choice")
    chosen = by_identifier.get(choice) if isinstance(choice, str) else None
    if chosen is None:
        raise ValueError("The choice is not one of the pictures that were shown.")
    votes.cast(rater, trial, methods, chosen)
    return state(study, votes, query)


def undo(study: Study, votes: Votes, query: dict) -> dict:
    """Takes back the rater's last vote {rater, vote} and returns the new state.

    Raises StudyError for an unusable rater name.
    """
    votes.undo(rater_name(query.get("rater")), query.get("vote"))
    return state(study, votes, query)


def results(study: Study, votes: Votes, query: dict) -> dict:
    """Each method's share, the raters' agreement, and the numbers of votes and pictures."""
    cast = votes.all()
    return {
        "preferences": [asdict(row) for row in statistics.preferences(cast)],
        "agreement": asdict(statistics.agreement(cast)),
        "votes": len(cast),
        "pictures": len({vote.item for vote in cast}),
        "total": len(study.items),
        "left_out": study.left_out,
        "show": study.show,
    }


def preference_csv(study: Study, votes: Votes, query: dict) -> str:
    """The preference table and the agreement as CSV."""
    return statistics.table_csv(votes.all())


def votes_csv(study: Study, votes: Votes, query: dict) -> str:
    """All votes as CSV."""
    return statistics.votes_csv(votes.all())
