"""Numbers with a public structure and a check: how to make one and how to tell a good one.

MAKE[name](r) draws a valid value in its bare form; VALID[name](text) accepts bare
and usually punctuated forms. Both use nothing but the published rules.
"""
import base64
import datetime
import hashlib
import hmac
import ipaddress
import json
import re
import string

ALNUM = string.digits + string.ascii_uppercase
VALUE = {c: i for i, c in enumerate(ALNUM)}


def digits(r, n):
    """n decimal digits, leading zeros allowed."""
    return "%0*d" % (n, int(r.random() * 10 ** n))


def chars(r, alphabet, n):
    return "".join(r.choices(alphabet, k=n))


def bare(s):
    return re.sub(r"[\s.\-/()]", "", s).upper()


def weighted(s, weights):
    return sum(int(c) * w for c, w in zip(s, weights))


def a_date(r, first=1938, last=2005):
    days = (datetime.date(last, 12, 31) - datetime.date(first, 1, 1)).days
    return datetime.date(first, 1, 1) + datetime.timedelta(days=int(r.random() * days))


def is_date(y, m, d):
    try:
        datetime.date(int(y), int(m), int(d))
        return True
    except ValueError:
        return False


# ---- Luhn: cards, IMEI, Canadian and Swedish numbers

def luhn_digit(s):
    total = 0
    for i, c in enumerate(reversed(s)):
        n = int(c) * (2 if i % 2 == 0 else 1)
        total += n - 9 if n > 9 else n
    return str(-total % 10)


def luhn_ok(s):
    return s.isdigit() and luhn_digit(s[:-1]) == s[-1]


BRANDS = [("visa", 45, 16, lambda r: "4"), ("mastercard", 25, 16, lambda r: str(r.randint(51, 55))),
          ("mastercard", 5, 16, lambda r: str(r.randint(2221, 2720))), ("amex", 10, 15, lambda r: r.choice(("34", "37"))),
          ("discover", 6, 16, lambda r: r.choice(("6011", "644", "65"))), ("jcb", 3, 16, lambda r: str(r.randint(3528, 3589))),
          ("diners", 2, 14, lambda r: "36"), ("maestro", 2, 16, lambda r: r.choice(("5018", "6304", "6759")))]


def credit_card(r, brands=BRANDS):
    _, _, size, prefix = r.choices(brands, [b[1] for b in brands])[0]
    head = prefix(r)
    head += digits(r, size - 1 - len(head))
    return head + luhn_digit(head)


def credit_card_ok(s):
    s = bare(s)
    if not luhn_ok(s):
        return False
    return bool(re.fullmatch(r"4(\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
                             r"|3(0[0-5]|[689]\d)\d{11,16}|35\d{14}|(6\d\d|5[06-9]\d|81\d)\d{9,16}|9792\d{12}|220[0-4]\d{12}", s))


def imei(r):
    s = r.choice(("35", "35", "35", "86", "86", "01", "99")) + digits(r, 12)
    return s + luhn_digit(s)


def imei_ok(s):
    s = bare(s)
    return len(s) == 15 and luhn_ok(s)


def ca_sin(r):
    s = r.choice("1234567") + digits(r, 7)
    return s + luhn_digit(s)


def ca_sin_ok(s):
    s = bare(s)
    return len(s) == 9 and luhn_ok(s) and s[0] not in "08"


def se_pnr(r):
    d = a_date(r)
    s = d.strftime("%y%m%d") + digits(r, 3)
    return s[:6] + "-" + s[6:] + luhn_digit(s)


def se_pnr_ok(s):
    s = re.sub(r"[\s+\-]", "", s)
    s = s[2:] if len(s) == 12 else s
    return len(s) == 10 and luhn_ok(s)


# ---- Bank: IBAN, ABA, BIC

IBAN_SIZE = {"DE": 22, "FR": 27, "ES": 24, "IT": 27, "GB": 22, "NL": 18, "PL": 28, "SE": 24, "TR": 26, "BR": 29,
             "PT": 25, "BE": 16, "AT": 20, "CH": 21, "IE": 22, "DK": 18, "NO": 15, "FI": 18, "LU": 20, "CZ": 24}
ODD = dict(zip(ALNUM, [1, 0, 5, 7, 9, 13, 15, 17, 19, 21,
                       1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23]))


