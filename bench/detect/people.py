"""What belongs to a person, by locale: names, phones, addresses, mail, birth dates, prose about people."""
import pathlib
import re
import string
import unicodedata

from checkdigits import a_date, digits, iban

LISTS = pathlib.Path(__file__).parent / "lists"
ALPHABET = {"#": string.digits, "%": "123456789", "N": "23456789", "@": string.ascii_uppercase, "~": string.ascii_lowercase,
            "&": "0123456789abcdef", "^": string.digits + string.ascii_uppercase, "*": string.digits + string.ascii_letters}


def pattern(text, alphabet=ALPHABET):
    """A drawing function of a pattern such as 'ORD-######': see ALPHABET; other characters stand for themselves."""
    parts = [(alphabet.get(m[0][0]), m[0]) for m in re.finditer(r"(.)\1*", text)]

    def draw(r, L=None):
        return "".join(t if a is None else digits(r, len(t)) if a is string.digits else "".join(r.choices(a, k=len(t)))
                       for a, t in parts)
    return draw


def split(text):
    return [w.strip().replace("\\,", ",") for w in re.split(r"(?<!\\),\s*", text.strip())]


def read_lists(name):
    rows = (line.rstrip("\n") for line in (LISTS / name).open(encoding="utf-8"))
    return [row for row in rows if row and not row.startswith("#")]


WORDS = {k: split(v) for k, v in (row.split(": ", 1) for row in read_lists("words.txt"))}
PROSE = {}
for row in read_lists("prose.txt"):
    head, body = row.split(" ", 1)
    PROSE[head] = [s.strip() for s in body.split(" | ")]

# country calling code, trunk prefix, numbers without the trunk prefix (N is 2-9, % is 1-9)
PHONES = {
    "en_US": ("1", "", "212 NN# ####|310 NN# ####|415 NN# ####|312 NN# ####|713 NN# ####|617 NN# ####|305 NN# ####|206 NN# ####|512 NN# ####|404 NN# ####"),
    "en_GB": ("44", "0", "7400 ######|7500 ######|7702 ######|7812 ######|7900 ######|7733 ######|20 79## ####|161 2## ####|113 2## ####|121 4## ####|131 2## ####"),
    "de_DE": ("49", "0", "151 %#######|170 %######|171 %######|172 %######|160 %######|176 %#######|30 N#######|89 N######|40 N######|221 N######|69 N#######|711 N######|341 N######"),
    "fr_FR": ("33", "0", "6 1# ## ## ##|6 8# ## ## ##|6 2# ## ## ##|7 5# ## ## ##|1 4N ## ## ##|2 4# ## ## ##|3 2# ## ## ##|4 7# ## ## ##|5 5# ## ## ##"),
    "es_ES": ("34", "", "6%# ### ###|6%# ### ###|71# ### ###|91N ### ###|93N ### ###|95N ### ###|96N ### ###"),
    "it_IT": ("39", "", "333 ### ####|347 ### ####|320 ### ####|338 ### ####|349 ### ####|328 ### ####|02 N### ####|06 N### ####|011 N## ####|081 N## ####"),
    "pt_BR": ("55", "", "11 9N### ####|21 9N### ####|31 9N### ####|41 9N### ####|51 9N### ####|71 9N### ####|11 3N## ####|61 3N## ####"),
    "nl_NL": ("31", "0", "6 1#######|6 2#######|6 4#######|6 5#######|20 N######|10 N######|30 N######|70 N######"),
    "pl_PL": ("48", "", "50# ### ###|51# ### ###|60# ### ###|66# ### ###|69# ### ###|78# ### ###|88# ### ###|22 N## ## ##|12 N## ## ##"),
    "sv_SE": ("46", "0", "70 N## ## ##|73 N## ## ##|72 N## ## ##|76 N## ## ##|8 N## ### ##|31 N## ## ##"),
    "tr_TR": ("90", "0", "532 N## ## ##|533 N## ## ##|542 N## ## ##|544 N## ## ##|505 N## ## ##|555 N## ## ##|212 N## ## ##|312 N## ## ##"),
    "ja_JP": ("81", "0", "90 N### ####|80 N### ####|70 N### ####|3 3### ####|3 5### ####|6 6### ####"),
    "en_IN": ("91", "", "98### #####|99### #####|97### #####|90### #####|81### #####|70### #####|63### #####"),
}
SEPARATOR = {"de_DE": "/ ", "fr_FR": "  .", "ja_JP": "-", "nl_NL": "-", "sv_SE": "- ", "en_US": "-"}
DATES = {"en_US": "%m/%d/%Y", "en_GB": "%d/%m/%Y", "en_IN": "%d-%m-%Y", "fr_FR": "%d/%m/%Y", "es_ES": "%d/%m/%Y", "it_IT": "%d/%m/%Y",
         "pt_BR": "%d/%m/%Y", "nl_NL": "%d-%m-%Y", "sv_SE": "%Y-%m-%d", "ja_JP": "%Y/%m/%d"}
