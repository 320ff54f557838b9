"""Names of tables and columns: clear (English), foreign (the locale's language, abbreviated for English locales), cryptic."""
import re

from people import read_lists


def by_language(text):
    """'en: a b | de: c' as {'en': ['a', 'b'], 'de': ['c']}."""
    return {k.strip(): v.split() for k, v in (part.split(":", 1) for part in text.split(" | "))}


CONCEPTS, TABLES = {}, {}
for row in read_lists("concepts.txt"):
    key, rest = row.split(" | ", 1)
    CONCEPTS[key] = by_language(rest)
for row in read_lists("tables.txt"):
    key, rest = row.split(" | ", 1)
    names, near = rest.rsplit(" | ", 1)
    TABLES[key] = by_language(names), near.split()

SHORT = {"number": "nr", "customer": "cust", "address": "addr", "email": "eml", "phone": "ph", "telephone": "tel", "account": "acct",
         "date": "dt", "birth": "brth", "first": "f", "last": "l", "name": "nm", "order": "ord", "product": "prd", "amount": "amt",
         "quantity": "qty", "code": "cd", "invoice": "inv", "reference": "ref", "payment": "pmt", "employee": "emp", "description": "descr",
         "postal": "pstl", "license": "lic", "security": "sec", "social": "soc", "vehicle": "veh", "created": "crt", "status": "sts",
         "patient": "pat", "password": "pwd", "document": "doc", "contact": "cntct", "message": "msg", "version": "ver", "value": "val",
         "currency": "ccy", "country": "ctry", "language": "lang", "category": "cat", "department": "dept", "company": "co", "id": "id"}
STYLES = {"snake": 60, "camel": 14, "upper": 14, "pascal": 6, "flat": 6}
CRYPTIC_COLUMNS = ["c{}", "fld_{:02}", "attr{}", "x{}", "k_{}", "col_{}", "f{:03}", "v{}", "data{}", "zz_{}", "u{}", "field{}", "a_{}", "P{:02}", "X_{:03}"]
CRYPTIC_LONERS = ["val", "data", "x", "v", "txt", "k", "item", "blob", "c", "info", "str"]
CRYPTIC_TABLES = ["t_{:02}", "tbl{}", "x_{}", "ext_{}", "stg_{:04}", "imp{}", "T{:03}", "r{}", "tmp_{}", "dump{}", "ds_{:02}"]


def abbreviate(name):
    """customer_email as cust_eml: usual short forms, else the vowels dropped."""
    words = [SHORT.get(w) or (w if len(w) < 5 or re.search(r"\d", w) else w[0] + re.sub("[aeiou]", "", w[1:])[:4]) for w in name.split("_")]
    return "_".join(words)


def styled(name, style):
    if style == "snake" or not name.isascii():
        return name
    if style == "upper":
        return name.upper()
    words = name.split("_")
    if style == "flat":
        return "".join(words)
    name = "".join(w[:1].upper() + w[1:] for w in words)
    return name if style == "pascal" else name[:1].lower() + name[1:]


def choose(r, names, lang, naming):
    """One of a concept's names, or None if the language has none."""
    if naming != "foreign":
        return r.choice(names["en"])
    if lang == "en":
        name = abbreviate(r.choice(names["en"]))
        return name + "_" if len(name) < 2 else name
    return r.choice(names[lang]) if lang in names else None


def place(r, names, table, lang, naming):
    """(table, column, neighbours, words for a comment) of one column; names None where the language has no word."""
    table_names, concepts = TABLES[table]
    if naming == "cryptic":
        form, n = r.choice(CRYPTIC_COLUMNS), r.randint(3, 14)
        cols = [form.format(i) for i in range(1, n + 1)]
        column = cols.pop(r.randrange(n))
        if r.random() < .12:
            column = r.choice(CRYPTIC_LONERS)
        name = r.choice(CRYPTIC_TABLES).format(r.randint(1, 99))
        words = names["en"] + names.get(lang, []) if r.random() < .5 else names["en"]
        return name, column, cols, r.choice(words).replace("_", " ")
    column = choose(r, names, lang, naming)
    if column is None:
        return None
    style, used, near = r.choices(list(STYLES), list(STYLES.values()))[0], {column}, []
    for concept in [concepts[0]] + sorted(r.sample(concepts[1:], min(len(concepts) - 1, r.randint(3, 9))), key=concepts.index):
        if concept in CONCEPTS:
            name = choose(r, CONCEPTS[concept], lang, naming) or CONCEPTS[concept]["en"][0]
            # A column says once what it is: no neighbour of the same concept
            if name not in used and CONCEPTS[concept] is not names:
                used.add(name)
                near.append(styled(name, style))
    name = r.choice(table_names.get(lang, table_names["en"]) if naming == "foreign" else table_names["en"])
    return styled(name, style), styled(column, style), near, column.replace("_", " ")
