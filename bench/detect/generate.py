"""Writes the labelled corpus for the detection benchmark.

    python3 bench/detect/generate.py OUTDIR [--seed N]

OUTDIR/columns.jsonl holds labelled columns, OUTDIR/values.jsonl single values that are
good or only look so. The same seed gives the same files. Each column has a random
generator of its own, so that a new kind does not change the others.
"""
import argparse
import collections
import json
import pathlib
import random
import re

import values
from kinds import ALL, jsonb
from naming import CONCEPTS, choose, place
from negatives import KINDS as NEGATIVES
from people import Locale
from positives import KINDS as POSITIVES, grow, leaves

NAMINGS = ("clear", "foreign", "cryptic")
# Locales for which only numbers and names of columns differ: their people are those of another one
BORROWED = {"en_CA": "en_US", "en_AU": "en_GB", "en_SG": "en_IN", "zh_CN": "en_US", "ko_KR": "en_US"}
JUNK = ["n/a", "", "-", "unknown", "test", "xxx", "TBD", "?", "N/A", "none", "0", "see notes"]
LENGTHS = (8, 10, 12, 16, 20, 24, 32, 40, 50, 64, 80, 100, 120, 160, 200, 255, 512, 1000, 2000)
TEXT = re.compile("text$|varchar|character varying")


def locales_of(kind, number):
    """A kind's locales, at most nine, five or three of them, taken by turns."""
    names = ALL if kind.locales in ("*", "") else kind.locales.split()
    most = {"*": 9, "": 5}.get(kind.locales, 3)
    return names if len(names) <= most else [names[(number * 4 + i) % len(names)] for i in range(most)]


def key_names(r, lang, naming):
    """What the keys of a column's documents are called: the same concept has the same name throughout."""
    names = {}

    def name(key):
        if key in CONCEPTS and key not in names:
            taken = set(names.values())
            names[key] = next((n for n in (choose(r, CONCEPTS[key], lang, "foreign" if naming == "foreign" else "clear") for _ in range(9)) if n and n not in taken), key)
        return names.get(key, key)
    return name


def cells(r, kind, L, name):
    if kind.whole:
        make = iter(kind.gen(r, L, kind.rows)).__next__
    elif kind.template:
        show = jsonb if kind.type == "jsonb" else lambda v: json.dumps(v, ensure_ascii=False)
        make = lambda: show(grow(kind.template, name, r, L))
    else:
        make = lambda: kind.gen(r, L)
    null = 0 if kind.key == "primary" else kind.null * r.uniform(.6, 1.1) if kind.null > .3 else kind.null * r.choice((0, 1, 1, 2))
    junk = kind.junk if TEXT.match(kind.type) and kind.key == "none" else 0
    out = [None if r.random() < null else r.choice(JUNK) if r.random() < junk else make() for _ in range(kind.rows)]
    if kind.type == "double precision":
        out = [v and repr(float(v)).removesuffix(".0") for v in out]
    if kind.key in ("unique", "primary"):
        nulls = out.count(None)
        out = [v for v in dict.fromkeys(out) if v is not None]
        for _ in range(nulls):
            out.insert(r.randrange(len(out)), None)
    return out


def type_of(r, kind, column):
    if kind.type != "varchar":
        return kind.type
    longest = max((len(v) for v in column if v), default=1)
    if r.random() < .3 or longest > LENGTHS[-1]:
        return "text"
    fit = [n for n in LENGTHS if n >= longest]
    return f"character varying({255 if r.random() < .4 and longest <= 255 else r.choice(fit[:3])})"


def columns(seed):
    people = {name: Locale(name) for name in ALL}
    for number, kind in enumerate(POSITIVES + NEGATIVES):
        names = CONCEPTS[kind.names] if isinstance(kind.names, str) else kind.names
        for locale in locales_of(kind, number):
            L = people[BORROWED.get(locale, locale)]
            for naming in NAMINGS:
                ident = f"{kind.name}/{locale}/{naming}/0"
                r = random.Random(f"{seed}/{ident}")
                placed = place(r, names, kind.table, locale[:2], naming)
                if placed is None:
                    continue
                table, column, near, words = placed
                name = key_names(r, locale[:2], naming)
                L.found = set(kind.contains)
                data = cells(r, kind, L, name)
                comment = r.choice(("{}", "{}", "{} (legacy)", "{}, imported", "{} as entered")).format(words.capitalize()) if r.random() < .08 else None
                yield {"id": ident, "kind": kind.name, "class": kind.label, "scheme": kind.scheme, "contains": sorted(L.found) if kind.label == "free_text" else [],
                       "paths": dict(leaves(kind.template, name)) if kind.template else None, "locale": locale, "naming": naming, "told_by": kind.told,
                       "table": table, "column": column, "type": type_of(r, kind, data), "comment": comment, "key": kind.key, "neighbours": near, "values": data}


def write(path, rows):
    count = collections.Counter()
    with path.open("w", encoding="utf-8", newline="\n") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
            if "naming" in row:
                count["naming", row["naming"]] += 1
                count["class", row["class"] or "null"] += 1
                count["told by", row["told_by"]] += 1
            else:
                count["valid" if row["valid"] else "invalid", row["class"]] += 1
    return count


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("outdir", type=pathlib.Path)
    args.add_argument("--seed", type=int, default=1)
    args = args.parse_args()
    args.outdir.mkdir(parents=True, exist_ok=True)
    count = write(args.outdir / "columns.jsonl", columns(args.seed))
    total = sum(n for (what, _), n in count.items() if what == "naming")
    print(f"{len(POSITIVES + NEGATIVES)} kinds, {len(NEGATIVES)} of them not personal; {total} columns, {count['class', 'null'] / total:.0%} not personal")
    for (what, name), n in sorted(count.items()):
        print(f"  {what:8} {name:16} {n}")
    everyone = [Locale(name) for name in ALL]
    count = write(args.outdir / "values.jsonl", values.rows(args.seed, everyone))
    print(f"{sum(count.values())} values of {len(values.CASES)} classes")


if __name__ == "__main__":
    main()