def letters_to_number(s):
    return int("".join(str(VALUE[c]) for c in s))


def ccc(r):
    """A Spanish account: bank, branch, two check digits, account."""
    bank, account = r.choice(("2100", "0049", "0182", "2038", "0081", "1465")) + digits(r, 4), digits(r, 10)
    weights = (1, 2, 4, 8, 5, 10, 9, 7, 3, 6)
    check = [-weighted(x, weights) % 11 for x in ("00" + bank, account)]
    return bank + "".join("1" if c == 10 else str(c) for c in check) + account


def rib(r):
    bank = r.choice(("30004", "30003", "20041", "10278", "30002", "18206", "14505")) + digits(r, 5) + digits(r, 11)
    return bank + "%02d" % (97 - int(bank) * 100 % 97)


def bban_it(r):
    s = r.choice(("03069", "02008", "05034", "01030", "07601", "36081")) + digits(r, 5) + "00" + digits(r, 10)
    total = sum(ODD[c] if i % 2 == 0 else VALUE[c] for i, c in enumerate(s))
    return string.ascii_uppercase[total % 26] + s


def bban_pl(r):
    head = r.choice(("1020", "1140", "1050", "1240", "2490", "1160")) + digits(r, 3)
    return head + str(-weighted(head, (3, 9, 7, 1, 3, 9, 7)) % 10) + digits(r, 16)


def bban_nl(r):
    s = "0" + digits(r, 8)
    check = -weighted(s, (10, 9, 8, 7, 6, 5, 4, 3, 2)) % 11
    return bban_nl(r) if check == 10 else r.choice(("ABNA", "INGB", "RABO", "SNSB", "TRIO", "ASNB")) + s + str(check)


def bban_be(r):
    s = r.choice(("001", "310", "734", "063", "979")) + digits(r, 7)
    return s + "%02d" % (int(s) % 97 or 97)


BBAN = {"DE": lambda r: r.choice(("10010010", "37040044", "50010517", "70150000", "20050550", "12030000", "43060967")) + digits(r, 10),
        "FR": rib, "ES": ccc, "IT": bban_it, "PL": bban_pl, "NL": bban_nl, "BE": bban_be,
        "GB": lambda r: r.choice(("BARC", "NWBK", "LOYD", "MIDL", "HBUK", "ABBY", "MONZ")) + digits(r, 14),
        "SE": lambda r: r.choice(("500", "600", "800", "300", "120")) + digits(r, 17),
        "TR": lambda r: r.choice(("00010", "00062", "00064", "00046", "00067")) + "0" + digits(r, 16),
        "BR": lambda r: r.choice(("00000000", "60746948", "60701190", "00360305", "90400888")) + digits(r, 15) + r.choice("CP") + "1",
        "AT": lambda r: r.choice(("12000", "20111", "32000", "14000")) + digits(r, 11),
        "CH": lambda r: r.choice(("00762", "09000", "00230", "08390")) + digits(r, 12)}


def iban(r, country=None):
    country = country or r.choice(("DE", "DE", "FR", "ES", "IT", "NL", "GB", "PL", "BE", "AT", "CH", "SE", "TR"))
    b = BBAN[country](r)
    return country + "%02d" % (98 - letters_to_number(b + country + "00") % 97) + b


def iban_ok(s):
    s = bare(s)
    return bool(re.fullmatch(r"[A-Z]{2}\d\d[A-Z0-9]+", s)) and IBAN_SIZE.get(s[:2]) == len(s) \
        and letters_to_number(s[4:] + s[:4]) % 97 == 1


def routing_number(r):
    s = "%02d" % r.choice((1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 21, 22, 25, 26, 28, 31, 32)) + digits(r, 6)
    return s + str(-weighted(s, (3, 7, 1) * 3) % 10)


def routing_number_ok(s):
    return bool(re.fullmatch(r"(0[1-9]|1[0-2]|2[1-9]|3[0-2]|6[1-9]|7[0-2]|80)\d{7}", s)) and weighted(s, (3, 7, 1) * 3) % 10 == 0


# ---- Vehicles

VIN_VALUE = dict(zip("0123456789ABCDEFGHJKLMNPRSTUVWXYZ", [*range(10), *range(1, 9), *range(1, 6), 7, 9, *range(2, 10)]))
VIN_WEIGHT = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
VIN_CHARS = "0123456789ABCDEFGHJKLMNPRSTUVWXYZ"


