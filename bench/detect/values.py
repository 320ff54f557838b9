"""Single values for the classes that validate themselves: good ones, and look-alikes that are not good."""
import random
import string

import checkdigits as cd
import people as pp
from checkdigits import MAKE, VALID, chars, digits
from positives import card, groups, spaced

COUNT = 600
PHONE_CODES = "0 210 214 281 283 384 699 801 803 999 891".split()       # country codes nobody has


def mutated(r, s):
    """One character changed, two neighbours swapped, or (seldom) one lost or doubled."""
    i, k = r.randrange(len(s)), r.random()
    if k < .5:
        for alphabet in (string.digits, string.ascii_uppercase, string.ascii_lowercase):
            if s[i] in alphabet:
                return s[:i] + r.choice(alphabet) + s[i + 1:]
    if k < .85:
        return s[:i] + s[i + 1:i + 2] + s[i] + s[i + 2:]
    return s[:i] + s[i + 1:] if k < .93 else s[:i] + s[i] + s[i:]


def email(r, L):
    h = pp.handle(r, L)
    return r.choice((pp.email(r, L), pp.work_email(r, L), f"{h}+{r.choice(('a', 'news', '7'))}@mail.{pp.domain(r, L)}", pp.email(r, L).upper(), f"o'{h}@{pp.domain(r, L)}", f"{digits(r, 6)}@{pp.domain(r, L)}", f"{h}@{r.choice(pp.WORDS['firm'])}.museum"))


def bad_email(r, L):
    u, d = pp.email(r, L).split("@")
    return r.choice((u + d, f"{u}@@{d}", f".{u}@{d}", f"{u[:3]}..{u[3:]}@{d}", f"{u} {u}@{d}", f"{u}@{d.replace('.', ',')}", f"{u}@{d.replace('.', '..')}", f"@{d}", f"{u}@-{d}",
                     f"{u}@{d.split('.')[0]}.{r.randint(10, 99)}", f"{u}@", f"{u[0]}@{r.randint(2, 3)}x.{r.randint(1, 9)}", f"{u}(at){d}", f"{u}.@{d}"))


def an_ip(r, L):
    s = cd.ip(r)
    return r.choice((s, s, s.upper(), "::1", f"::ffff:{cd.ipv4(r)}")) if ":" in s else s


def bad_ip(r, L):
    s = cd.ipv4(r).split(".")
    v6 = ["%x" % r.randint(1, 65535) for _ in range(8)]
    i = r.randrange(4)
    return r.choice((".".join(s[:i] + [str(r.randint(256, 999))] + s[i + 1:]), ".".join(s[:3]), ".".join(s + ["7"]), ".".join(s[:i] + [""] + s[i + 1:]), ":".join(v6 + ["1"]), ":".join(v6[:7]), "::".join(v6[:3]),
                     ":".join(v6[:7] + ["g" + v6[7][:3]]), ".".join(s[:2]) + "," + ".".join(s[2:]), ":".join(v6[:7] + ["1" + v6[7].rjust(4, "0")])))


def a_mac(r, L):
    s = cd.mac(r)
    return r.choice((s, s.upper(), s.replace(":", "-"), s.replace(":", "-").upper(), spaced(s.replace(":", ""), 4, ".")))


def bad_mac(r, L):
    s = cd.mac(r)
    return r.choice((s[:-3], s + ":" + s[:2], s[:-1] + r.choice("ghxyz"), s.replace(":", "-", r.randint(1, 4)), s.replace(":", "::", 1)))


def bad_jwt(r, L):
    h, b, s = cd.jwt(r).split(".")
    return r.choice((f"{h}.{b}", f"{h}.{b}.{s}.{s}", f"{chars(r, string.ascii_letters, 30)}.{b}.{s}", f"{h}.{chars(r, string.ascii_letters, 40)}.{s}", f"{h}.{b[:20]}*{b[20:]}.{s}", f"{h[3:]}.{b}.{s}",
                     f"com.example.{chars(r, string.ascii_lowercase, 12)}", f"{h} {b} {s}", f"{cd.b64url(b'[1,2,3]')}.{b}.{s}"))


def bad_phone(r, L):
    n = digits(r, 7)
    return r.choice((f"+1{r.choice('01')}{digits(r, 2)}{r.choice('23456789')}{digits(r, 6)}", f"+1212{r.choice('01')}{digits(r, 6)}", f"+1{r.choice('23456789')}{n}", f"+{r.choice(PHONE_CODES)}{n}{digits(r, 2)}",
                     pp.phone(r, L, "e164") + digits(r, 8), pp.phone(r, L, "e164")[:6], "+" + digits(r, 20)))


