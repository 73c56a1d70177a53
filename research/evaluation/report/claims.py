"""The paper's claims about its tables 1 to 3 and figures 8 and 9, compared with our records."""

from __future__ import annotations

from dataclasses import dataclass

from scipy import stats

from amodal.measures import statistics

from .. import instructed, removers, rules
from ..judge import SPURIOUS
from ..methods import GROUNDS, METHODS
from ..runner import RULES, step_of
from .tables import CO_OCCURRING, SHIPPED_K, gained, headed, pool, row, shared

TABLES = ("removal", "naive", "without", "mixed")  # methods of Tables 1 and 2
RIVALS = ("sssd",)  # of Table 1; on stickers alone, for which there is a small net
EASY, HARD = ("companion-easy", "other-easy"), ("companion-hard", "other-hard")  # of Table 1
OTHER = ("other-easy", "other-hard")  # of Table 2, beside CO_OCCURRING
SURE = 0.05  # a gain with a smaller p is significant
NEAR = (15, 20, 25)  # the region of k = 20

# Table 1 (COCO): CLIP, DreamSim, LPIPS of easy and of hard cases
PAPER_1 = {
    "SSSD": ((0.280, 0.186, 0.096), (0.267, 0.315, 0.166)),
    "LaMa": ((0.288, 0.098, 0.054), (0.279, 0.236, 0.130)),
    "Inst-Inpaint": ((0.264, 0.325, 0.185), (0.252, 0.451, 0.263)),
    "theirs": ((0.290, 0.096, 0.054), (0.290, 0.184, 0.110)),
}
# Table 2: successes where the occluder is not, and is, the top co-occurring category
PAPER_2 = {"naive": (0.66, 0.40), "without": (0.90, 0.72), "mixed": (0.88, 0.90)}


@dataclass(frozen=True)
class Claim:
    """A claim of the paper and our figure for it.

    paper, ours: in words. gain: our figure, positive if the claim holds. p: the probability of such
    a gain by chance. Both are None if it was not measured.
    """

    where: str
    paper: str
    ours: str
    gain: float | None
    p: float | None

    @property
    def verdict(self) -> str:
        if self.gain is None:
            return "not measured"
        if self.p is not None and self.p >= SURE:
            side = "same direction" if self.gain > 0 else "no difference"
            return f"{side if self.gain >= 0 else 'other direction'}, may be chance"
        return "agrees" if self.gain > 0 else "does not agree"


def more_success(
    where: str, paper: str, first: list[dict], second: list[dict], sign: int = 1
) -> Claim:
    """The claim that the second succeeds more often than the first, on the same scenes.

    sign: -1 if the paper has it succeed less often.
    """
    measured = gained(first, second)
    if not measured:
        return Claim(where, paper, "", None, None)
    (gain, low, high), p = measured["gain"], measured["p"]
    words = f"{100 * gain:+.0f} points ({100 * low:+.0f} to {100 * high:+.0f}), p {p:.2g}"
    return Claim(where, paper, f"{words}, {measured['n']} scenes", sign * gain, p)


def lower(where: str, paper: str, name: str, first: list[dict], second: list[dict]) -> Claim:
    """The claim that the second has a lower mean of this figure, on the same scenes."""
    first, second = shared(first, second)
    if not first:
        return Claim(where, paper, "", None, None)
    difference, p = statistics.paired([r[name] for r in first], [r[name] for r in second])
    words = f"{difference:+.3f} ST-LPIPS, p {p:.2g}, {len(first)} scenes"
    return Claim(where, paper, words, -difference, p)


def of_records(records: list[dict]) -> list[Claim]:
    """The claims of Table 1, Table 2, Figure 8 and Figure 9."""
    claims = of_tables(records)
    claims.append(
        more_success(
            "Figure 8, background",
            "gray over the original background: +20 points",
            grounded(records, "original"),
            grounded(records, "gray"),
        )
    )
    for k, words in ((1, "20 beats swapping at once"), (49, "20 beats swapping at the end")):
        claims.append(
            more_success(
                "Figure 8, step k", words, at_step(records, k), at_step(records, SHIPPED_K)
            )
        )
    return [*claims, *layers(records)]


