"""The kinds of columns that hold personal data: one K(...) a kind, see kinds.py."""
import binascii
import string

import checkdigits as cd
import people as pp
from checkdigits import chars, digits
from kinds import K, arr, misspelt, one, words
from people import full, given, pattern, phone

EU = "de_DE fr_FR es_ES it_IT nl_NL pl_PL sv_SE"
WEST = "en_US en_GB de_DE fr_FR es_ES pt_BR"
BASE62, B64 = string.digits + string.ascii_letters, string.ascii_letters + string.digits + "+/"
PLATES = {n: [pattern(p) for p in f.split("|")] for n, f in {
    "de_DE": "B-@@ %###|M-@@ %##|HH-@ %###|K-@@ %##|S-@@ %###|LÖ-@@ %##|F-@@ %###", "en_GB": "LD1# @@@|BD6# @@@|MA2# @@@|YK7# @@@",
    "fr_FR": "@@-%##-@@", "es_ES": "#### BCD|#### FGH|#### KLM|#### JTZ|#### LRS", "it_IT": "FA ###@@|GB ###@@|EX ###@@|DZ ###@@",
    "nl_NL": "XX-##-RT|##-XRT-#|T-###-FX|PK-###-L|ZN-##-PD", "pl_PL": "WA #####|KR #####|PO ####@|GD #####|WX ####@",
    "sv_SE": "ABC ###|GHJ ##K|RTU ###|LMP ##D|XOS ###", "pt_BR": "@@@#@##|@@@-####", "tr_TR": "34 @@ %##|06 @@@ ##|35 @ ####|16 @@ ###",
    "en_IN": "MH %# @@ ####|KA 0% @@ ####|DL %C @@ ####|TN 1# @@ ####", "en_US": "%@@@###|@@@ ####|@@@-####"}.items()}
PASSPORTS = {"de_DE": "C^^^^^^^#|L^^^^^^^#", "en_GB": "#########", "en_US": "#########|A########", "fr_FR": "##@@#####", "en_IN": "@#######",
             "es_ES": "@@@######", "it_IT": "Y@#######", "pl_PL": "E@#######", "nl_NL": "N@^^^^^^#", "pt_BR": "F@######", "tr_TR": "U########",
             "sv_SE": "########", "ja_JP": "T@#######"}
LICENCES = {"de_DE": "B0##^^^^^#%", "fr_FR": "##########%#", "en_US": "@#######", "en_IN": "MH## 20########", "es_ES": "########@", "it_IT": "MI#######@",
            "pl_PL": "#####/##/####", "nl_NL": "##########", "pt_BR": "0##########"}
BANK = {"en_US": "##########|########|############", "en_GB": "########", "en_IN": "###########|##############", "de_DE": "##########|#######",
        "pt_BR": "####-# / #####-#", "tr_TR": "####-########", "ja_JP": "#######", "sv_SE": "####-#######", "nl_NL": "%########"}
BANK, PASSPORTS, LICENCES = ({n: [pattern(p) for p in f.split("|")] for n, f in d.items()} for d in (BANK, PASSPORTS, LICENCES))


def by(table):
    return lambda r, L: r.choice(table[L.name])(r)


def plate(r, L):
    return r.choice(PLATES[L.name])(r)


def driver_gb(r, L):
    g, f = pp.slugs(r, L)
    d = pp.birth(r)
    y = "%02d" % (d.year % 100)
    return f"{(f + '99999')[:5]}{y[0]}{d.month + r.choice((0, 50)):02}{d.day:02}{y[1]}{g[0]}9{digits(r, 1)}{chars(r, string.ascii_uppercase, 2)}".upper()


def mrz_digit(s):
    return str(sum((cd.VALUE[c] if c != "<" else 0) * (7, 3, 1)[i % 3] for i, c in enumerate(s)) % 10)


def mrz(r, L):
    g, f = (x.upper() for x in pp.slugs(r, L))
    nat = {"de": "D<<", "fr": "FRA", "es": "ESP", "it": "ITA", "pl": "POL"}.get(L.lang, "GBR" if L.name == "en_GB" else "USA")
    number, born = by(PASSPORTS)(r, L)[:9].ljust(9, "<"), pp.birth(r).strftime("%y%m%d")
    until = cd.a_date(r, 2025, 2034).strftime("%y%m%d")
    number, born, until, extra = (x + mrz_digit(x) for x in (number, born, until, "<" * 14))
    line = f"{number}{nat}{born}{r.choice('MF')}{until}{extra}"
    return f"P<{nat}{f}<<{g}".ljust(44, "<")[:44] + "\n" + line + mrz_digit(number + born + until + extra)


def spaced(s, n=4, sep=" "):
    return sep.join(s[i:i + n] for i in range(0, len(s), n))


def groups(s, *sizes, sep=" "):
    out, i = [], 0
    for n in sizes:
        out.append(s[i:i + n])
        i += n
    return sep.join(out)


def card(r, L=None, sep=""):
    s = cd.credit_card(r)
    if sep:
        s = groups(s, *((4, 6, 5) if len(s) == 15 else (4, 6, 4) if len(s) == 14 else (4, 4, 4, 4)), sep=sep)
    return s


HOME = {"en_US": None, "en_IN": None, "ja_JP": None, "pt_BR": "BR", "en_GB": "GB", "de_DE": "DE", "fr_FR": "FR", "es_ES": "ES", "it_IT": "IT",
        "nl_NL": "NL", "pl_PL": "PL", "sv_SE": "SE", "tr_TR": "TR"}


def home_iban(r, L):
    return cd.iban(r, HOME[L.name] if r.random() < .93 else None)


def bic(r, L=None, n=None):
    s = r.choice("DEUTDE COBADE BNPAFR SOGEFR CAIXES BBVAES UNCRIT BCITIT ABNANL INGBNL NDEASE HANDSE BREXPL PKOPPL BARCGB NWBKGB CHASUS "
                 "CITIUS ITAUBR AKBKTR MHCBJP HDFCIN UBSWCH RZBAAT".split())
    return s + r.choice(("FF", "PP", "MM", "33", "22", "2L", "BB", "SS", "2A", "PW", "6X")) + ("XXX" if n == 11 and r.random() < .6 else digits(r, 3) if n == 11 else "")


def near_city(r, lang):
    lat, lon = r.choice({"de": ((52.52, 13.4), (48.14, 11.58), (50.94, 6.96)), "fr": ((48.86, 2.35), (45.76, 4.84)), "es": ((40.42, -3.7), (41.39, 2.17)),
                         "pt": ((-23.55, -46.63), (-22.91, -43.2)), "tr": ((41.01, 28.97),), "ja": ((35.68, 139.69),), "pl": ((52.23, 21.01),)}
                        .get(lang, ((40.71, -74.0), (34.05, -118.24), (51.5, -0.12), (41.88, -87.63))))
    return lat + r.gauss(0, .05), lon + r.gauss(0, .05)