# one line, with {s} street {n} house number {z} postcode {c} city {st} state or province
LINES = {"en_US": "{n} {s}, {c}, {st} {z}", "en_GB": "{n} {s}, {c} {z}", "en_IN": "{n}, {s}, {c} - {z}", "fr_FR": "{n} {s}, {z} {c}",
         "it_IT": "{s} {n}, {z} {c} ({st})", "pt_BR": "{s}, {n} - {c}/{st}, {z}", "es_ES": "{s}, {n}, {z} {c}", "tr_TR": "{s} No:{n}, {z} {c}",
         "ja_JP": "{z} {st}{c}{s}{n}"}
STREETS = {"en_US": "{n} {s}", "en_GB": "{n} {s}", "en_IN": "{n}, {s}", "fr_FR": "{n} {s}", "pt_BR": "{s}, {n}", "es_ES": "{s}, {n}",
           "tr_TR": "{s} No:{n}", "ja_JP": "{s}{n}"}
HOUSE = {"ja_JP": ("%-##-#", "%-%-%", "%-##-%"), "en_US": ("%##", "%###", "%#", "%####"), "en_IN": ("%#", "%##", "%#/%", "%-%#"),
         "nl_NL": ("%", "%#", "%##", "%#-%", "%#a"), "it_IT": ("%", "%#", "%#/A"), "pl_PL": ("%", "%#", "%#/%", "%#/%#"),
         "tr_TR": ("%#", "%", "%#/%", "%##"), "": ("%", "%#", "%#", "%##", "%#a")}
HOUSE = {k: [pattern(p) for p in v] for k, v in HOUSE.items()}
FOLD = str.maketrans({"ß": "ss", "ł": "l", "ı": "i", "ø": "o", "æ": "ae", "İ": "i", "'": "", "’": ""})
GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})


class Locale:
    """Names and places of one locale, as read from lists/LOCALE.txt."""

    def __init__(self, name):
        self.name, self.lang = name, name[:2]
        self.found = set()
        self.roman, data = {}, dict(row.split(": ", 1) for row in read_lists(name + ".txt"))
        self.female, self.male, self.family = ([self.name_of(w) for w in split(data[k])] for k in ("female", "male", "family"))
        self.given = [n for pair in zip(self.female, self.male) for n in pair]
        self.streets = split(data["street"])
        self.cities = []
        for entry in split(data["city"]):
            city, prefix = entry.split("=")
            state, city = city.split("/") if "/" in city else (re.sub(r"\d", "", prefix), city)
            self.cities.append((city, state, re.sub(r"[A-Z]", "", prefix) or prefix))
        cc, self.trunk, forms = PHONES[name]
        self.cc, self.phones = cc, [pattern(f) for f in forms.split("|")]
        self.mail = WORDS.get("mail." + self.lang, WORDS["mail"])
        self.house, self.line = HOUSE.get(name, HOUSE[""]), LINES.get(name, "{s} {n}, {z} {c}")
        self.street_line, self.date = STREETS.get(name, "{s} {n}"), DATES.get(name, "%d.%m.%Y")
        self.plus, self.minus = PROSE[self.lang + "+"], PROSE[self.lang + "-"]
        self.slugs = {n: self.fold(n) for n in self.female + self.male + self.family}

    def name_of(self, entry):
        name, _, roman = entry.partition(":")
        self.roman[name] = roman or name
        return name

    def fold(self, name):
        name = self.roman[name].translate(GERMAN) if self.lang == "de" else self.roman[name]
        name = unicodedata.normalize("NFKD", name.translate(FOLD)).encode("ascii", "ignore").decode()
        return re.sub(r"[^a-z]", "", name.lower())


def often(r, names):
    """The head of a list more often than its tail."""
    return names[int(len(names) * r.random() ** 1.8)]


def family_of(L, family, female):
    return family[:-1] + "a" if female and L.name == "pl_PL" and family.endswith(("ski", "cki")) else family


def couple(r, L):
    female = r.random() < .5
    family = family_of(L, often(r, L.family), female)
    if L.name == "es_ES" and r.random() < .6 or L.name == "pt_BR" and r.random() < .4:
        family += " " + often(r, L.family)
    return often(r, L.female if female else L.male), family


def given(r, L):
    return often(r, L.given)


def family(r, L):
    return family_of(L, often(r, L.family), r.random() < .5)


def full(r, L, form="{g} {f}"):
    g, f = couple(r, L)
    return f"{f} {g}" if L.lang == "ja" and form == "{g} {f}" else form.format(g=g, f=f, m=r.choice("ABCDEJKLMRST"))


def slugs(r, L):
    return L.slugs[often(r, L.given)], L.slugs[often(r, L.family)]