def vin_digit(s):
    return "0123456789X"[sum(VIN_VALUE[c] * w for c, w in zip(s, VIN_WEIGHT)) % 11]


def vin(r):
    s = r.choice(("1HG", "1FT", "1G1", "2HG", "3VW", "1C4", "5YJ", "4T1", "2T1", "1N4", "5NP", "JTD", "JHM", "KMH", "WBA")) \
        + chars(r, VIN_CHARS, 5) + "0" + r.choice("ABCDEFGHJKLMNPR") + r.choice("ABCDEFGHJKLMNPRSTUVWXYZ0123456789") + digits(r, 6)
    return s[:8] + vin_digit(s) + s[9:]


def vin_eu(r):
    """European makers do not fill the check digit."""
    return r.choice(("WVWZZZ", "WAUZZZ", "WBA3A5", "WDD204", "VF1BM0", "VF37J9", "ZFA312", "SALLAA", "YV1MS3", "TMBJF7", "WF0AXX")) \
        + digits(r, 1) + r.choice("ABCEFGJKT") + r.choice("Z0123456789") + r.choice("789ABCDEFGHJKLMNPR") + r.choice("WBEKPS") + digits(r, 6)


def vin_ok(s):
    return bool(re.fullmatch("[%s]{17}" % VIN_CHARS, s)) and vin_digit(s) == s[8]


# ---- National numbers

def uk_nino(r):
    while True:
        p = r.choice("ABCEGHJKLMNOPRSTWXYZ") + r.choice("ABCEGHJKLMNPRSTWXYZ")
        if p not in ("BG", "GB", "NK", "KN", "TN", "NT", "ZZ"):
            return p + digits(r, 6) + r.choice("ABCD")


def uk_nhs(r):
    while True:
        s = r.choice("4567") + digits(r, 8)
        c = -weighted(s, range(10, 1, -1)) % 11
        if c < 10:
            return s + str(c)


def uk_nhs_ok(s):
    s = bare(s)
    return bool(re.fullmatch(r"\d{10}", s)) and weighted(s, range(10, 0, -1)) % 11 == 0


D5 = [[(a + b) % 5 if a < 5 and b < 5 else (a + b) % 5 + 5 if a < 5 else (a - b) % 5 + 5 if b < 5 else (a - b) % 5
       for b in range(10)] for a in range(10)]
PERM = [list(range(10)), [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]]
while len(PERM) < 8:
    PERM.append([PERM[-1][PERM[1][i]] for i in range(10)])


def verhoeff(s):
    c = 0
    for i, ch in enumerate(reversed(s)):
        c = D5[c][PERM[i % 8][int(ch)]]
    return c


def in_aadhaar(r):
    s = r.choice("23456789") + digits(r, 10)
    return s + next(d for d in "0123456789" if verhoeff(s + d) == 0)


def in_aadhaar_ok(s):
    s = bare(s)
    return bool(re.fullmatch(r"[2-9]\d{11}", s)) and verhoeff(s) == 0


def in_pan(r):
    return chars(r, string.ascii_uppercase, 3) + "P" + r.choice("ABCDGJKMNPRSTV") + digits(r, 4) + r.choice(string.ascii_uppercase)


def mod11_br(s, weights):
    c = -weighted(s, weights) % 11
    return "0" if c == 10 else str(c)


def br_cpf(r):
    s = digits(r, 9)
    s += mod11_br(s, range(10, 1, -1))
    return s + mod11_br(s, range(11, 1, -1))


def br_cpf_ok(s):
    s = bare(s)
    return bool(re.fullmatch(r"\d{11}", s)) and s != s[0] * 11 and s[9] == mod11_br(s[:9], range(10, 1, -1)) \
        and s[10] == mod11_br(s[:10], range(11, 1, -1))


CNPJ = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)


def br_cnpj(r):
    s = digits(r, 8) + "000" + r.choice("111112")
    s += mod11_br(s, CNPJ[1:])
    return s + mod11_br(s, CNPJ)


def br_cnpj_ok(s):
    s = bare(s)
    return bool(re.fullmatch(r"\d{14}", s)) and int(s) > 0 and s[12] == mod11_br(s[:12], CNPJ[1:]) and s[13] == mod11_br(s[:13], CNPJ)