def of_tables(records: list[dict]) -> list[Claim]:
    """The claims of Table 1 and Table 2."""
    fill = removers.title(records)
    better = "better than LaMa" + ("" if fill == "LaMa" else f"; here, {fill}")
    claims = [
        lower(
            f"Table 1, {name}",
            f"{better}: DreamSim {ours:.3f} against {lama:.3f}",
            "perceptual",
            pool(records, cells, "removal"),
            pool(records, cells, "mixed"),
        )
        for name, cells, ours, lama in (
            ("20-50 % hidden", EASY, 0.096, 0.098),
            ("50-80 % hidden", HARD, 0.184, 0.236),
        )
    ]
    titles = {OTHER: "occluder not top co-occurring", CO_OCCURRING: "occluder top co-occurring"}
    for column, cells in enumerate((OTHER, CO_OCCURRING)):
        for first, second, words in (
            ("naive", "without", "inpainting only the occluder beats naive outpainting"),
            ("without", "mixed", "mixed context over none"),
        ):
            gain = 100 * (PAPER_2[second][column] - PAPER_2[first][column])
            claims.append(
                more_success(
                    f"Table 2, {titles[cells]}",
                    f"{words}: {gain:+.0f} points",
                    pool(records, cells, first),
                    pool(records, cells, second),
                    1 if gain > 0 else -1,
                )
            )
    return claims


def grounded(records: list[dict], ground: str) -> list[dict]:
    return pool(records, (*EASY, *HARD), f"ground-{ground}")


def at_step(records: list[dict], k: float) -> list[dict]:
    """Mixed context with the swap at step k of 50, on scenes whose co-occurring
    occluder hides 50-80 %."""
    steps = next((r["steps"] for r in records), 50)
    chosen = None if k == SHIPPED_K else step_of(k, steps)
    return pool(records, ("companion-hard",), "mixed", chosen)


def compared(records: list[dict]) -> list[dict]:
    """The records with M^k by every rule; in the others nothing was painted."""
    return [r for r in records if r["method"] == RULES and set(r["rules"]) >= set(rules.RULES)]


def layers(records: list[dict]) -> list[Claim]:
    """Figure 9: the third decoder level's clusters against each other level's."""
    rows = compared(records)
    claims = []
    for level in (1, 2, 4):
        where, paper = "Figure 9, decoder level", f"level 3 gives a better M^k than level {level}"
        if not rows:
            claims.append(Claim(where, paper, "", None, None))
            continue
        by_level, three = ([r["rules"][f"level {n}"] for r in rows] for n in (level, 3))
        gain, p = statistics.paired(by_level, three)
        words = f"{gain:+.3f} IoU of M^k, p {p:.2g}, {len(rows)} scenes"
        claims.append(Claim(where, paper, words, gain, p))
    return claims


def of_curation(table: dict | None) -> list[Claim]:
    """Table 3, from curate.results: {counterfactuals: figures}."""
    where = "Table 3"
    if not table:
        return [Claim(where, "the rule decides better than chance", "", None, None)]
    figures = table[max(table, key=int)]
    rated, count = figures["test"], figures["objects"]
    words = ", ".join(f"{name} {rated[name]:.2f}" for name in ("accuracy", "precision", "recall"))
    best, paper = rated["accuracy"], "the rule decides better than chance: accuracy 0.70"
    p = float(stats.binomtest(round(best * count), count, 0.5).pvalue)
    return [Claim(where, paper, f"{words}, p {p:.2g}, {count} objects", best - 0.5, p)]


def outside(records: list[dict]) -> list[str]:
    """The names of other programs whose results were scored, in order."""
    return list(dict.fromkeys(r["method"] for r in records if r.get("outside")))


def title(method: str, records: list[dict]) -> str:
    """A method's title in the tables. Removal is called by the name of what fills."""
    if method in outside(records):
        return f"{method} (outside results)"
    if method == "removal":
        return removers.title(records)
    return {**METHODS, **instructed.TITLES}[method]


def compared_methods(records: list[dict]) -> dict[str, str]:
    """{method: title} of Table 1's methods, of removal by instruction, and of other programs'."""
    ran = {record["method"] for record in records}
    rivals = [method for method in RIVALS if method in ran]
    names = (*rivals, *TABLES, *instructed.TITLES, *outside(records))
    return {method: title(method, records) for method in names}


def second_table(records: list[dict]) -> dict[str, tuple[str, str]]:
    """Table 2's methods and other programs' results, with the paper's figures."""
    ours = {method: tuple(f"{share:.0%}" for share in both) for method, both in PAPER_2.items()}
    return ours | dict.fromkeys(outside(records), ("-", "-"))


def success(rows: list[dict]):
    return statistics.share([r["success"] for r in rows]) if rows else None


def spurious(rows: list[dict]):
    return statistics.share([r["spurious"] >= SPURIOUS for r in rows]) if rows else None


def grounds(records: list[dict]) -> dict[str, tuple | None]:
    return {ground: success(grounded(records, ground)) for ground in GROUNDS}


def agreement(claims: list[Claim]) -> str:
    lines = ["## Where ours agrees", "", *headed("", "the paper", "ours", "")]
    lines += [row([c.where, c.paper, c.ours or "-", f"**{c.verdict}**"]) for c in claims]
    return "\n".join(lines)