def handle(r, L):
    g, f = slugs(r, L)
    return r.choice((f"{g}.{f}", f"{g}.{f}", f"{g[0]}.{f}", f"{g}{f}", f"{f}.{g}", f"{g}_{f}", f"{g}{r.randint(50, 99)}", f"{g}.{f}{r.randint(1, 99)}"))


def domain(r, L):
    return r.choice(WORDS["firm"]) + r.choice(("", "-" + L.lang, "-group")) + "." + \
        r.choice({"de": ("de", "com"), "fr": ("fr", "com"), "es": ("es",), "it": ("it",), "pt": ("com.br",), "nl": ("nl",), "pl": ("pl",), "sv": ("se",),
                  "tr": ("com.tr",), "ja": ("co.jp", "jp")}.get(L.lang, ("com", "net", "org", "io")))


def email(r, L):
    return handle(r, L) + "@" + (r.choice(L.mail) if r.random() < .7 else domain(r, L))


def work_email(r, L):
    g, f = slugs(r, L)
    return r.choice((f"{g}.{f}", f"{g[0]}.{f}", f"{g[0]}{f}")) + "@" + domain(r, L)


def phone(r, L, form="national"):
    """form: national, intl, e164, digits (national, digits only), zeros (00 prefix)."""
    n = r.choice(L.phones)(r)
    if form == "e164":
        return "+" + L.cc + n.replace(" ", "")
    if form == "zeros":
        return "00" + L.cc + n.replace(" ", "")
    if form == "digits":
        return L.trunk + n.replace(" ", "")
    if form == "intl":
        return "+" + L.cc + " " + n
    if L.name == "en_US":
        a, b, c = n.split()
        return r.choice((f"({a}) {b}-{c}", f"{a}-{b}-{c}", f"{a}.{b}.{c}"))
    if L.name == "pt_BR":
        a, b, c = n.split()
        return f"({a}) {b}-{c}"
    n, sep = L.trunk + n, r.choice(SEPARATOR.get(L.name, " "))
    return n.replace(" ", sep) if L.lang != "sv" else n.replace(" ", sep, 1)


def any_phone(r, L):
    return phone(r, L, r.choice(("national", "national", "intl", "e164", "digits", "zeros")))


def postcode(r, L, prefix=None):
    p = prefix or r.choice(L.cities)[2]
    if L.name == "en_GB":
        return f"{p}{r.randint(1, 20)} {r.randint(1, 9)}" + "".join(r.choices("ABDEFGHJLNPQRSTUWXYZ", k=2))
    if L.name == "nl_NL":
        return p + digits(r, 2) + " " + "".join(r.choices("ABCDEGHJKLMNPRSTVWXZ", k=2))
    if L.name == "ja_JP":
        return p + "-" + digits(r, 4)
    if L.name == "pt_BR":
        return p + digits(r, 3) + "-" + digits(r, 3)
    if L.name == "pl_PL":
        return p + "-" + digits(r, 3)
    if L.name == "sv_SE":
        return p + digits(r, 1) + " " + digits(r, 2)
    size = 6 if L.name == "en_IN" else 5
    s = p + digits(r, size - len(p))
    return s if int(s[len(p):] or 1) else s[:-1] + "1"


def city(r, L):
    return often(r, L.cities)[0]


def parts(r, L):
    c, st, p = often(r, L.cities)
    return {"s": r.choice(L.streets), "n": r.choice(L.house)(r), "z": ("〒" if L.lang == "ja" else "") + postcode(r, L, p), "c": c, "st": st}


def address(r, L, form=None):
    return (form or L.line).format(**parts(r, L))


def street(r, L):
    return L.street_line.format(s=r.choice(L.streets), n=r.choice(L.house)(r))


def birth(r, L=None):
    return a_date(r, 1938, 2005)


def username(r, L):
    g, f = slugs(r, L)
    return r.choice((g[0] + f, g[0] + f, g + f[:1], g + "." + f, f + g[0], g + "_" + f, g + str(r.randint(1, 99)), f[:5] + g[:2] + str(r.randint(1, 9))))


SLOTS = {"n": ("full_name", full), "g": ("given_name", given), "f": ("family_name", family), "e": ("email", email), "p": ("phone", any_phone),
         "a": ("address", address), "i": ("iban", lambda r, L: iban(r)), "d": ("date_of_birth", lambda r, L: birth(r).strftime(L.date))}


def prose(r, L, share):
    """One to three sentences; with the given probability one of them holds personal data,
    whose classes are noted in L.found."""
    s = [r.choice(L.minus) for _ in range(r.randint(0, 2))]
    if r.random() < share:
        text = r.choice(L.plus)
        L.found.update(SLOTS[k][0] for k in re.findall(r"\{(\w)\}", text))
        s.insert(r.randint(0, len(s)), re.sub(r"\{(\w)\}", lambda m: SLOTS[m[1]][1](r, L), text))
    return ("" if L.lang == "ja" else " ").join(s or [r.choice(L.minus)])
