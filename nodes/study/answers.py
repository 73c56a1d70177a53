"""What the user study's page is answered: each a function of a study, its votes, and the request.

`asked` is the body of a POST, the query of a GET. The answer is a dict, or CSV text. Raises
ValueError (StudyError too) for a request that cannot be met.
"""

from dataclasses import asdict

from ...amodal.study import statistics
from ...amodal.study.folder import ORIGINAL
from ...amodal.study.votes import rater_name
from .guard import identifier


def state(study, votes, asked: dict) -> dict:
    """Where the rater stands: the trial to judge now and the pictures of the one after it."""
    rater = rater_name(asked.get("rater"))
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


def shown(study, secret: str, rater: str, trial) -> dict:
    """A trial as the page gets it: identifiers alone, in the rater's order."""

    def known(method):
        return identifier(secret, method, trial.item)

    return {
        "trial": trial.key,
        "original": known(ORIGINAL) if ORIGINAL in study.files else None,
        "choices": [known(method) for method in study.methods_for(rater, trial)],
    }


def vote(study, votes, asked: dict) -> dict:
    """Keeps a vote {rater, trial, choice}; the state after it."""
    rater = rater_name(asked.get("rater"))
    trial = next((one for one in study.trials() if one.key == asked.get("trial")), None)
    if trial is None:
        raise ValueError("The study has changed: these pictures are no longer in it.")
    methods = study.methods_for(rater, trial)
    known = {identifier(votes.secret, method, trial.item): method for method in methods}
    chosen = known.get(str(asked.get("choice")))
    if chosen is None:
        raise ValueError("That is none of the pictures that were shown.")
    votes.cast(rater, trial, methods, chosen)
    return state(study, votes, asked)


def undo(study, votes, asked: dict) -> dict:
    """Takes back the rater's last vote {rater, vote}; the state after it."""
    votes.undo(rater_name(asked.get("rater")), asked.get("vote"))
    return state(study, votes, asked)


def results(study, votes, asked: dict) -> dict:
    """Shares, agreement, and how much was voted on."""
    cast = votes.all()
    return {
        "preferences": [asdict(row) for row in statistics.preferences(cast)],
        "agreement": asdict(statistics.agreement(cast)),
        "votes": len(cast),
        "pictures": len({one.item for one in cast}),
        "total": len(study.items),
        "left_out": study.left_out,
        "show": study.show,
    }


def preference_csv(study, votes, asked: dict) -> str:
    return statistics.table_csv(votes.all())


def votes_csv(study, votes, asked: dict) -> str:
    return statistics.votes_csv(votes.all())