def lat_lon(form):
    def draw(r, L):
        lat, lon = near_city(r, L.lang)
        return form.format(lat=lat, lon=lon)
    return draw


def born(form=None, first=1938, last=2005):
    return lambda r, L: cd.a_date(r, first, last).strftime(form or L.date)


def base62(n, size):
    out = ""
    while n:
        n, k = divmod(n, 62)
        out = BASE62[k] + out
    return out.rjust(size, "0")


def github(r, L=None):
    s = chars(r, BASE62, 30)
    return r.choice(("ghp_", "ghp_", "gho_", "ghs_")) + s + base62(binascii.crc32(s.encode()), 6)


def aws(r, L=None):
    return r.choice(("AKIA", "AKIA", "ASIA")) + chars(r, string.ascii_uppercase + "234567", 16)


TOKENS = {"stripe": lambda r: r.choice(("sk_live_", "sk_live_", "rk_live_", "sk_test_")) + chars(r, BASE62, 24),
          "slack": lambda r: r.choice(("xoxb-", "xoxp-")) + digits(r, 12) + "-" + digits(r, 12) + "-" + chars(r, BASE62, 24),
          "google": lambda r: "AIza" + chars(r, BASE62 + "-_", 35), "sendgrid": lambda r: "SG." + chars(r, BASE62, 22) + "." + chars(r, BASE62 + "-_", 43),
          "github": github, "aws": aws}