def fr_nir(r):
    d = a_date(r)
    dep = "2A" if r.random() < .01 else "%02d" % r.choice([*range(1, 20), *range(21, 96)])
    s = r.choice("12") + d.strftime("%y%m") + dep + "%03d" % r.randint(1, 400) + "%03d" % r.randint(1, 600)
    return s + "%02d" % (97 - int(s.replace("2A", "19")) % 97)


def fr_nir_ok(s):
    s = bare(s)
    return bool(re.fullmatch(r"[12378]\d{4}(\d\d|2[AB])\d{8}", s)) \
        and 97 - int(s[:13].replace("2A", "19").replace("2B", "18")) % 97 == int(s[13:])


DNI = "TRWAGMYFPDXBNJZSQVHLCKE"


def es_dni(r):
    if r.random() < .1:
        n = r.randrange(3), digits(r, 7)
        return "XYZ"[n[0]] + n[1] + DNI[int(str(n[0]) + n[1]) % 23]
    n = digits(r, 8)
    return n + DNI[int(n) % 23]


def es_dni_ok(s):
    m = re.fullmatch(r"([XYZ])(\d{7})([A-Z])|(\d{7,8})([A-Z])", bare(s))
    if not m:
        return False
    if m[1]:
        return DNI[int(str("XYZ".index(m[1])) + m[2]) % 23] == m[3]
    return DNI[int(m[4]) % 23] == m[5]


def cf_letters(name, given=False):
    name = re.sub("[^A-Z]", "", name.upper())
    cons, vows = re.sub("[AEIOU]", "", name), re.sub("[^AEIOU]", "", name)
    if given and len(cons) > 3:
        cons = cons[0] + cons[2:]
    return (cons + vows + "XXX")[:3]


def cf_check(s):
    return string.ascii_uppercase[sum(ODD[c] if i % 2 == 0 else VALUE[c] % 10 if c.isdigit() else ord(c) - 65
                                      for i, c in enumerate(s)) % 26]


def it_cf(r, given="", family="", female=None):
    given, family = given or chars(r, "ABCDEFGILMNOPRSTUV", 6), family or chars(r, "ABCDEFGILMNOPRSTUV", 6)
    d, female = a_date(r), r.random() < .5 if female is None else female
    s = cf_letters(family) + cf_letters(given, True) + d.strftime("%y") + "ABCDEHLMPRST"[d.month - 1] \
        + "%02d" % (d.day + 40 * female) + r.choice("H501 F205 F839 L219 G273 D969 A944 D612 A662 C351 L736 L781 B354 F158 Z129".split())
    return s + cf_check(s)


def it_cf_ok(s):
    s = bare(s)
    return bool(re.fullmatch(r"[A-Z]{6}[0-9LMNPQRSTUV]{2}[ABCDEHLMPRST][0-9LMNPQRSTUV]{2}[A-Z][0-9LMNPQRSTUV]{3}[A-Z]", s)) \
        and cf_check(s[:15]) == s[15]


def mod11_10(s):
    p = 10
    for c in s:
        t = (int(c) + p) % 10 or 10
        p = t * 2 % 11
    return str((11 - p) % 10)


def de_steuerid(r):
    while True:
        ds = r.sample("0123456789", 9)
        s = ds + [r.choice(ds)]
        r.shuffle(s)
        if s[0] != "0":
            s = "".join(s)
            return s + mod11_10(s)


def de_steuerid_ok(s):
    s = bare(s)
    if not re.fullmatch(r"[1-9]\d{10}", s):
        return False
    counts = sorted(s[:10].count(d) for d in "0123456789")
    return counts[-2] < 2 and counts[-1] in (2, 3) and mod11_10(s[:10]) == s[10]


