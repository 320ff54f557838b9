"""A kind of column: its label, its generator and where it is found; helpers to make generators."""
import json
from dataclasses import dataclass, field

from people import WORDS

ALL = "en_US en_GB de_DE fr_FR es_ES it_IT pt_BR nl_NL pl_PL sv_SE tr_TR ja_JP en_IN".split()


@dataclass
class Kind:
    name: str
    label: str | None
    gen: object                      # gen(r, L) draws a cell; with whole, gen(r, L, n) draws a column
    type: str = "varchar"            # varchar gets its length from the values
    names: object = None             # a concept of lists/concepts.txt, or {language: names}
    table: str = "customers"         # a table of lists/tables.txt
    locales: str = ""                # "*": all; "": five of all, by turns
    told: str = "values"
    null: float = .04
    junk: float = .01
    key: str = "none"
    rows: int = 200
    scheme: str | None = None
    contains: list = field(default_factory=list)
    template: object = None          # of a JSON document
    whole: bool = False

    def __post_init__(self):
        self.names = self.names or self.label


K = Kind


def one(key):
    """A word of a list, the first ones more often."""
    return lambda r, L: WORDS[key][int(len(WORDS[key]) * r.random() ** 1.3)]


def words(key):
    """A word of a list in the locale's language (or in English)."""
    def draw(r, L):
        ws = WORDS.get(key + "." + L.lang) or WORDS.get(key) or WORDS[key + ".en"]
        return ws[int(len(ws) * r.random() ** 1.3)]
    return draw


def element(s):
    """An element of an array as PostgreSQL writes it."""
    if s == "" or s.upper() == "NULL" or any(c in '{},"\\' or c.isspace() for c in s):
        return '"' + s.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return s


def arr(gen, most=3):
    return lambda r, L: "{" + ",".join(element(gen(r, L)) for _ in range(r.randint(1, most))) + "}"


def misspelt(gen, share=.06):
    """Now and then a character lost, doubled or replaced."""
    def draw(r, L):
        s = gen(r, L)
        if r.random() < share:
            i = r.randrange(len(s))
            s = s[:i] + r.choice(("", s[i] * 2, "x", " ")) + s[i + 1:]
        return s
    return draw


def jsonb(value):
    """The text PostgreSQL shows: keys by length, then by bytes."""
    if isinstance(value, dict):
        items = sorted(value.items(), key=lambda kv: (len(kv[0].encode()), kv[0].encode()))
        return "{" + ", ".join(json.dumps(k, ensure_ascii=False) + ": " + jsonb(v) for k, v in items) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(jsonb, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