def bad_ssn(r, L):
    a, b, c = cd.ssn(r).split("-")
    return r.choice((f"000-{b}-{c}", f"666-{b}-{c}", f"{r.randint(900, 999)}-{r.randint(1, 49):02}-{c}", f"{a}-00-{c}", f"{a}-{b}-0000", f"{a}-{b}-{c[:3]}", f"{a}-{b}-{c}{c[0]}", f"{a[:2]}-{b}-{c}", f"{a}-{b}{c[0]}-{c[1:]}"))


def bad_card(r, L):
    if r.random() < .2:      # passes Luhn, but nobody issues it
        head = r.choice(("0", "4")) + digits(r, 13 if r.random() < .5 else 12)
        head = head if head[0] == "0" else head.ljust(14, "7")[:14]
        return head + cd.luhn_digit(head)
    return mutated(r, card(r, sep=r.choice(("", "", " ", "-"))))


def bad_vin(r, L):
    s = cd.vin(r)
    return s[:r.randint(0, 16)] + r.choice("IOQ") + s[-3:] if r.random() < .15 else mutated(r, s)


def bad_imei(r, L):
    s = cd.imei(r)
    return s[:13] if r.random() < .1 else mutated(r, s)


def bad_iban(r, L):
    s = cd.iban(r)
    k = r.random()
    return r.choice(("DE", "FR", "NL", "XX", "ZZ")) + s[2:] if k < .2 else s + digits(r, 2) if k < .3 else spaced(mutated(r, s)) if k < .5 else mutated(r, s)


def bad_wallet(r, L):
    s = cd.wallet(r)
    if s[:2] == "0x":
        good = cd.eip55(s[2:].lower())
        i = r.choice([i for i, c in enumerate(good) if i > 1 and c.isalpha()])
        return r.choice((good[:i] + good[i].swapcase() + good[i + 1:], s[:-1], s + "0", s[:-1] + "g"))
    return mutated(r, s)


def bad_number(name):
    return lambda r, L: mutated(r, MAKE[name](r))


def bad_cpf(r, L):
    return r.choice("0123456789") * 11 if r.random() < .02 else mutated(r, cd.br_cpf(r))


SPACED = {"uk_nhs": (3, 3, 4), "ca_sin": (3, 3, 3), "in_aadhaar": (4, 4, 4), "fr_nir": (1, 2, 2, 2, 3, 3, 2), "de_steuerid": (2, 3, 3, 3), "au_tfn": (3, 3, 3), "au_medicare": (4, 5, 1), "jp_mynumber": (4, 4, 4)}


def good_number(name):
    def draw(r, L):
        s = MAKE[name](r)
        return groups(s, *SPACED[name]) if name in SPACED and r.random() < .3 else s
    return draw


CASES = {"email": (email, bad_email), "credit_card": (lambda r, L: card(r, sep=r.choice(("", "", " ", "-"))), bad_card), "iban": (lambda r, L: r.choice((str, spaced))(cd.iban(r)), bad_iban),
         "ip_address": (an_ip, bad_ip), "mac_address": (a_mac, bad_mac), "imei": (lambda r, L: cd.imei(r), bad_imei), "vin": (lambda r, L: cd.vin(r), bad_vin),
         "crypto_wallet": (lambda r, L: cd.wallet(r), bad_wallet), "jwt": (lambda r, L: cd.jwt(r), bad_jwt), "routing_number": (lambda r, L: cd.routing_number(r), bad_number("routing_number")),
         "ssn": (lambda r, L: cd.ssn(r), bad_ssn), "phone": (lambda r, L: pp.phone(r, L, "e164"), bad_phone),
         **{n: (good_number(n), bad_cpf if n == "br_cpf" else bad_number(n)) for n in cd.SCHEMES}}
# Lengths that may make another good number (an IMEI without its check digit, a company's 13 digits, older forms)
OTHER_LENGTHS = {"imei": (14, 16), "jp_mynumber": (13,), "au_medicare": (9, 11), "au_tfn": (8,)}
# Numbers whose check may hold although the rest is wrong: not bad enough
DOUBTFUL = {"credit_card": lambda s: cd.luhn_ok(cd.bare(s)) and s[0] not in "04", "routing_number": lambda s: cd.weighted(s, (3, 7, 1) * 3) % 10 == 0}


def rows(seed, locales):
    for name, (good, bad) in CASES.items():
        r = random.Random(f"{seed}/values/{name}")
        label = "national_id:" + name if name in cd.SCHEMES else name
        seen = set()
        for valid in (True, False):
            n = 0
            while n < COUNT:
                s = (good if valid else bad)(r, r.choice(locales))
                if s in seen or name in VALID and VALID[name](s) != valid:
                    continue
                if not valid and (name in DOUBTFUL and DOUBTFUL[name](s) or len(cd.bare(s)) in OTHER_LENGTHS.get(name, ())):
                    continue
                seen.add(s)
                n += 1
                yield {"class": label, "value": s, "valid": valid}