def pl_pesel(r):
    d = a_date(r)
    s = "%02d%02d%02d" % (d.year % 100, d.month + (20 if d.year >= 2000 else 0), d.day) + digits(r, 4)
    return s + str(-weighted(s, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10)


def pl_pesel_ok(s):
    return bool(re.fullmatch(r"\d{11}", s)) and weighted(s, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0 \
        and is_date({0: 1900, 1: 2000, 2: 2100, 3: 2200, 4: 1800}[int(s[2]) // 2] + int(s[:2]), int(s[2:4]) % 20, s[4:6])


def nl_bsn(r):
    while True:
        s = digits(r, 8)
        c = weighted(s, range(9, 1, -1)) % 11
        if c < 10 and s[:2] != "00":
            return s + str(c)


def nl_bsn_ok(s):
    s = bare(s).zfill(9)
    return bool(re.fullmatch(r"\d{9}", s)) and int(s) > 0 and weighted(s, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


TFN = {9: (1, 4, 3, 7, 5, 8, 6, 9, 10), 8: (10, 7, 8, 4, 6, 3, 5, 1)}


def au_tfn(r):
    while True:
        s = r.choice("123456789") + digits(r, 7)
        c = weighted(s, TFN[9]) % 11
        if c < 10:
            return s + str(c)


def au_tfn_ok(s):
    s = bare(s)
    return s.isdigit() and len(s) in TFN and weighted(s, TFN[len(s)]) % 11 == 0


def au_medicare(r):
    s = r.choice("23456") + digits(r, 7)
    return s + str(weighted(s, (1, 3, 7, 9) * 2) % 10) + r.choice("1112345")


def au_medicare_ok(s):
    s = bare(s)
    return bool(re.fullmatch(r"[2-6]\d{9,10}", s)) and weighted(s, (1, 3, 7, 9) * 2) % 10 == int(s[8])


def nric_letter(s):
    n = weighted(s[1:], (2, 7, 6, 5, 4, 3, 2)) + (4 if s[0] in "TG" else 0)
    return ("JZIHGFEDCBA" if s[0] in "ST" else "XWUTRQPNMLK")[n % 11]


def sg_nric(r):
    d = a_date(r, 1968)
    kind = "T" if d.year >= 2000 else "S"
    s = kind + d.strftime("%y") + digits(r, 5) if r.random() < .85 else r.choice("FG") + digits(r, 7)
    return s + nric_letter(s)


def sg_nric_ok(s):
    return bool(re.fullmatch(r"[STFG]\d{7}[A-Z]", s)) and nric_letter(s[:8]) == s[8]


CN = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def cn_rid(r):
    s = r.choice("110101 110105 310101 310115 440106 440305 330106 510104 420106 320102 370102 610103 210102 500103".split()) \
        + a_date(r).strftime("%Y%m%d") + digits(r, 3)
    return s + "10X98765432"[weighted(s, CN) % 11]


def cn_rid_ok(s):
    return bool(re.fullmatch(r"[1-8]\d{16}[\dX]", s)) and "10X98765432"[weighted(s, CN) % 11] == s[17] and is_date(s[6:10], s[10:12], s[12:14])


KR = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)


def kr_rrn(r):
    d = a_date(r)
    s = d.strftime("%y%m%d") + r.choice("12" if d.year < 2000 else "34") + "%04d" % r.randint(0, 9500) + r.choice("123")
    return s[:6] + "-" + s[6:] + str((11 - weighted(s, KR) % 11) % 10)


def kr_rrn_ok(s):
    s = bare(s)
    return bool(re.fullmatch(r"\d{6}[1-8]\d{6}", s)) and (11 - weighted(s, KR) % 11) % 10 == int(s[12]) \
        and is_date(("19" if s[6] in "1256" else "20") + s[:2], s[2:4], s[4:6])


def mynumber_digit(s):
    n = weighted(reversed(s), (2, 3, 4, 5, 6, 7, 2, 3, 4, 5, 6)) % 11
    return "0" if n <= 1 else str(11 - n)


def jp_mynumber(r):
    s = digits(r, 11)
    return s + mynumber_digit(s)


def jp_mynumber_ok(s):
    s = bare(s)
    return bool(re.fullmatch(r"\d{12}", s)) and mynumber_digit(s[:11]) == s[11]


def us_itin(r):
    return "9%s-%02d-%s" % (digits(r, 2), r.choice([*range(50, 66), *range(70, 89), 90, 91, 92, *range(94, 100)]), digits(r, 4))


def ssn(r):
    while True:
        s = "%03d-%02d-%04d" % (r.choice((r.randint(1, 665), r.randint(667, 772))), r.randint(1, 99), r.randint(1, 9999))
        if s not in ("078-05-1120", "219-09-9999"):
            return s


def ssn_ok(s):
    return bool(re.fullmatch(r"(?!000|666|9)\d{3}-(?!00)\d\d-(?!0000)\d{4}", s))


# ---- Crypto wallets

B58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
B32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def b58check(payload):
    payload += hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    n, out = int.from_bytes(payload, "big"), ""
    while n:
        n, k = divmod(n, 58)
        out = B58[k] + out
    return "1" * (len(payload) - len(payload.lstrip(b"\0"))) + out


def b58_ok(s):
    if any(c not in B58 for c in s):
        return False
    n = 0
    for c in s:
        n = n * 58 + B58.index(c)
    raw = n.to_bytes(40, "big").lstrip(b"\0")
    raw = b"\0" * (len(s) - len(s.lstrip("1"))) + raw
    return len(raw) == 25 and hashlib.sha256(hashlib.sha256(raw[:-4]).digest()).digest()[:4] == raw[-4:]


def polymod(values):
    chk = 1
    for v in values:
        top = chk >> 25
        chk = (chk & 0x1ffffff) << 5 ^ v
        for i, g in enumerate((0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3)):
            chk ^= g if top >> i & 1 else 0
    return chk


HRP = [ord(c) >> 5 for c in "bc"] + [0] + [ord(c) & 31 for c in "bc"]


def bech32(r):
    version, size = r.choice(((0, 20), (0, 20), (0, 32), (1, 32)))
    bits = int.from_bytes(r.randbytes(size), "big")
    count = -(-size * 8 // 5)
    bits <<= count * 5 - size * 8
    data = [version] + [bits >> 5 * (count - 1 - i) & 31 for i in range(count)]
    chk = polymod(HRP + data + [0] * 6) ^ (1 if version == 0 else 0x2bc830a3)
    return "bc1" + "".join(B32[d] for d in data + [chk >> 5 * (5 - i) & 31 for i in range(6)])


def bech32_ok(s):
    s = s.lower() if s.isupper() else s
    if not s.startswith("bc1") or len(s) not in (42, 62) or any(c not in B32 for c in s[3:]):
        return False
    data = [B32.index(c) for c in s[3:]]
    return polymod(HRP + data) == (1 if data[0] == 0 else 0x2bc830a3)


ROT = [[0, 36, 3, 41, 18], [1, 44, 10, 45, 2], [62, 6, 43, 15, 61], [28, 55, 25, 21, 56], [27, 20, 39, 8, 14]]
MASK = (1 << 64) - 1


def keccak_constants():
    out, lfsr = [], 1
    for _ in range(24):
        c = 0
        for j in range(7):
            c |= (lfsr & 1) << (1 << j) - 1
            lfsr = lfsr << 1 ^ (0x171 if lfsr & 0x80 else 0)
        out.append(c)
    return out


RC = keccak_constants()


def keccak256(data):
    """The original Keccak padding, for messages shorter than one block."""
    block = bytearray(136)
    block[:len(data)] = data
    block[len(data)] ^= 1
    block[135] ^= 0x80
    a = [[int.from_bytes(block[8 * (x + 5 * y):][:8], "little") if x + 5 * y < 17 else 0 for y in range(5)] for x in range(5)]
    rot = lambda v, n: (v << n | v >> 64 - n) & MASK
    for rc in RC:
        c = [a[x][0] ^ a[x][1] ^ a[x][2] ^ a[x][3] ^ a[x][4] for x in range(5)]
        d = [c[x - 1] ^ rot(c[(x + 1) % 5], 1) for x in range(5)]
        b = [[0] * 5 for _ in range(5)]
        for x in range(5):
            for y in range(5):
                b[y][(2 * x + 3 * y) % 5] = rot(a[x][y] ^ d[x], ROT[x][y])
        a = [[b[x][y] ^ ~b[(x + 1) % 5][y] & MASK & b[(x + 2) % 5][y] for y in range(5)] for x in range(5)]
        a[0][0] ^= rc
    return b"".join(a[x][0].to_bytes(8, "little") for x in range(4))


def eip55(hexa):
    h = keccak256(hexa.encode()).hex()
    return "0x" + "".join(c.upper() if int(k, 16) > 7 else c for c, k in zip(hexa, h))


def eth(r):
    return "0x" + r.randbytes(20).hex()


def wallet(r):
    k = r.randrange(5)
    if k < 2:
        return b58check((b"\0" if k else b"\5") + r.randbytes(20))
    return (bech32(r), eth(r), eip55(eth(r)[2:]))[k - 2]


def wallet_ok(s):
    if s[:2] == "0x":
        h = s[2:]
        return bool(re.fullmatch("[0-9a-fA-F]{40}", h)) and (h == h.lower() or h == h.upper() or s == eip55(h.lower()))
    return b58_ok(s) if s[:1] in "13" else bech32_ok(s)


# ---- Net and tokens

def ipv4(r):
    while True:
        s = "%d.%d.%d.%d" % (r.randint(1, 223), r.randrange(256), r.randrange(256), r.randint(1, 254))
        if not s.startswith(("127.", "10.", "169.254")):
            return s


def ipv6(r):
    head = r.choice(("2001:db8", "2a02:8108", "2003:e4", "2600:1700", "2a01:e0a", "2804:14c", "240d:1a", "fe80:"))
    if head == "fe80:":
        return "fe80::" + ":".join("%x" % r.randint(1, 65535) for _ in range(4))
    n = r.choice((2, 6, 6))
    return head + (":" if n == 6 else "::") + ":".join("%x" % r.randint(1, 65535) for _ in range(n))


def ip(r):
    return ipv4(r) if r.random() < .6 else ipv6(r)


def ip_ok(s):
    try:
        ipaddress.ip_address(s)
        return True
    except ValueError:
        return False


OUI = "3c:22:fb a4:83:e7 00:1a:2b f0:18:98 b8:27:eb 00:50:56 dc:a6:32 8c:85:90 00:0c:29 5c:f9:dd 48:2c:a0".split()


def mac(r):
    return r.choice(OUI) + ":" + r.randbytes(3).hex(":")


def mac_ok(s):
    return bool(re.fullmatch(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}|[0-9a-fA-F]{2}(-[0-9a-fA-F]{2}){5}|[0-9a-fA-F]{4}(\.[0-9a-fA-F]{4}){2}|[0-9a-fA-F]{12}", s))


def b64url(b):
    return base64.urlsafe_b64encode(b).rstrip(b"=").decode()


def jwt(r, claims=None):
    alg = r.choice(("HS256", "HS256", "HS512", "RS256"))
    header = {"alg": alg, "typ": "JWT"} if r.random() < .7 else {"typ": "JWT", "alg": alg, "kid": r.randbytes(4).hex()}
    claims = claims or {"sub": str(r.randint(1, 10 ** 6)), "iat": 1600000000 + int(r.random() * 1e8), "iss": "auth.example.com"}
    head = ".".join(b64url(json.dumps(x, separators=(",", ":")).encode()) for x in (header, claims))
    sig = r.randbytes(256) if alg == "RS256" else hmac.new(r.randbytes(16), head.encode(), "sha512" if alg == "HS512" else "sha256").digest()
    return head + "." + b64url(sig)


def jwt_ok(s):
    parts = s.split(".")
    if len(parts) != 3 or not all(re.fullmatch(r"[\w\-]+", p, re.A) for p in parts):
        return False
    try:
        head, body = (json.loads(base64.urlsafe_b64decode(p + "=" * (-len(p) % 4))) for p in parts[:2])
        return isinstance(head, dict) and "alg" in head and isinstance(body, dict)
    except ValueError:
        return False


EMAIL = re.compile(r"(?!\.)[A-Za-z0-9.!#$%&'*+/=?^_`{|}~\-]{1,64}(?<!\.)@([A-Za-z0-9]([A-Za-z0-9\-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}")


def email_ok(s):
    return bool(EMAIL.fullmatch(s)) and ".." not in s


SCHEMES = "uk_nhs ca_sin in_aadhaar br_cpf br_cnpj fr_nir es_dni it_cf de_steuerid pl_pesel nl_bsn se_pnr au_tfn au_medicare " \
          "sg_nric cn_rid kr_rrn jp_mynumber".split()
MAKE = {n: globals()[n] for n in SCHEMES + "uk_nino in_pan us_itin ssn credit_card imei iban routing_number vin jwt mac ip".split()}
MAKE["crypto_wallet"] = wallet
VALID = {n: globals()[n + "_ok"] for n in SCHEMES + "ssn credit_card imei iban routing_number vin jwt".split()}
VALID |= {"crypto_wallet": wallet_ok, "ip_address": ip_ok, "mac_address": mac_ok, "email": email_ok}
