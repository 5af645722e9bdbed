"""Runs the benchmarks, prints the results, and writes them to ``docs/benchmarks.md`` and ``bench/results/latest.json``.

``python -m bench pure`` runs only the part that needs no cluster, ``python -m bench replacing many`` these two parts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from bench import agent, authentication, many, previews, pure, replacing, warm
from bench.bench_cluster import site
from bench.harness import Row
from tests.e2e.leftovers import begin_run, clear

__all__ = ["main"]

ROOT = Path(__file__).resolve().parents[1]
# The last one leaves 300 units, which are removed with their cluster.
_ON_CLUSTER = {
    "replacing": replacing.rows,
    "warm": warm.rows,
    "many": many.rows,
    "agent": agent.rows,
    "previews": previews.rows,
}
_PARTS = ["pure", *_ON_CLUSTER, "access"]
_MARK = "<!-- written by `make bench` -->"


def main(parts: list[str]) -> None:
    """Run *parts*, or all; the results of other parts stay."""
    wanted = parts or _PARTS
    begin_run()
    try:
        _write(_measured(wanted))
    finally:
        clear()


def _measured(wanted: list[str]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    if "pure" in wanted:
        found["pure"] = _printed(pure.rows())
    if set(wanted) & set(_ON_CLUSTER):
        with site() as there:
            for part, rows in _ON_CLUSTER.items():
                if part in wanted:
                    found[part] = _printed(rows(there))
    if "access" in wanted:
        found["access"] = _printed(authentication.rows())
    return found


def _printed(rows: Iterable[Row]) -> list[Row]:
    kept = []
    for row in rows:
        print(_line(row), flush=True)
        kept.append(row)
    return kept


def _write(found: dict[str, list[Row]]) -> None:
    file = ROOT / "bench" / "results" / "latest.json"
    file.parent.mkdir(exist_ok=True)
    known = json.loads(file.read_text()) if file.exists() else {}
    day = datetime.now(UTC).date().isoformat()
    known |= {part: {"day": day, "rows": [asdict(row) for row in rows]} for part, rows in found.items()}
    file.write_text(json.dumps(known, indent=1) + "\n")
    head = "| Measured | Ours | Against | Theirs | Ratio | Goal | Rounds |\n|---|---|---|---|---|---|---|"
    lines = [_line(Row(**row)) for part in _PARTS for row in known.get(part, {}).get("rows", ())]
    page = ROOT / "docs" / "benchmarks.md"
    before, _, rest = page.read_text().partition(_MARK)
    _, _, after = rest.partition(_MARK)
    days = " and ".join(sorted({part["day"] for part in known.values()}))
    page.write_text(f"{before}{_MARK}\n\n{head}\n" + "\n".join(lines) + f"\n\nMeasured on {days}.\n\n{_MARK}{after}")


def _line(row: Row) -> str:
    ours = f"{_short(row.ours)} {row.unit} ({_short(row.spread[0])} to {_short(row.spread[1])})"
    goal = f"at most {row.goal:g}" if row.goal else ""
    return (
        f"| {row.what} | {ours} | {row.against} | {_short(row.theirs)} {row.unit} | **{row.ratio:.2f}** | {goal} "
        f"| {row.rounds} |"
    )


def _short(number: float) -> str:
    return f"{number:.3g}" if number < 100 else f"{number:.0f}"  # noqa: PLR2004  three digits


if __name__ == "__main__":
    main(sys.argv[1:])