def pem(kind):
    head, body, lines = {"rsa": ("RSA PRIVATE KEY", "MIIEowIBAAKCAQEA", 25), "ec": ("EC PRIVATE KEY", "MHcCAQEEI", 3), "pkcs8": ("PRIVATE KEY", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", 26),
                         "openssh": ("OPENSSH PRIVATE KEY", "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ", 6)}[kind]

    def draw(r, L):
        text = body + chars(r, B64, 64 * lines - len(body) - 22) + "=="
        return f"-----BEGIN {head}-----\n" + "\n".join(text[i:i + 64] for i in range(0, len(text), 64)) + f"\n-----END {head}-----\n"
    return draw


HASH = {"bcrypt": lambda r, L: r.choice(("$2b$12$", "$2a$10$", "$2y$10$")) + chars(r, "./" + BASE62, 53),
        "argon2": lambda r, L: "$argon2id$v=19$m=65536,t=3,p=4$" + chars(r, B64, 22) + "$" + chars(r, B64, 43),
        "sha512crypt": lambda r, L: "$6$" + chars(r, "./" + BASE62, 16) + "$" + chars(r, "./" + BASE62, 86),
        "pbkdf2": lambda r, L: "pbkdf2_sha256$600000$" + chars(r, BASE62, 22) + "$" + chars(r, B64, 43) + "=",
        "md5": lambda r, L: r.randbytes(16).hex(), "sha256": lambda r, L: r.randbytes(32).hex(), "phpass": lambda r, L: "$P$B" + chars(r, "./" + BASE62, 30),
        "ldap": lambda r, L: "{SSHA}" + chars(r, B64, 32)}


def a_password(r, L):
    return r.choice((r.choice(pp.WORDS["password"]), pp.slugs(r, L)[0].capitalize() + str(r.randint(1950, 2012)) + r.choice(("", "!")),
                     chars(r, BASE62 + "!#$%&*?", r.randint(9, 14))))


def user_url(r, L):
    h = pp.handle(r, L).replace(".", "-")
    return "https://" + r.choice(("www.linkedin.com/in/", "www.facebook.com/", "x.com/", "www.instagram.com/", "www.xing.com/profile/", "github.com/")) + h


def query_url(r, L):
    host = pp.domain(r, L)
    return r.choice((f"https://{host}/unsubscribe?email={pp.email(r, L).replace('@', '%40')}&list={r.randint(1, 40)}",
                     f"https://{host}/invite?e={pp.email(r, L)}&ref=mail", f"https://{host}/account/confirm?user={pp.email(r, L)}"))


def token_url(r, L):
    return f"https://{pp.domain(r, L)}/" + r.choice(("reset?token=", "login/magic?access_token=", "share?sig=", "password/new?reset_token=")) + chars(r, BASE62, 40)


def log_line(r, L):
    t = "2024-%02d-%02d %02d:%02d:%02d " % tuple(map(r.randint, (1, 1, 0, 0, 0), (12, 28, 23, 59, 59)))
    return t + r.choice((f"INFO login ok user={pp.email(r, L)} ip={cd.ipv4(r)}", f"WARN failed password for {pp.email(r, L)} from {cd.ipv4(r)} port {r.randint(1024, 65000)}",
                         "INFO cache refreshed in 12 ms", "DEBUG job queue empty", "INFO health check ok"))


def html(r, L):
    return f"<p>{pp.prose(r, L, .5)}</p>" if r.random() < .7 else f"<div><b>{r.choice(L.minus)}</b></div>"


def letter(r, L):
    g, f = pp.couple(r, L)
    return f"{r.choice(L.minus)}\n{pp.prose(r, L, .6)}\n\n{f + ' ' + g if L.lang == 'ja' else g + ' ' + f}\n{pp.any_phone(r, L)}\n{pp.email(r, L)}"


def case_note(r, L):
    text = f"{words('diagnosis')(r, L)}. {words('clinic')(r, L)}"
    if r.random() < .4:
        text = f"{formal(r, L)} ({pp.birth(r).strftime(L.date)}): " + text
    return text + (" Tel. " + pp.any_phone(r, L) if r.random() < .1 else "")


def code_and_text(r, L):
    i = r.randrange(len(pp.WORDS["icd.first"]))
    return pp.WORDS["icd.first"][i] + " " + pp.WORDS["diagnosis." + L.lang][i]


# forms of address of men and of women
FORMS = {"de": ("Herr/Dr./Prof. Dr.", "Frau/Dr./Dipl.-Ing."), "fr": ("M./Dr/Me", "Mme/Dr/Me"), "es": ("D./Sr./Dr.", "Dña./Sra./Dra."), "it": ("Sig./Dott./Avv.", "Sig.ra/Dott.ssa"),
         "pt": ("Sr./Dr.", "Sra./Dra."), "nl": ("dhr./drs./ir.", "mevr./drs."), "pl": ("Pan/dr/inż.", "Pani/dr/mgr"), "en": ("Mr/Dr./Prof.", "Mrs/Ms/Dr.")}


def formal(r, L):
    g, f = pp.couple(r, L)
    return f"{r.choice(FORMS[L.lang][g in L.female].split('/'))} {g} {f}"


def particles(r, L):
    p = {"de": ("von", "von der", "zu", "von und zu"), "fr": ("de", "de la", "du"), "es": ("de", "de la", "del"), "it": ("De", "Di", "Della", "Lo"),
         "pt": ("da", "dos", "de", "do"), "nl": ("van", "van der", "de", "ten")}[L.lang]
    return r.choice(p) + " " + pp.often(r, L.family).split()[-1] if r.random() < .5 else pp.family(r, L)


def double(r, L):
    return given(r, L) + r.choice("- ") + given(r, L) if r.random() < .4 else given(r, L)


def money(low, high, form="{:.2f}", step=1):
    return lambda r, L: form.format(round(r.lognormvariate(0, .35) * (low + high) / 2 / step) * step)


def money_text(r, L):
    n = round(r.lognormvariate(0, .35) * 520) * 100
    return {"en": f"${n:,}", "pt": f"R$ {n:,}".replace(",", "."), "de": f"{n:,} €".replace(",", "."), "fr": f"{n:,} €".replace(",", " ")}.get(L.lang, f"€ {n:,}".replace(",", "."))


def upper(gen):
    return lambda r, L: gen(r, L).upper()


KINDS = [
    # ---- email
    K("email.personal", "email", pp.email, key="unique", locales="*"),
    K("email.work", "email", pp.work_email, table="employees", locales="*"),
    K("email.mixed_case", "email", lambda r, L: r.choice((str.upper, str.title, str))(pp.email(r, L)) + r.choice(("", "", " "))),
    K("email.sparse", "email", pp.email, null=.85),
    K("email.junk", "email", misspelt(pp.email), junk=.15),
    K("email.array", "email", arr(pp.email), "text[]", names="email"),
    K("email.display", "email", lambda r, L: f"{full(r, L)} <{pp.email(r, L)}>" if r.random() < .8 else pp.email(r, L), table="tickets"),
    K("email.small", "email", pp.email, rows=15),
    K("email.plus_tag", "email", lambda r, L: pp.email(r, L).replace("@", f"+{r.choice(('shop', 'news', 'test', '2024'))}@") if r.random() < .4 else pp.email(r, L), table="users"),
    K("email.semicolons", "email", lambda r, L: "; ".join(pp.email(r, L) for _ in range(r.randint(1, 3))), table="tickets"),
    # ---- phone
    K("phone.national", "phone", phone, locales="*"),
    K("phone.e164", "phone", lambda r, L: phone(r, L, "e164"), locales="*"),
    K("phone.international", "phone", lambda r, L: phone(r, L, "intl")),
    K("phone.mixed", "phone", pp.any_phone, locales="*", junk=.05),
    K("phone.bigint", "phone", lambda r, L: phone(r, L, "e164")[1:], "bigint"),
    K("phone.digits", "phone", lambda r, L: phone(r, L, "digits")),
    K("phone.us_bigint", "phone", lambda r, L: phone(r, L, "digits"), "bigint", locales="en_US en_IN"),
    K("phone.extension", "phone", lambda r, L: phone(r, L) + r.choice((" ext. ", " x", " ext ")) + str(r.randint(10, 9999)) if r.random() < .5 else phone(r, L), table="employees", locales="en_US en_GB en_IN"),
    K("phone.zeros", "phone", lambda r, L: phone(r, L, "zeros"), locales="de_DE fr_FR nl_NL pl_PL it_IT"),
    K("phone.junk", "phone", pp.any_phone, junk=.2),
    K("phone.sparse", "phone", phone, null=.9),
    K("phone.array", "phone", arr(lambda r, L: phone(r, L, "intl")), "text[]", locales=WEST),
    K("phone.small", "phone", phone, rows=15, locales=WEST),
    K("phone.fax", "phone", phone, names="fax", null=.5, locales="en_US de_DE fr_FR es_ES it_IT nl_NL"),
    K("phone.labelled", "phone", lambda r, L: r.choice(("Tel. ", "M: ", "mobile: ", "")) + pp.any_phone(r, L), locales="en_US de_DE nl_NL"),
    # ---- cards and banks
    K("credit_card.plain", "credit_card", card, table="payments"),
    K("credit_card.spaced", "credit_card", lambda r, L: card(r, sep=" "), table="payments"),
    K("credit_card.dashed", "credit_card", lambda r, L: card(r, sep="-"), table="payments", locales=WEST),
    K("credit_card.bigint", "credit_card", card, "bigint", table="payments"),
    K("credit_card.numeric", "credit_card", card, "numeric(20,0)", table="payments", locales="en_US fr_FR pt_BR"),
    K("credit_card.junk", "credit_card", misspelt(card), junk=.12, table="payments", locales=WEST),
    K("credit_card.sparse", "credit_card", card, null=.8, table="customers", locales="en_US en_GB de_DE"),
    K("iban.compact", "iban", home_iban, table="payments", locales=EU + " tr_TR en_GB"),
    K("iban.spaced", "iban", lambda r, L: spaced(home_iban(r, L)), table="payments", locales=EU),
    K("iban.mixed", "iban", lambda r, L: cd.iban(r), table="payments", locales="en_GB de_DE fr_FR nl_NL"),
    K("iban.lower_junk", "iban", lambda r, L: r.choice((str, str.lower))(home_iban(r, L)), junk=.1, table="employees", locales="de_DE it_IT pl_PL"),
    K("iban.sparse", "iban", home_iban, null=.9, table="customers", locales="de_DE fr_FR es_ES nl_NL"),
    K("iban.small", "iban", lambda r, L: spaced(home_iban(r, L)), rows=15, table="payments", locales="de_DE it_IT"),
    K("bank_account.local", "bank_account", by(BANK), table="payments", locales=" ".join(BANK), told="name"),
    K("bank_account.bigint", "bank_account", lambda r, L: r.choice("123456789") + digits(r, 9), "bigint", table="payments", locales="en_US en_IN de_DE", told="name"),
    K("bank_account.uk_sort_code", "bank_account", lambda r, L: groups(digits(r, 6), 2, 2, 2, sep="-") + " " + digits(r, 8), table="payments", locales="en_GB", told="name"),
    K("bank_account.ccc", "bank_account", lambda r, L: cd.ccc(r) if r.random() < .5 else groups(cd.ccc(r), 4, 4, 2, 10), table="payments", locales="es_ES"),
    K("bank_account.nrb", "bank_account", lambda r, L: cd.iban(r, "PL")[2:], table="payments", locales="pl_PL"),
    K("bank_account.rib", "bank_account", lambda r, L: groups(cd.rib(r), 5, 5, 11, 2), table="payments", locales="fr_FR"),
    K("routing_number.text", "routing_number", lambda r, L: cd.routing_number(r), table="payments", locales="en_US"),
    K("routing_number.integer", "routing_number", lambda r, L: cd.routing_number(r).lstrip("0"), "integer", table="payments", locales="en_US"),
    K("bic.eight", "bic", bic, table="payments", locales=EU + " en_GB"),
    K("bic.eleven", "bic", lambda r, L: bic(r, n=r.choice((8, 11, 11))), table="payments", locales="en_US de_DE fr_FR it_IT"),
    # ---- national numbers
    K("ssn.dashed", "ssn", lambda r, L: cd.ssn(r), locales="en_US", table="employees"),
    K("ssn.nine", "ssn", lambda r, L: cd.ssn(r).replace("-", ""), "character(9)", locales="en_US", told="name"),
    K("ssn.integer", "ssn", lambda r, L: cd.ssn(r).replace("-", "").lstrip("0"), "integer", locales="en_US", told="name"),
    K("ssn.junk", "ssn", misspelt(lambda r, L: cd.ssn(r)), junk=.15, locales="en_US", table="patients"),
    K("ssn.sparse", "ssn", lambda r, L: cd.ssn(r), null=.85, locales="en_US"),
    *[K("national_id." + name, "national_id", gen, kind, names=name.split(".")[0], scheme=name.split(".")[0], locales=loc, table=table, told=told) for name, gen, kind, loc, table, told in (
        ("uk_nino.compact", lambda r, L: cd.uk_nino(r), "varchar", "en_GB", "employees", "values"),
        ("uk_nino.spaced", lambda r, L: groups(cd.uk_nino(r), 2, 2, 2, 2, 1), "varchar", "en_GB", "employees", "values"),
        ("uk_nhs.spaced", lambda r, L: groups(cd.uk_nhs(r), 3, 3, 4), "varchar", "en_GB", "patients", "values"),
        ("uk_nhs.bigint", lambda r, L: cd.uk_nhs(r), "bigint", "en_GB", "patients", "values"),
        ("ca_sin.spaced", lambda r, L: groups(cd.ca_sin(r), 3, 3, 3, sep=r.choice(" -")), "varchar", "en_CA", "employees", "values"),
        ("ca_sin.plain", lambda r, L: cd.ca_sin(r), "character(9)", "en_CA", "employees", "values"),
        ("in_aadhaar.spaced", lambda r, L: spaced(cd.in_aadhaar(r)), "varchar", "en_IN", "customers", "values"),
        ("in_aadhaar.bigint", lambda r, L: cd.in_aadhaar(r), "bigint", "en_IN", "customers", "values"),
        ("in_pan.plain", lambda r, L: cd.in_pan(r), "character(10)", "en_IN", "customers", "values"),
        ("br_cpf.dotted", lambda r, L: (lambda s: groups(s[:9], 3, 3, 3, sep=".") + "-" + s[9:])(cd.br_cpf(r)), "varchar", "pt_BR", "customers", "values"),
        ("br_cpf.plain", lambda r, L: cd.br_cpf(r), "character(11)", "pt_BR", "customers", "values"),
        ("br_cpf.bigint", lambda r, L: cd.br_cpf(r).lstrip("0"), "bigint", "pt_BR", "customers", "values"),
        ("br_cnpj.dotted", lambda r, L: (lambda s: f"{s[:2]}.{s[2:5]}.{s[5:8]}/{s[8:12]}-{s[12:]}")(cd.br_cnpj(r)), "varchar", "pt_BR", "companies", "values"),
        ("br_cnpj.plain", lambda r, L: cd.br_cnpj(r), "character(14)", "pt_BR", "companies", "values"),
        ("fr_nir.plain", lambda r, L: cd.fr_nir(r), "varchar", "fr_FR", "employees", "values"),
        ("fr_nir.spaced", lambda r, L: groups(cd.fr_nir(r), 1, 2, 2, 2, 3, 3, 2), "varchar", "fr_FR", "patients", "values"),
        ("es_dni.plain", lambda r, L: cd.es_dni(r), "varchar", "es_ES", "customers", "values"),
        ("es_dni.dashed", lambda r, L: (lambda s: s[:-1] + r.choice("- ") + s[-1])(cd.es_dni(r)), "varchar", "es_ES", "customers", "values"),
        ("it_cf.plain", lambda r, L: cd.it_cf(r, *pp.slugs(r, L)), "character(16)", "it_IT", "customers", "values"),
        ("it_cf.lower", lambda r, L: cd.it_cf(r, *pp.slugs(r, L)).lower(), "text", "it_IT", "patients", "values"),
        ("de_steuerid.plain", lambda r, L: cd.de_steuerid(r), "varchar", "de_DE", "employees", "values"),
        ("de_steuerid.spaced", lambda r, L: groups(cd.de_steuerid(r), 2, 3, 3, 3), "varchar", "de_DE", "employees", "values"),
        ("de_steuerid.bigint", lambda r, L: cd.de_steuerid(r), "bigint", "de_DE", "employees", "values"),
        ("pl_pesel.plain", lambda r, L: cd.pl_pesel(r), "character(11)", "pl_PL", "patients", "values"),
        ("pl_pesel.bigint", lambda r, L: cd.pl_pesel(r).lstrip("0"), "bigint", "pl_PL", "customers", "values"),
        ("nl_bsn.plain", lambda r, L: cd.nl_bsn(r), "character(9)", "nl_NL", "patients", "values"),
        ("nl_bsn.integer", lambda r, L: cd.nl_bsn(r).lstrip("0"), "integer", "nl_NL", "employees", "values"),
        ("se_pnr.dashed", lambda r, L: cd.se_pnr(r), "varchar", "sv_SE", "customers", "values"),
        ("se_pnr.twelve", lambda r, L: (lambda s: ("20" if s[0] == "0" else "19") + s)(cd.se_pnr(r)), "varchar", "sv_SE", "patients", "values"),
        ("se_pnr.bigint", lambda r, L: (lambda s: ("20" if s[0] == "0" else "19") + s.replace("-", ""))(cd.se_pnr(r)), "bigint", "sv_SE", "employees", "values"),
        ("au_tfn.spaced", lambda r, L: groups(cd.au_tfn(r), 3, 3, 3), "varchar", "en_AU", "employees", "values"),
        ("au_tfn.plain", lambda r, L: cd.au_tfn(r), "varchar", "en_AU", "employees", "values"),
        ("au_medicare.spaced", lambda r, L: groups(cd.au_medicare(r), 4, 5, 1), "varchar", "en_AU", "patients", "values"),
        ("au_medicare.plain", lambda r, L: cd.au_medicare(r), "varchar", "en_AU", "patients", "values"),
        ("sg_nric.plain", lambda r, L: cd.sg_nric(r), "character(9)", "en_SG", "customers", "values"),
        ("cn_rid.plain", lambda r, L: cd.cn_rid(r), "character(18)", "zh_CN", "customers", "values"),
        ("kr_rrn.dashed", lambda r, L: cd.kr_rrn(r), "varchar", "ko_KR", "customers", "values"),
        ("kr_rrn.plain", lambda r, L: cd.kr_rrn(r).replace("-", ""), "varchar", "ko_KR", "employees", "values"),
        ("jp_mynumber.plain", lambda r, L: cd.jp_mynumber(r), "character(12)", "ja_JP", "employees", "values"),
        ("jp_mynumber.spaced", lambda r, L: spaced(cd.jp_mynumber(r)), "varchar", "ja_JP", "employees", "values"),
        ("us_itin.dashed", lambda r, L: cd.us_itin(r), "varchar", "en_US", "employees", "values"))],
    # ---- papers and vehicles
    K("passport.number", "passport", by(PASSPORTS), locales=" ".join(PASSPORTS), told="name"),
    K("passport.sparse", "passport", by(PASSPORTS), locales="en_GB de_DE en_IN", null=.8, told="name"),
    K("passport.mrz", "passport", mrz, "text", locales="en_US en_GB de_DE fr_FR es_ES it_IT pl_PL"),
    K("driver_licence.number", "driver_licence", by(LICENCES), locales=" ".join(LICENCES), told="name"),
    K("driver_licence.uk", "driver_licence", driver_gb, locales="en_GB"),
    K("licence_plate.spaced", "licence_plate", plate, table="vehicles", locales=" ".join(n for n in PLATES if n != "en_US")),
    K("licence_plate.us", "licence_plate", plate, table="vehicles", locales="en_US", told="name"),
    K("licence_plate.compact", "licence_plate", lambda r, L: plate(r, L).replace(" ", "").replace("-", ""), table="vehicles", locales="de_DE en_GB fr_FR it_IT tr_TR en_IN"),
    K("vin.checked", "vin", lambda r, L: cd.vin(r), "character(17)", table="vehicles", key="unique", locales="en_US de_DE es_ES"),
    K("vin.european", "vin", lambda r, L: cd.vin_eu(r), table="vehicles", locales="de_DE fr_FR it_IT pl_PL sv_SE"),
    K("vin.lower_junk", "vin", misspelt(lambda r, L: r.choice((str, str.lower))(cd.vin(r))), junk=.1, table="vehicles", locales="en_US nl_NL pt_BR"),
    # ---- birth dates
    K("date_of_birth.date", "date_of_birth", born("%Y-%m-%d"), "date", locales="*"),
    K("date_of_birth.text", "date_of_birth", born(), locales="*"),
    K("date_of_birth.timestamp", "date_of_birth", born("%Y-%m-%d 00:00:00"), "timestamp without time zone", table="patients"),
    K("date_of_birth.yyyymmdd", "date_of_birth", born("%Y%m%d"), "integer", locales=WEST),
    K("date_of_birth.long", "date_of_birth", born("%d %b %Y"), locales="en_US en_GB en_IN"),
    K("date_of_birth.junk", "date_of_birth", born(), junk=.15, locales=WEST),
    K("date_of_birth.children", "date_of_birth", born("%Y-%m-%d", 2009, 2023), "date", table="patients", told="name"),
    K("date_of_birth.sparse", "date_of_birth", born("%Y-%m-%d"), "date", null=.85),
    # ---- names
    K("given_name.plain", "given_name", given, locales="*"),
    K("given_name.upper", "given_name", upper(given), locales="de_DE fr_FR pl_PL tr_TR en_US"),
    K("given_name.double", "given_name", double, table="employees", locales="de_DE fr_FR es_ES pt_BR it_IT"),
    K("given_name.middle", "given_name", given, names="middle_name", null=.7, locales="en_US en_GB de_DE fr_FR es_ES pl_PL"),
    K("given_name.junk", "given_name", given, junk=.15),
    K("given_name.small", "given_name", given, rows=15),
    K("family_name.plain", "family_name", pp.family, locales="*"),
    K("family_name.upper", "family_name", upper(pp.family), locales="de_DE fr_FR it_IT pl_PL sv_SE en_GB"),
    K("family_name.particles", "family_name", particles, locales="de_DE fr_FR es_ES it_IT pt_BR nl_NL"),
    K("family_name.maiden", "family_name", pp.family, names="maiden_name", null=.6, locales="en_US en_GB de_DE fr_FR es_ES pl_PL nl_NL"),
    K("family_name.junk", "family_name", pp.family, junk=.15),
    K("family_name.small", "family_name", pp.family, rows=15),
    K("full_name.plain", "full_name", full, locales="*"),
    K("full_name.last_first", "full_name", lambda r, L: full(r, L, "{f}, {g}"), locales=WEST + " nl_NL pl_PL sv_SE it_IT"),
    K("full_name.upper", "full_name", upper(full), table="payments", locales=EU + " en_US pt_BR"),
    K("full_name.lower", "full_name", lambda r, L: full(r, L).lower(), table="users", locales=WEST),
    K("full_name.titled", "full_name", formal, table="patients", locales=WEST + " it_IT nl_NL pl_PL"),
    K("full_name.initial", "full_name", lambda r, L: full(r, L, r.choice(("{g} {m}. {f}", "{g} {f}", "{m}. {f}"))), table="employees", locales="en_US en_GB nl_NL en_IN"),
    K("full_name.particles", "full_name", lambda r, L: given(r, L) + " " + particles(r, L), locales="de_DE fr_FR es_ES nl_NL"),
    K("full_name.couples", "full_name", lambda r, L: f"{given(r, L)} {r.choice(('&', '+'))} {full(r, L)}" if r.random() < .3 else full(r, L), locales="en_US en_GB de_DE"),
    K("full_name.array", "full_name", arr(full), "text[]", names="participants", table="tickets", locales="en_US de_DE fr_FR es_ES it_IT pt_BR nl_NL pl_PL"),
    K("full_name.junk", "full_name", full, junk=.18),
    K("full_name.small", "full_name", full, rows=15),
    K("full_name.spaceless", "full_name", lambda r, L: full(r, L, "{f}{g}").replace(" ", ""), locales="ja_JP", names="full_name"),
    K("username.login", "username", pp.username, table="users", key="unique", locales="*"),
    K("username.handle", "username", lambda r, L: "@" + pp.username(r, L).replace(".", "_"), table="users"),
    K("username.gamer", "username", lambda r, L: r.choice(("dark", "Super", "mr_", "xX", "crazy", "lil_", "pro")) + r.choice(("wolf", "Cat", "gamer", "ninja", "queen", "Fox", "dragon")) + r.choice(("", "_", "xX")) + str(r.randint(1, 2010)), table="users", locales="en_US de_DE es_ES tr_TR"),
    K("username.windows", "username", lambda r, L: r.choice(("CORP\\", "EMEA\\")) + pp.username(r, L).replace("_", ""), table="users", locales="en_US de_DE fr_FR nl_NL"),
    K("username.numbered", "username", lambda r, L: r.choice("uxe") + digits(r, 6), table="users", locales="en_US de_DE", told="name"),
    # ---- places
    K("address.line", "address", pp.address, locales="*"),
    K("address.street", "address", pp.street, names="street", locales="*"),
    K("address.lines", "address", lambda r, L: pp.address(r, L).replace(", ", "\n", 1), "text", locales=WEST + " nl_NL it_IT"),
    K("address.upper", "address", upper(pp.address), locales="en_US fr_FR de_DE it_IT pl_PL"),
    K("address.junk", "address", pp.street, names="street", junk=.15, locales=WEST + " sv_SE"),
    K("address.unit", "address", lambda r, L: pp.street(r, L) + r.choice((", Apt {}", " #{}", ", Unit {}", "")).format(r.randint(1, 90)), names="street", locales="en_US en_GB en_IN"),
    K("address.sparse", "address", pp.address, null=.8),
    K("address.named", "address", lambda r, L: full(r, L) + ", " + pp.address(r, L), table="orders", locales="en_US de_DE fr_FR es_ES nl_NL"),
    K("address.small", "address", pp.address, rows=15, locales=WEST),
    K("postcode.text", "postcode", pp.postcode, locales="en_GB nl_NL pl_PL pt_BR ja_JP sv_SE"),
    K("postcode.unit", "postcode", pp.postcode, locales="en_GB nl_NL pl_PL", table="orders"),
    K("postcode.digits", "postcode", pp.postcode, locales="en_US de_DE fr_FR es_ES it_IT tr_TR en_IN", told="name"),
    K("postcode.five", "postcode", pp.postcode, "character(5)", locales="en_US de_DE fr_FR es_ES it_IT", told="name"),
    K("postcode.integer", "postcode", lambda r, L: str(int(pp.postcode(r, L))), "integer", locales="en_US de_DE fr_FR es_ES it_IT tr_TR en_IN", told="name"),
    K("postcode.zip4", "postcode", lambda r, L: pp.postcode(r, L) + ("-" + digits(r, 4) if r.random() < .5 else ""), locales="en_US"),
    K("postcode.bare", "postcode", lambda r, L: pp.postcode(r, L).replace(" ", "").replace("-", ""), locales="en_GB nl_NL pt_BR sv_SE pl_PL"),
    K("postcode.prefixed", "postcode", lambda r, L: {"de": "D-", "fr": "F-", "it": "I-", "sv": "SE-"}[L.lang] + pp.postcode(r, L), locales="de_DE fr_FR it_IT sv_SE"),
    K("city.plain", "city", pp.city, locales="*"),
    K("city.upper", "city", upper(pp.city), locales=EU),
    K("city.state", "city", lambda r, L: "{0}, {1}".format(*r.choice(L.cities)), locales="en_US pt_BR en_IN"),
    K("city.birthplace", "city", pp.city, names="birthplace", table="patients", locales="en_US de_DE fr_FR es_ES it_IT pl_PL tr_TR"),
    K("city.of_shops", "city", pp.city, table="companies", locales=WEST),
    K("city.junk", "city", pp.city, junk=.15),
    K("geo.latitude", "geo", lambda r, L: "%.6f" % near_city(r, L.lang)[0], "double precision", names="latitude", locales=WEST + " pl_PL tr_TR", told="name"),
    K("geo.longitude", "geo", lambda r, L: "%.6f" % near_city(r, L.lang)[1], "numeric(9,6)", names="longitude", locales=WEST + " pl_PL tr_TR", told="name"),
    K("geo.pair", "geo", lat_lon("{lat:.5f},{lon:.5f}"), table="devices", locales=WEST),
    K("geo.point", "geo", lat_lon("({lon:.6f},{lat:.6f})"), "point", table="devices", locales=WEST + " tr_TR"),
    K("geo.wkt", "geo", lat_lon("POINT({lon:.6f} {lat:.6f})"), "text", table="devices", locales="en_US de_DE pt_BR"),
    # ---- net and devices
    K("ip_address.inet", "ip_address", lambda r, L: cd.ipv4(r), "inet", table="users", locales=WEST + " nl_NL ja_JP"),
    K("ip_address.text", "ip_address", lambda r, L: cd.ipv4(r), table="events", locales=WEST + " pl_PL"),
    K("ip_address.v6", "ip_address", lambda r, L: cd.ipv6(r), table="events", locales="en_US de_DE fr_FR"),
    K("ip_address.mixed", "ip_address", lambda r, L: cd.ip(r), "inet", table="users", locales="en_US de_DE es_ES"),
    K("ip_address.private", "ip_address", lambda r, L: r.choice(("10.%d.%d.%d", "192.168.%.0s%d.%d")) % tuple(r.randint(1, 254) for _ in range(3)), table="devices", locales="en_US de_DE"),
    K("ip_address.port", "ip_address", lambda r, L: f"{cd.ipv4(r)}:{r.randint(1024, 65000)}", table="events", locales="en_US nl_NL"),
    K("ip_address.forwarded", "ip_address", lambda r, L: ", ".join(cd.ipv4(r) for _ in range(r.randint(1, 3))), table="events", locales="en_US de_DE"),
    K("mac_address.macaddr", "mac_address", lambda r, L: cd.mac(r), "macaddr", table="devices", locales="en_US de_DE fr_FR pl_PL"),
    K("mac_address.dashes", "mac_address", lambda r, L: cd.mac(r).replace(":", "-").upper(), table="devices", locales="en_US de_DE nl_NL sv_SE"),
    K("mac_address.dotted", "mac_address", lambda r, L: spaced(cd.mac(r).replace(":", ""), 4, "."), table="devices", locales="en_US es_ES"),
    K("mac_address.bare", "mac_address", lambda r, L: cd.mac(r).replace(":", "").upper(), "character(12)", table="devices", locales="en_US de_DE", told="name"),
    K("imei.plain", "imei", lambda r, L: cd.imei(r), "character(15)", table="devices", key="unique", locales="en_US de_DE es_ES it_IT pl_PL tr_TR"),
    K("imei.bigint", "imei", lambda r, L: cd.imei(r).lstrip("0"), "bigint", table="devices", locales="en_US fr_FR pt_BR"),
    K("imei.dashed", "imei", lambda r, L: groups(cd.imei(r), 2, 6, 6, 1, sep="-"), table="devices", locales="en_US de_DE tr_TR"),
    K("url.profile", "url", user_url, table="users", locales=WEST + " nl_NL pl_PL sv_SE"),
    K("url.email_query", "url", query_url, names="link", table="events", locales=WEST),
    K("url.token_query", "url", token_url, names="link", table="events", locales="en_US de_DE fr_FR nl_NL"),
    K("url.userinfo", "url", lambda r, L: f"{r.choice(('https', 'ftp', 'postgres', 'amqp'))}://{pp.username(r, L)}:{chars(r, BASE62, 10)}@{pp.domain(r, L)}/{r.choice(('api', 'db',  'files', ''))}", names={"en": "connection_url service_url dsn endpoint".split(), "de": ["verbindungs_url", "dienst_url"], "es": ["url_conexion"]}, table="systems", locales="en_US de_DE es_ES"),
    # ---- secrets
    K("crypto_wallet.btc", "crypto_wallet", lambda r, L: cd.b58check(r.choice((b"\0", b"\5")) + r.randbytes(20)), table="payments", locales="en_US de_DE fr_FR tr_TR"),
    K("crypto_wallet.bech32", "crypto_wallet", lambda r, L: cd.bech32(r), table="payments", locales="en_US es_ES pt_BR"),
    K("crypto_wallet.eth", "crypto_wallet", lambda r, L: cd.eth(r), table="payments", locales="en_US de_DE fr_FR tr_TR"),
    K("crypto_wallet.mixed", "crypto_wallet", lambda r, L: cd.wallet(r), table="payments", locales="en_US es_ES"),
    K("jwt.plain", "jwt", lambda r, L: cd.jwt(r), "text", table="users", locales="en_US de_DE fr_FR es_ES"),
    K("jwt.claims", "jwt", lambda r, L: r.choice(("", "Bearer ")) + cd.jwt(r, {"sub": digits(r, 6), "email": pp.email(r, L), "exp": 1700000000 + int(r.random() * 1e7)}), "text", table="events", locales="en_US de_DE pt_BR"),
    *[K("api_key." + n, "api_key", lambda r, L, f=f: f(r), table="systems", locales=loc) for (n, f), loc in zip(TOKENS.items(), ("en_US de_DE", "en_US fr_FR", "en_US es_ES", "en_US pl_PL", "en_US nl_NL", "en_US pt_BR"))],
    K("api_key.mixed", "api_key", lambda r, L: r.choice(list(TOKENS.values()))(r), table="systems", locales="en_US de_DE it_IT"),
    K("api_key.random_hex", "api_key", lambda r, L: r.randbytes(32).hex(), table="systems", locales="en_US de_DE fr_FR", told="name"),
    K("api_key.random_base62", "api_key", lambda r, L: chars(r, BASE62, 40), table="systems", locales="en_US es_ES nl_NL", told="name"),
    *[K("private_key." + n, "private_key", pem(n), "text", table="systems", locales=loc, rows=60) for n, loc in (("rsa", "en_US de_DE"), ("ec", "en_US fr_FR"), ("pkcs8", "en_US es_ES"), ("openssh", "en_US pt_BR"))],
    K("password.clear", "password", a_password, table="users", locales="*", told="name"),
    K("password.strong", "password", lambda r, L: chars(r, BASE62 + "!#$%&*?+-=", r.randint(12, 20)), table="users", locales=WEST, told="name"),
    *[K("password_hash." + n, "password_hash", f, "text" if n == "argon2" else "varchar", table="users", locales=loc, told="name" if n in ("md5", "sha256") else "values") for (n, f), loc in
      zip(HASH.items(), (WEST, "en_US de_DE nl_NL", "en_US fr_FR", "en_US es_ES it_IT", "en_US de_DE pt_BR tr_TR", "en_US fr_FR pl_PL", "en_US pt_BR", "en_US de_DE"))],
    # ---- health and other sensitive data
    K("medical_record.digits", "medical_record", lambda r, L: digits(r, 8), table="patients", locales="en_US en_GB de_DE es_ES pt_BR nl_NL", told="name"),
    K("medical_record.prefixed", "medical_record", lambda r, L: r.choice(("MRN-", "MRN")) + digits(r, 7), table="patients", locales="en_US en_GB en_IN"),
    K("medical_record.slash", "medical_record", lambda r, L: f"{digits(r, 6)}/{r.randint(15, 24)}", table="patients", locales="de_DE fr_FR pl_PL", told="name"),
    K("health.icd10", "health", one("icd"), names="diagnosis", table="patients", locales=WEST + " nl_NL pl_PL"),
    K("health.diagnosis", "health", words("diagnosis"), names="diagnosis", table="patients", locales="en_US en_GB de_DE fr_FR es_ES it_IT pt_BR nl_NL pl_PL"),
    K("health.code_and_text", "health", code_and_text, names="diagnosis", table="patients", locales="en_US de_DE fr_FR pt_BR"),
    K("health.blood_group", "health", one("blood"), names="blood_group", table="patients", locales=WEST + " pl_PL tr_TR nl_NL"),
    K("health.allergies", "health", one("allergy"), names="allergies", table="patients", null=.3, locales="en_US en_GB en_IN"),
    K("health.medication", "health", one("medication"), names="medication", table="patients", locales="en_US en_GB en_IN"),
    K("health.icd_array", "health", arr(one("icd")), "text[]", names="diagnosis", table="patients", locales="en_US de_DE es_ES"),
    K("gender.word", "gender", words("gender"), locales="*"),
    K("gender.letter", "gender", lambda r, L: r.choice({"de": "mwmwmwd", "fr": "HF", "es": "HM", "nl": "MV", "pl": "KM", "tr": "EK", "ja": "男女"}.get(L.lang, "MF")), "character(1)", locales="*"),
    K("gender.iso5218", "gender", lambda r, L: r.choice("1212120"), "smallint", table="patients", locales=WEST, told="name"),
    K("gender.junk", "gender", lambda r, L: r.choice(("M", "F", "m", "f", words("gender")(r, L))), junk=.12, locales=WEST),
    K("ethnicity.word", "ethnicity", lambda r, L: one("ethnicity." + {"en_GB": "gb", "en_US": "en"}.get(L.name, L.lang))(r, L), table="patients", locales="en_US en_GB pt_BR de_DE es_ES nl_NL"),
    K("ethnicity.code", "ethnicity", lambda r, L: r.choice("123456"), "smallint", table="patients", locales="en_US pt_BR", told="name"),
    K("religion.word", "religion", words("religion"), locales=" ".join(("en_US en_GB de_DE fr_FR es_ES it_IT pt_BR nl_NL pl_PL sv_SE tr_TR".split()))),
    K("religion.tax_code", "religion", lambda r, L: r.choice(("rk", "ev", "ev", "rk", "--", "lt", "ak", "is")), table="employees", locales="de_DE", told="name"),
    K("salary.numeric", "salary", money(38000, 82000), "numeric(12,2)", table="employees", locales="*", told="name"),
    K("salary.integer", "salary", money(2200, 6000, "{:.0f}", 50), "integer", table="employees", locales=WEST + " pl_PL", told="name"),
    K("salary.text", "salary", money_text, table="employees", locales="en_US de_DE fr_FR pt_BR nl_NL", told="name"),
    K("salary.range", "salary", lambda r, L: (lambda k: f"{k}k-{k + r.choice((5, 10, 15))}k")(r.randint(25, 120)), table="employees", locales="en_US en_GB", told="name"),
    # ---- prose with personal data inside
    *[K(f"free_text.share_{share}", "free_text", lambda r, L, p=share / 100: pp.prose(r, L, p), "text", table="tickets",
        locales="en_US en_GB de_DE fr_FR es_ES it_IT pt_BR nl_NL pl_PL sv_SE tr_TR ja_JP en_IN" if share == 60 else loc,
        null=.1)
      for share, loc in ((5, "en_US de_DE fr_FR es_ES"), (20, "en_US en_GB de_DE it_IT pt_BR nl_NL"), (60, ""))],
    K("free_text.email_body", "free_text", letter, "text", table="tickets", locales=WEST, contains=["full_name", "phone", "email"]),
    K("free_text.html", "free_text", html, "text", table="tickets", locales="en_US de_DE fr_FR"),
    K("free_text.log_lines", "free_text", log_line, "text", table="events", locales="en_US de_DE nl_NL", contains=["email", "ip_address"]),
    K("free_text.case_notes", "free_text", case_note, "text", table="patients", locales="en_US de_DE fr_FR es_ES", contains=["health", "full_name", "date_of_birth", "phone"]),
    K("free_text.sparse", "free_text", lambda r, L: pp.prose(r, L, .3), "text", table="orders", locales="en_US de_DE fr_FR pl_PL tr_TR", null=.85),
    K("free_text.small", "free_text", lambda r, L: pp.prose(r, L, .5), "text", table="tickets", locales="en_US de_DE es_ES", rows=15),
]

# ---- documents: leaves are a class (its generator is in LEAF) or "=kind" of something not personal
LEAF = {"given_name": given, "family_name": pp.family, "full_name": full, "email": pp.email, "phone": lambda r, L: phone(r, L, "intl"), "street": pp.street,
        "city": pp.city, "postcode": pp.postcode, "address": pp.address, "iban": lambda r, L: cd.iban(r), "date_of_birth": born("%Y-%m-%d"), "username": pp.username,
        "ip_address": lambda r, L: cd.ipv4(r), "credit_card": card, "gender": lambda r, L: r.choice("MF"), "diagnosis": one("icd"), "mac_address": lambda r, L: cd.mac(r),
        "bic": bic, "password": a_password, "salary": lambda r, L: r.randint(24, 160) * 500, "=int": lambda r, L: r.randint(1, 99999), "=sku": pattern("@@-####"),
        "=status": one("status"), "=time": lambda r, L: "2024-%02d-%02dT%02d:%02d:00Z" % tuple(map(r.randint, (1, 1, 0, 0), (12, 28, 23, 59))), "=flag": lambda r, L: r.random() < .6,
        "=tag": one("tag"), "=price": lambda r, L: round(r.random() * 200, 2), "=ver": pattern("%.%#.#"), "=agent": one("agent"), "=currency": lambda r, L: r.choice(("EUR", "USD", "GBP"))}
CLASS_OF = {"street": "address", "diagnosis": "health"}
DOCUMENTS = {
    "customer": {"id": "=int", "customer": {"given_name": "given_name", "family_name": "family_name", "email": "email", "phone": "phone"}, "status": "=status"},
    "order": {"order_no": "=int", "customer": {"full_name": "full_name", "shipping": {"street": "street", "postcode": "postcode", "city": "city"}}, "items": [{"sku": "=sku", "qty": "=int", "price": "=price"}], "currency": "=currency"},
    "webhook": {"event": "=status", "ts": "=time", "data": {"object": {"email": "email", "ip_address": "ip_address", "livemode": "=flag", "amount_due": "=int"}}},
    "people": {"group": "=tag", "members": [{"full_name": "full_name", "phone": "phone", "active": "=flag"}]},
    "signup": {"username": "username", "password": "password", "email": "email", "date_of_birth": "date_of_birth", "accepted": "=flag", "ver": "=ver"},
    "payment": {"method": {"credit_card": "credit_card", "iban": "iban", "bic": "bic", "full_name": "full_name"}, "total": "=price", "currency": "=currency", "tags": ["=tag"]},
    "patient": {"patient": {"full_name": "full_name", "date_of_birth": "date_of_birth", "gender": "gender"}, "findings": [{"diagnosis": "diagnosis", "at": "=time"}], "ward": "=int"},
    "deep": {"v": "=ver", "request": {"headers": {"agent": "=agent"}, "body": {"form": {"fields": {"email": "email", "address": "address"}}}}, "ok": "=flag"},
    "device": {"mac_address": "mac_address", "ip_address": "ip_address", "fw": "=ver", "uptime": "=int"},
    "emails": {"list": "=tag", "to": ["email"], "sent": "=flag"},
}


def leaves(node, name, path="$"):
    """(path, class or None) of every leaf, the keys renamed by name()."""
    if isinstance(node, dict):
        return [x for k, v in node.items() for x in leaves(v, name, f"{path}.{name(k)}")]
    if isinstance(node, list):
        return leaves(node[0], name, path + "[*]")
    return [(path, None if node[0] == "=" else CLASS_OF.get(node, node))]


def grow(node, name, r, L):
    if isinstance(node, dict):
        return {name(k): grow(v, name, r, L) for k, v in node.items()}
    if isinstance(node, list):
        return [grow(node[0], name, r, L) for _ in range(r.randint(1, 3))]
    return None if r.random() < .03 else LEAF[node](r, L)


KINDS += [K("json." + n, "json", None, "jsonb", table="events", locales=WEST + " it_IT nl_NL" if n in ("customer", "order", "signup") else "en_US de_DE fr_FR es_ES", template=t, rows=100) for n, t in DOCUMENTS.items()]
KINDS += [K("json.as_text", "json", None, "text", table="events", locales="en_US de_DE nl_NL", template=DOCUMENTS["customer"], rows=100)]
