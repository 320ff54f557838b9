"""The kinds of columns without personal data, many of them look-alikes: one N(...) a kind, see kinds.py."""
import base64
import datetime
import string

import checkdigits as cd
import people as pp
from checkdigits import chars, digits
from kinds import K, arr, jsonb, one, words
from naming import by_language
from people import pattern

SPAN = {"de": "de_DE", "fr": "fr_FR", "es": "es_ES", "it": "it_IT", "pt": "pt_BR", "nl": "nl_NL", "pl": "pl_PL", "sv": "sv_SE", "tr": "tr_TR"}


def N(name, gen, kind, table, names, **more):
    """A kind without a label; its locales are en_US and those of the languages it has names in."""
    names = by_language("en: " + names)
    return K(name, None, gen, kind, names, table, " ".join(["en_US"] + [SPAN[k] for k in names if k != "en"]), junk=more.pop("junk", 0), **more)


# ---- numbers

def ints(low, high, power=1.0):
    return lambda r, L: str(low + int((high - low + 1) * r.random() ** power))


def decimals(low, high, places=2, power=1.0):
    return lambda r, L: f"{low + (high - low) * r.random() ** power:.{places}f}"


def normal(mean, sd, places=2):
    return lambda r, L: f"{r.gauss(mean, sd):.{places}f}"


def serial(r, L, n):
    start = r.choice((1, 1, 1001, 50000))
    return [str(start + i) for i in range(n)]


def running(head, size, step=9):
    """Numbers that go up: a fixed head, then a counter of the given size."""
    def draw(r, L, n):
        at, out = r.randrange(10 ** (size - 1), 10 ** size // 2), []
        for _ in range(n):
            at += r.randint(1, step)
            out.append(head + "%0*d" % (size, at))
        return out
    return draw


def epoch(scale):
    return lambda r, L: str(int((1.5e9 + r.random() * 2.3e8) * scale))


def moment(form, first=2018, last=2024):
    def draw(r, L):
        d = datetime.datetime.combine(cd.a_date(r, first, last), datetime.time(r.randrange(24), r.randrange(60), r.randrange(60)))
        return d.strftime(form or L.date)
    return draw


def running_moment(r, L, n):
    t, out = datetime.datetime(2023, r.randint(1, 12), r.randint(1, 28)), []
    for _ in range(n):
        t += datetime.timedelta(seconds=r.randint(20, 20000))
        out.append(t.strftime("%Y-%m-%d %H:%M:%S+00"))
    return out


# ---- articles with a check digit

def ean(r, L=None, size=13, head=""):
    s = head or r.choice(("400", "401", "500", "301", "871", "761", "590", "789"))[:size - 1]
    s += digits(r, size - 1 - len(s))
    return s + str(-sum(int(c) * (3 if i % 2 == 0 else 1) for i, c in enumerate(reversed(s))) % 10)


def isbn10(r, L):
    s = r.choice("0132") + digits(r, 8)
    c = -sum(int(d) * w for d, w in zip(s, range(10, 1, -1))) % 11
    return s + ("X" if c == 10 else str(c))


def issn(r, L):
    s = digits(r, 7)
    c = -cd.weighted(s, range(8, 1, -1)) % 11
    return s[:4] + "-" + s[4:] + ("X" if c == 10 else str(c))


def ups(r, L):
    s = chars(r, cd.ALNUM, 6) + "03" + digits(r, 7)
    total = sum((int(c) if c.isdigit() else (ord(c) - 63) % 10) * (2 if i % 2 else 1) for i, c in enumerate(s))
    return "1Z" + s + str(-total % 10)


def usps(r, L):
    s = r.choice(("9400", "9205", "9361")) + digits(r, 17)
    return s + str(-sum(int(c) * (3 if i % 2 == 0 else 1) for i, c in enumerate(reversed(s))) % 10)


def s10(r, L):
    s = digits(r, 8)
    c = 11 - cd.weighted(s, (8, 6, 4, 2, 3, 5, 9, 7)) % 11
    return r.choice(("RR", "CP", "EE", "LX")) + s + {10: "0", 11: "5"}.get(c, str(c)) + r.choice(("DE", "GB", "CN", "US", "FR"))


def isin(r, L):
    s = r.choice(("US", "DE000", "FR00", "GB00", "NL00"))
    s += chars(r, cd.ALNUM, 11 - len(s))
    return s + cd.luhn_digit("".join(str(cd.VALUE[c]) for c in s))


def cusip(r, L):
    s = digits(r, 3) + chars(r, cd.ALNUM, 5)
    total = sum(sum(divmod(cd.VALUE[c] * (2 if i % 2 else 1), 10)) for i, c in enumerate(s))
    return s + str(-total % 10)


def lei(r, L):
    s = r.choice(("5493", "2138", "5299", "9695")) + "00" + chars(r, cd.ALNUM, 12)
    return s + "%02d" % (98 - cd.letters_to_number(s + "00") % 97)


def container(r, L):
    s = r.choice(("MSCU", "MAEU", "HLXU", "TCLU", "CMAU")) + digits(r, 6)
    value = {c: 10 + i + (i + 9) // 10 for i, c in enumerate(string.ascii_uppercase)}
    return s + str(sum((value[c] if c.isalpha() else int(c)) * 2 ** i for i, c in enumerate(s)) % 11 % 10)


def cas(r, L):
    a, b = str(r.randint(50, 999999)), digits(r, 2)
    return f"{a}-{b}-{sum(int(c) * (i + 1) for i, c in enumerate(reversed(a + b))) % 10}"


def wagon(r, L):
    s = r.choice(("3180", "2154", "3380", "8380")) + digits(r, 7)
    return s + cd.luhn_digit(s)


def any_digits(size, head=""):
    """Long references; by chance one in ten would pass Luhn, as in real tables."""
    return lambda r, L: head + r.choice("123456789") + digits(r, size - 1 - len(head))


# ---- text

def product(r, L):
    w = words("noun")(r, L)
    return r.choice((f"{one('adjective')(r, L)} {w}", f"{w} {r.choice('XSRTQ')}{r.randint(1, 900)}", f"{w} {words('colour')(r, L)}", w))


def describe(r, L):
    return {"de": "{0} aus robustem Material, {1} cm, Farbe {2}, {3} Jahre Garantie.", "fr": "{0} en matériau robuste, {1} cm, couleur {2}, garantie {3} ans.",
            "es": "{0} de material resistente, {1} cm, color {2}, {3} años de garantía."}.get(
        L.lang, "{0} made of durable material, {1} cm, in {2}, {3} year warranty. Easy to clean.").format(product(r, L), r.randint(10, 180), words("colour")(r, L), r.randint(1, 5))


def lorem(r, L):
    return " ".join(r.choices(pp.WORDS["lorem"], k=r.randint(6, 30))).capitalize() + "."


def company(r, L):
    return r.choice(pp.WORDS["firm"]).capitalize() + " " + r.choice(pp.WORDS["sector"]) + " " + r.choice(pp.WORDS["suffix"])


def family_firm(r, L):
    f = pp.often(r, L.family)
    return r.choice((f"{f} & {r.choice({'de': ('Söhne', 'Partner'), 'fr': ('Fils', 'Associés'), 'es': ('Hijos', 'Asociados')}.get(L.lang, ('Sons', 'Partners')))}", f"{f} {r.choice(pp.WORDS['sector'])}")) + " " + r.choice(pp.WORDS["suffix"])


def file_name(r, L):
    return r.choice(pp.WORDS["stem"]) + r.choice(("", "_v2", "-2024", "_final", "_%03d" % r.randint(1, 400))) + "." + r.choice(pp.WORDS["ext"])


def file_path(r, L):
    return r.choice(("/var/data/", "/srv/files/2024/", "C:\\export\\", "s3://backups/daily/", "/opt/app/static/")) + file_name(r, L)


def url(r, L):
    return f"https://{r.choice(('www', 'shop', 'docs', 'cdn'))}.{r.choice(pp.WORDS['firm'])}.com/" + r.choice(("products/", "en/help/", "static/img/", "category/")) \
        + r.choice(pp.WORDS["lorem"]) + r.choice(("", ".html", f"?page={r.randint(1, 30)}", f"-{r.randint(100, 9999)}", "?utm_source=mail&utm_campaign=spring"))


def host(r, L):
    return f"{r.choice(pp.WORDS['hosts'])}{r.randint(1, 40):02}" + r.choice(("", ".prod", ".eu-west-1")) + f".{r.choice(pp.WORDS['firm'])}" + r.choice((".internal", ".local", ".com"))


def log(r, L):
    return moment("%Y-%m-%d %H:%M:%S")(r, L) + " " + r.choice((f"INFO request served in {r.randint(2, 900)} ms", f"WARN disk usage {r.randint(60, 99)} %", f"ERROR worker {r.randint(1, 16)} exited with code {r.randint(1, 139)}",
                                                              "DEBUG cache miss key=prod:" + r.randbytes(6).hex(), f"INFO listening on port {r.choice((80, 443, 5432, 8080))}"))


def settings(r, L):
    return jsonb({"dark": r.random() < .5, "retries": r.randint(0, 9), "mode": r.choice(("fast", "safe", "auto")), "timeout_ms": r.randint(1, 90) * 100,
                  "features": [one("feature")(r, L), one("tag")(r, L)]})


def measures(r, L):
    return jsonb({"unit": r.choice(("C", "bar", "%")), "value": round(r.random() * 100, 2), "ok": True, "ts": int(epoch(1000)(r, L))})


def item_json(r, L):
    return jsonb({"qty": r.randint(1, 9), "sku": pattern("@@-####")(r), "name": product(r, L), "price": round(r.random() * 300, 2), "brand": one("brand")(r, L)})


def template_json(r, L):
    """Keys that speak of persons, values that do not."""
    return jsonb({"email": r.random() < .8, "phone": r.choice(("required", "optional", "hidden")), "address": {"lines": r.randint(1, 4), "format": r.choice(("us", "eu"))}})


def ulid(r, L):
    return "01H" + chars(r, "0123456789ABCDEFGHJKMNPQRSTVWXYZ", 23)


def uuid(r, L):
    h = r.randbytes(16).hex()
    return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-{r.choice('89ab')}{h[17:20]}-{h[20:]}"


def hexa(n):
    return lambda r, L: r.randbytes(n).hex()


def b64(low, high):
    return lambda r, L: base64.b64encode(r.randbytes(r.randint(low, high))).decode()


def title(r, L):
    return one("bookhead")(r, L) + " " + one("booktail")(r, L)


def flag(share):
    return lambda r, L: "t" if r.random() < share else "f"


def codes(text):
    ws = text.split()
    return lambda r, L: ws[int(len(ws) * r.random() ** 1.3)]


KINDS = [
    # ---- keys and numbers of business objects
    N("serial_id", serial, "integer", "orders", "id row_id record_no | de: lfd_nr satz_nr | fr: num_ligne | es: num_registro", whole=True, key="primary", null=0),
    N("foreign_key", ints(1, 900), "integer", "orders", "product_id category_id store_id | de: artikel_id filial_id | fr: id_produit | es: id_producto", key="foreign"),
    N("customer_fk", ints(1, 40000), "bigint", "orders", "customer_id client_id user_id | de: kunden_id | fr: id_client | pl: id_klienta", key="foreign", told="name"),
    N("order_no.ten", running("", 10), "bigint", "orders", "order_no order_number | de: bestellnr auftrags_nr | fr: num_commande | es: num_pedido", whole=True, key="unique"),
    N("order_no.sixteen", any_digits(16), "character(16)", "orders", "order_number order_ref | de: auftragsnummer | fr: ref_commande | it: num_ordine", key="unique"),
    N("order_no.dated", running("20240517", 8, 40), "bigint", "orders", "order_id purchase_no | de: bestell_nr | nl: bestelnummer", whole=True, key="unique"),
    N("order_no.prefixed", pattern("ORD-########"), "varchar", "orders", "order_no order_code | de: bestellnr | es: num_pedido", key="unique"),
    N("invoice_no", running("INV-2024-", 6), "varchar", "orders", "invoice_no invoice_number bill_no | de: rechnungsnr re_nr | fr: num_facture | es: num_factura | it: num_fattura", whole=True, key="unique"),
    N("invoice_no.numeric", running("", 8), "integer", "orders", "invoice_no inv_number | de: belegnr | fr: no_piece", whole=True),
    N("reference.fifteen", any_digits(15), "bigint", "orders", "reference booking_ref shipment_id | de: vorgangsnr | fr: ref_dossier | pt: num_protocolo"),
    N("reference.eleven", any_digits(11), "character(11)", "products", "barcode label_no | de: etikett_nr | it: cod_etichetta | pt: cod_barras"),
    N("reference.twelve", any_digits(12), "bigint", "orders", "consignment_no lot_no | de: sendungsnr | nl: zendingnummer"),
    N("reference.eighteen", any_digits(18), "varchar", "orders", "txn_ref batch_ref | de: buchungsref | fr: ref_lot"),
    N("article.nine", any_digits(9), "integer", "products", "article_no material_no | de: artikelnr materialnr | fr: ref_article | pl: nr_artykulu", told="name"),
    N("sku.ten", any_digits(10), "bigint", "products", "sku item_no | de: artikelnummer | es: ref_producto | nl: artikelnr"),
    N("sku.letters", pattern("@@@-####-@"), "varchar", "products", "sku product_code | de: artikelcode | fr: code_article", key="unique"),
    N("part_no", lambda r, L: pattern(r.choice(("%##-####-##", "@%####.##", "%@#-###-###-@")))(r), "varchar", "products", "part_no part_number oem_no | de: teilenummer | fr: ref_piece | es: num_pieza"),
    N("part_no.dashed_3_2_4", pattern("A%#-##-####"), "varchar", "products", "part_no drawing_no | de: zeichnungsnr"),
    N("stock_no.ssn_like", pattern("9##-0#-####"), "varchar", "products", "stock_no nsn_part | de: lagernr", told="name"),
    N("ean13", ean, "character(13)", "products", "ean ean13 gtin | de: ean_code | fr: code_barre | pl: kod_ean"),
    N("ean13.bigint", ean, "bigint", "products", "gtin barcode | de: gtin_nr | es: codigo_barras"),
    N("ean8", lambda r, L: ean(r, size=8), "character(8)", "products", "ean8 short_gtin | de: ean8_code"),
    N("upc", lambda r, L: ean(r, size=12, head=r.choice("0678")), "character(12)", "products", "upc upc_code | es: codigo_upc"),
    N("gtin14", lambda r, L: ean(r, size=14, head="1400"), "bigint", "products", "gtin14 case_code | de: umkarton_gtin"),
    N("isbn13", lambda r, L: ean(r, head="978"), "varchar", "media", "isbn isbn13 | de: isbn_nr | fr: code_isbn"),
    N("isbn10", isbn10, "character(10)", "media", "isbn10 isbn | de: isbn_alt", told="name"),   # its check digit is also that of NHS numbers
    N("issn", issn, "character(9)", "media", "issn | fr: num_issn"),
    N("doi", lambda r, L: f"10.{r.randint(1000, 9999)}/{chars(r, string.ascii_lowercase, 4)}.{r.randint(2000, 2024)}.{digits(r, 5)}", "varchar", "media", "doi paper_doi | de: doi_nr"),
    N("tracking.ups", ups, "character(18)", "orders", "tracking_no ups_tracking | de: sendungsnummer"),
    N("tracking.usps", usps, "varchar", "orders", "tracking_number usps_no | es: num_seguimiento"),
    N("tracking.s10", s10, "character(13)", "orders", "parcel_no tracking | de: paketnr | fr: num_suivi"),
    N("container_no", container, "character(11)", "orders", "container_no box_no | de: containernr | nl: containernummer"),
    N("wagon_no", wagon, "character(12)", "orders", "wagon_no uic_number | de: wagennr | pl: nr_wagonu"),
    N("flight_no", lambda r, L: codes("LH BA AF KL IB AA UA TK LO FR U2")(r, L) + str(r.randint(10, 9899)), "varchar", "events", "flight_no flight | de: flugnr | fr: num_vol | es: vuelo"),
    N("airport", codes("JFK LHR CDG FRA AMS MAD FCO IST GRU NRT ARN WAW SFO"), "character(3)", "reference", "airport iata_code | de: flughafen | es: aeropuerto"),
    N("ticker", one("ticker"), "varchar", "reference", "ticker symbol | de: kuerzel | fr: mnemo"),
    N("isin", isin, "character(12)", "reference", "isin instrument_isin | de: wertpapier_isin | fr: code_isin"),
    N("cusip", cusip, "character(9)", "reference", "cusip security_id"),
    N("lei", lei, "character(20)", "companies", "lei entity_lei | de: lei_code"),
    N("cas_no", cas, "varchar", "sensors", "cas_no cas | de: cas_nummer | fr: num_cas"),
    N("hs_code", pattern("%###.##.##"), "varchar", "products", "hs_code tariff_no | de: zolltarifnr | fr: code_douane"),
    N("voucher", pattern("^^^^-^^^^-^^^^"), "varchar", "orders", "voucher_code coupon promo_code | de: gutscheincode | fr: code_promo | es: cupon"),
    N("promo.birthday", codes("BDAY10 BIRTHDAY2024 HAPPY20 BDAY15 BIRTHDAY5"), "varchar", "orders", "birthday_promo birthday_coupon | de: geburtstags_gutschein"),
    N("cost_centre", ints(1000, 9900), "smallint", "reference", "cost_center gl_code | de: kostenstelle | fr: centre_cout | es: centro_coste"),
    N("gl_account", ints(100000, 899999), "integer", "reference", "gl_account ledger_account | de: sachkonto konto | fr: compte_general"),
    # ---- time
    N("created_at", running_moment, "timestamp with time zone", "customers", "created_at updated_at last_seen | de: erstellt_am geaendert_am | fr: cree_le modifie_le | es: creado_en", whole=True, null=.02),
    N("epoch.seconds", epoch(1), "integer", "events", "ts event_time created_ts | de: zeitstempel | fr: horodatage"),
    N("epoch.millis", epoch(1e3), "bigint", "events", "ts_ms timestamp_ms | de: zeit_ms | es: marca_tiempo"),
    N("epoch.micros", epoch(1e6), "bigint", "events", "ts_us event_micros | de: zeit_us"),
    N("order_date", moment("%Y-%m-%d"), "date", "orders", "order_date shipped_on | de: bestelldatum | fr: date_commande | es: fecha_pedido"),
    N("due_date.text", moment(None, 2022, 2025), "varchar", "orders", "due_date payable_by | de: faellig_am | fr: echeance | es: vencimiento | it: scadenza"),
    N("release_date", moment("%Y-%m-%d", 1935, 2023), "date", "media", "release_date published_on | de: erscheinungsdatum | fr: date_sortie", told="name"),
    N("founded_on", moment("%Y-%m-%d", 1900, 2015), "date", "companies", "founded_on established | de: gruendungsdatum | fr: date_creation_societe", told="name"),
    N("expiry_date", moment("%Y-%m-%d", 2024, 2031), "date", "products", "expiry_date best_before | de: mhd ablaufdatum | es: caducidad | pl: data_waznosci"),
    N("built_year", ints(1950, 2023), "smallint", "products", "year model_year built | de: baujahr | fr: annee | es: anio"),
    N("day_number", moment("%Y%m%d", 2019, 2024), "integer", "reference", "date_key day_id | de: datum_id | fr: cle_date"),
    N("time_of_day", moment("%H:%M:%S"), "time without time zone", "events", "start_time opens_at | de: beginn uhrzeit | fr: heure"),
    N("duration", ints(1, 86400, 3), "integer", "events", "duration_s elapsed | de: dauer | fr: duree"),
    N("period", moment("%Y-%m"), "character(7)", "orders", "period month_key | de: monat_jahr | es: periodo"),
    N("password_changed_at", moment("%Y-%m-%d %H:%M:%S+00"), "timestamp with time zone", "users", "password_changed_at email_verified_at phone_confirmed_at | de: passwort_geaendert_am | fr: mdp_modifie_le | es: email_verificado_en"),
    # ---- amounts and measures
    N("price", decimals(1, 900, 2, 3), "numeric(12,2)", "products", "price unit_price net_price | de: preis einzelpreis | fr: prix prix_ht | es: precio | it: prezzo"),
    N("price.text", lambda r, L: "€ %.2f" % (r.random() ** 3 * 500), "varchar", "products", "price_label list_price | de: preis_text | nl: prijs"),
    N("quantity", ints(0, 500, 3), "integer", "orders", "quantity qty stock | de: menge bestand | fr: quantite | es: cantidad | pl: ilosc"),
    N("percentage", decimals(0, 100, 2), "numeric(5,2)", "products", "discount_pct vat_rate margin | de: rabatt_prozent | fr: taux_remise"),
    N("score", decimals(0, 1, 4), "double precision", "events", "score probability confidence | de: punktwert | es: puntuacion"),
    N("rating", ints(1, 5, .6), "smallint", "products", "rating stars | de: bewertung | fr: note | es: valoracion"),
    N("weight", decimals(.1, 60, 3, 2), "numeric(10,3)", "products", "weight_kg weight | de: gewicht | fr: poids | es: peso"),
    N("dimensions", lambda r, L: "x".join(str(r.randint(5, 240)) for _ in range(3)) + r.choice((" cm", "", " mm")), "varchar", "products", "dimensions size_lwh | de: abmessungen masse | fr: dimensions_colis"),
    N("temperature", normal(21, 4, 1), "double precision", "sensors", "temperature temp_c | de: temperatur | fr: temperature | es: temperatura"),
    N("sensor", normal(1013, 9, 3), "double precision", "sensors", "pressure reading | de: druck messwert | fr: pression"),
    N("floor_plan", decimals(0, 60, 2), "numeric(6,2)", "sensors", "pos_x pos_y x_m | de: pos_x_m | fr: abscisse"),
    N("floor_point", lambda r, L: f"({r.randint(0, 1920)},{r.randint(0, 1080)})", "point", "sensors", "pixel click_pos layout_xy | de: bildpunkt"),
    N("angle", decimals(-90, 90, 6), "double precision", "sensors", "tilt angle_deg | de: neigungswinkel", told="name"),
    N("item_age", ints(0, 60, 2), "integer", "products", "age_days shelf_age stock_age | de: lageralter | fr: age_stock"),
    N("budget", decimals(10000, 900000, 2, 2), "numeric(14,2)", "reference", "budget dept_budget revenue | de: budget umsatz | fr: chiffre_affaires | es: ingresos", told="name"),
    N("email_count", ints(0, 40, 3), "integer", "users", "email_count phone_count login_attempts | de: anzahl_emails | fr: nb_emails | es: num_correos"),
    N("token_count", ints(10, 8000, 2), "integer", "events", "token_count tokens_used prompt_tokens | de: anzahl_token"),
    N("name_length", ints(3, 40), "smallint", "reference", "name_length max_name_len password_min_length | de: namenslaenge"),
    N("port", codes("80 443 5432 8080 22 3306 6379 9200 25 5672"), "integer", "systems", "port listen_port | de: port_nr | fr: num_port"),
    N("postal_zone", ints(1, 9), "smallint", "reference", "zip_zone postal_zone delivery_zone | de: plz_zone | fr: zone_postale"),
    # ---- hex, hashes, tokens that are not secret
    N("uuid", uuid, "uuid", "orders", "uuid order_uuid guid | de: uuid_auftrag | fr: uuid_commande", key="primary", null=0),
    N("uuid.text", uuid, "character(36)", "events", "event_id correlation_id | de: ereignis_id", key="unique"),
    N("file_md5", hexa(16), "character(32)", "files", "md5 checksum file_md5 | de: pruefsumme | fr: somme_md5"),
    N("file_sha1", hexa(20), "character(40)", "files", "sha1 content_sha1 | de: datei_sha1 | es: suma_sha1"),
    N("file_sha256", hexa(32), "character(64)", "files", "sha256 file_hash digest | de: datei_hash | fr: empreinte_fichier"),
    N("git_commit", hexa(20), "character(40)", "files", "commit_sha revision git_commit | de: commit_id"),
    N("git_short", lambda r, L: r.randbytes(4).hex()[:7], "character(7)", "files", "short_sha build_rev | de: rev_kurz"),
    N("etag", lambda r, L: r.choice(('W/"%s"', '"%s"')) % r.randbytes(8).hex(), "varchar", "files", "etag http_etag | de: etag_wert"),
    N("cache_key", lambda r, L: "v2:" + r.choice(("page", "cart", "menu")) + ":" + r.randbytes(8).hex(), "varchar", "systems", "cache_key key | de: cache_schluessel | fr: cle_cache"),
    N("hex_id", hexa(12), "character(24)", "events", "object_id mongo_id | de: objekt_id"),
    N("hex_id.twelve", hexa(6), "character(12)", "files", "layer_id image_id | de: abbild_id"),
    N("trace_id", hexa(16), "character(32)", "systems", "trace_id span_parent | de: ablauf_id"),
    N("base64_blob", b64(30, 90), "text", "files", "thumbnail blob content_b64 | de: vorschau_daten | fr: donnees_b64"),
    N("ulid", ulid, "character(26)", "events", "ulid event_ulid | de: ulid_nr", key="unique"),
    N("nanoid", lambda r, L: chars(r, string.ascii_letters + string.digits + "_-", 21), "character(21)", "files", "nanoid public_id slug_id | de: kurz_id"),
    N("short_id", lambda r, L: chars(r, string.ascii_letters + string.digits, 8), "character(8)", "files", "short_id link_code | de: kurzcode"),
    N("memory_address", lambda r, L: "0x%012x" % (0x7f0000000000 + int(r.random() * 0xffffffffff)), "varchar", "systems", "address mem_address pointer | de: speicher_adresse"),
    N("colour_hex", lambda r, L: "#" + r.randbytes(3).hex(), "character(7)", "products", "color_hex hex | de: farbcode"),
    N("public_key", lambda r, L: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + chars(r, string.ascii_letters + string.digits, 43), "text", "systems", "public_key host_key | de: oeffentlicher_schluessel"),
    N("certificate_serial", lambda r, L: r.randbytes(16).hex(":"), "varchar", "systems", "cert_serial serial | de: zert_seriennr"),
    # ---- versions, systems
    N("version.three", pattern("%.#.##"), "varchar", "files", "version app_version | de: programmversion | fr: num_version"),
    N("version.four", lambda r, L: f"{r.randint(1, 12)}.{r.randint(0, 20)}.{r.randint(0, 40)}.{r.randint(0, 255)}", "varchar", "files", "version file_version driver_version firmware | de: dateiversion | es: version_archivo", told="name"),
    N("os_build", lambda r, L: f"10.0.{r.choice((19041, 19045, 22621, 22631))}.{r.randint(100, 4200)}", "varchar", "systems", "os_build build_no mac_os_version | de: betriebssystem_build"),
    N("section_no", lambda r, L: ".".join(str(r.randint(1, 14)) for _ in range(r.randint(2, 4))), "varchar", "files", "section clause chapter_no | de: abschnitt | fr: num_section | es: apartado"),
    N("ip_version", codes("4 4 4 6"), "smallint", "systems", "ip_version ip_family | de: ip_art"),
    N("netmask", codes("255.255.255.0 255.255.0.0 255.255.255.128 255.0.0.0 0.0.0.0"), "varchar", "systems", "netmask subnet_mask | de: netzmaske | fr: masque"),
    N("host_name", host, "varchar", "systems", "hostname server_name | de: rechnername | fr: nom_machine | es: nombre_servidor"),
    N("domain_name", lambda r, L: r.choice(pp.WORDS["firm"]) + r.choice(("", "-shop", "24", "-online")) + r.choice((".com", ".de", ".fr", ".io")), "varchar", "companies", "domain website_domain | de: webdomain | fr: domaine"),
    N("url.plain", url, "varchar", "media", "url page_url link | de: seiten_url | fr: lien | es: enlace"),
    N("url.image", lambda r, L: f"https://cdn.{r.choice(pp.WORDS['firm'])}.com/img/{r.randbytes(8).hex()}@2x.png", "varchar", "products", "image_url photo_url | de: bild_url"),
    N("user_agent", lambda r, L: one("agent")(r, L).replace(";", ","), "text", "events", "user_agent browser ua | de: browserkennung"),
    N("file_name", file_name, "varchar", "files", "file_name filename name | de: dateiname | fr: nom_fichier | es: nombre_archivo"),
    N("file_path", file_path, "varchar", "files", "path file_path location | de: dateipfad | fr: chemin"),
    N("mime", one("mime"), "varchar", "files", "mime_type content_type | de: dateityp"),
    N("region", one("region"), "varchar", "systems", "region aws_region geo_region | de: rz_region"),
    N("protocol", one("protocol"), "varchar", "systems", "protocol service | de: protokoll"),
    N("licence_name", one("licence"), "varchar", "files", "license package_license | de: lizenz | fr: licence"),
    N("hash_algorithm", one("algorithm"), "varchar", "systems", "hash_algorithm password_algo key_type | de: hash_verfahren"),
    N("secret_name", lambda r, L: r.choice(("prod", "test", "dev")) + "/" + r.choice(("db-password", "api-key", "smtp-secret", "jwt-signing-key")) + "-" + str(r.randint(1, 9)), "varchar", "systems", "secret_name key_name | de: schluessel_name"),
    N("feature_flag", one("feature"), "varchar", "systems", "feature setting_key flag_name | de: einstellung"),
    N("error_code", one("errors"), "varchar", "systems", "error_code last_error | de: fehlercode | fr: code_erreur"),
    N("obd_code", one("obd"), "character(5)", "vehicles", "diagnosis_code trouble_code dtc | de: diagnosecode fehlerspeicher", told="name"),
    N("rack_place", pattern("B%#.%"), "varchar", "products", "bin_location rack shelf | de: lagerplatz regal | fr: emplacement", told="name"),
    N("cron", one("cron"), "varchar", "systems", "schedule cron_expr | de: zeitplan"),
    N("regex", one("regex"), "varchar", "systems", "pattern regex validation_rule | de: suchmuster"),
    N("sql", one("sql"), "text", "systems", "query sql_text statement | de: abfrage | fr: requete"),
    N("markdown", one("md"), "text", "files", "readme content_md | de: inhalt_md"),
    N("commit_message", one("commit"), "text", "files", "commit_message message | de: aenderungstext"),
    N("log_line", log, "text", "systems", "log_line message log_text | de: protokollzeile | fr: ligne_journal"),
    N("json.settings", settings, "jsonb", "systems", "settings config options | de: einstellungen | fr: reglages | es: ajustes"),
    N("json.measures", measures, "jsonb", "sensors", "payload reading data | de: messdaten | fr: mesures"),
    N("json.form_fields", template_json, "jsonb", "systems", "fields form_config contact_fields | de: formular_felder | fr: champs"),
    N("json.item", item_json, "jsonb", "orders", "item line_item details | de: position | es: detalle"),
    # ---- flags and codes about personal things
    N("flag.email_verified", flag(.8), "boolean", "users", "is_email_verified email_confirmed email_opt_in | de: email_bestaetigt | fr: email_verifie | es: correo_verificado"),
    N("flag.has_phone", flag(.6), "boolean", "customers", "has_phone phone_verified has_passport | de: hat_telefon | fr: a_telephone | nl: heeft_telefoon"),
    N("flag.text", codes("Y N Y Y N"), "character(1)", "customers", "newsletter is_active sms_opt_in | de: aktiv_kz | fr: actif | es: activo"),
    N("email_template_id", ints(1, 60), "integer", "events", "email_template_id address_id phone_type_id | de: email_vorlage_id | fr: id_modele_mail"),
    N("email_type", codes("marketing transactional newsletter system alert"), "varchar", "events", "email_type mail_kind | de: mail_art | fr: type_mail"),
    N("email_subject", lambda r, L: r.choice(("Your order has shipped", "Weekly newsletter", "Reset your password", "Invoice attached", "Welcome!", "New features in %d" % r.randint(2019, 2024))), "varchar", "events", "email_subject mail_subject | de: betreff | fr: objet_mail"),
    N("email_host", codes("gmail.com outlook.com web.de orange.fr gmx.net yahoo.com wp.pl"), "varchar", "events", "email_domain mail_host | de: mail_domain | fr: domaine_mail"),
    N("phone_model", one("phone_model"), "varchar", "devices", "phone_model handset_model | de: handymodell | es: modelo_movil"),
    N("phone_prefix", codes("+49 +33 +1 +44 +34 +39 +48 +90 +81"), "varchar", "reference", "phone_prefix dial_code country_calling_code | de: vorwahl_land | fr: indicatif | es: prefijo_tel"),
    N("phone_type", codes("mobile home work fax other"), "varchar", "customers", "phone_type contact_kind | de: telefonart | fr: type_tel"),
    N("address_type", one("address_type"), "varchar", "customers", "address_type addr_kind | de: adressart | fr: type_adresse | es: tipo_direccion"),
    N("card_type", one("card_type"), "varchar", "payments", "card_type card_brand | de: kartenart | fr: type_carte | es: tipo_tarjeta"),
    N("id_kind", one("id_kind"), "varchar", "customers", "id_type document_type passport_or_id | de: ausweisart | es: tipo_documento | pl: rodzaj_dokumentu"),
    N("name_of_plan", one("plan"), "varchar", "orders", "plan_name subscription name | de: tarifname | fr: nom_offre"),
    N("target_group", one("target"), "varchar", "products", "gender target_group audience | de: zielgruppe geschlecht_sortiment | fr: public_cible", told="name"),
    N("noun_gender", codes("m f n m f"), "character(1)", "reference", "gender noun_gender article_gender | de: genus | fr: genre_mot", told="name"),
    N("blood_sugar_device", codes("GM-100 GlucoCheck-3 AccuLine-5 BP-742N"), "varchar", "devices", "device_model meter_model | de: messgeraet_typ"),
    N("race_name", lambda r, L: r.choice(("Berlin Marathon", "Spring 10K", "Night Run", "Ironman 70.3", "Harbour Regatta", "City Sprint")) + f" {r.randint(2015, 2024)}", "varchar", "events", "race race_name | de: rennen | fr: course"),
    N("enum_code", codes("A B C D E"), "character(1)", "reference", "class_code abc_class grade | de: abc_klasse | fr: classe"),
    N("enum_number", codes("10 20 30 40 90"), "smallint", "orders", "status_code state_id | de: statuscode | fr: code_etat"),
    N("status", words("status"), "varchar", "orders", "status order_status state | de: status zustand | fr: statut | es: estado"),
    # ---- words
    N("country", words("country"), "varchar", "companies", "country country_name | de: land | fr: pays | es: pais"),
    N("country_code", codes("DE US FR ES IT GB NL PL SE TR JP BR IN"), "character(2)", "orders", "country_code ship_country | de: laendercode | fr: code_pays | es: cod_pais"),
    N("us_state", codes("CA TX NY FL IL PA OH GA NC MI"), "character(2)", "companies", "state state_code | es: cod_estado", told="name"),
    N("currency", codes("EUR USD GBP PLN SEK TRY JPY BRL INR CHF"), "character(3)", "orders", "currency ccy | de: waehrung | fr: devise | es: moneda"),
    N("language", one("language"), "varchar", "reference", "language lang locale | de: sprache | fr: langue | es: idioma"),
    N("time_zone", one("timezone"), "varchar", "users", "time_zone tz | de: zeitzone | fr: fuseau_horaire"),
    N("colour", words("colour"), "varchar", "products", "color colour | de: farbe | fr: couleur | es: color_articulo"),
    N("month", words("month"), "varchar", "reference", "month month_name | de: monat | fr: mois | es: mes"),
    N("weekday", words("weekday"), "varchar", "reference", "weekday day_name | de: wochentag | fr: jour_semaine | es: dia_semana"),
    N("brand", one("brand"), "varchar", "products", "brand manufacturer | de: marke hersteller | fr: marque | es: marca"),
    N("brand.person_like", one("namebrand"), "varchar", "products", "brand label designer_brand | de: marke | fr: marque | it: marchio"),
    N("furniture_line", one("furniture"), "varchar", "products", "series product_line name | de: serie | sv: serie_namn", told="name"),
    N("product_name", product, "varchar", "products", "product_name name title | de: bezeichnung artikelname | fr: libelle nom_produit | es: nombre_producto"),
    N("product_text", describe, "text", "products", "description product_text | de: beschreibung | fr: description_produit | es: descripcion"),
    N("review", lambda r, L: pp.prose(r, L, 0), "text", "products", "review comment feedback | de: bewertungstext kommentar | fr: avis commentaire | es: opinion"),
    N("support_text", lambda r, L: pp.prose(r, L, 0), "text", "tickets", "resolution notes summary | de: loesung notiz | fr: resolution | es: solucion", null=.2),
    N("lorem", lorem, "text", "media", "body content text | de: inhalt text | fr: contenu"),
    N("category", words("category"), "varchar", "products", "category category_name | de: kategorie warengruppe | fr: categorie | es: categoria"),
    N("company", company, "varchar", "companies", "company_name company supplier | de: firma firmenname | fr: societe raison_sociale | es: empresa razon_social"),
    N("company.family", family_firm, "varchar", "companies", "company_name vendor_name | de: firma lieferant | fr: fournisseur | es: proveedor"),
    N("job_title", words("job"), "varchar", "employees", "job_title position | de: stelle position | fr: poste fonction | es: puesto cargo"),
    N("department", words("department"), "varchar", "employees", "department dept_name | de: abteilung | fr: service | es: departamento"),
    N("hotel", one("hotel"), "varchar", "companies", "hotel_name property name | de: hotelname | fr: nom_hotel | es: nombre_hotel"),
    N("book_title", title, "varchar", "media", "title book_title | de: buchtitel | fr: titre | es: titulo"),
    N("song_title", one("song"), "varchar", "media", "song_title track name | de: songtitel | es: cancion"),
    N("team_name", one("team"), "varchar", "events", "team home_team | de: mannschaft | es: equipo | it: squadra"),
    N("ship_name", one("ship"), "varchar", "vehicles", "vessel ship_name | de: schiffsname | nl: scheepsnaam"),
    N("wine", one("wine"), "varchar", "products", "wine label_name | de: weinname | fr: nom_vin"),
    N("species", one("species"), "varchar", "sensors", "species taxon | de: tierart | fr: espece | es: especie"),
    N("chemical", one("chemical"), "varchar", "sensors", "chemical substance | de: stoff | fr: substance"),
    N("mineral", one("mineral"), "varchar", "sensors", "mineral gem_type | de: mineral_name | fr: nom_mineral"),
    N("plant_disease", one("disease_plant"), "varchar", "sensors", "disease crop_disease infection | de: pflanzenkrankheit"),
    N("material", one("metal"), "varchar", "products", "material alloy | de: werkstoff | fr: matiere"),
    N("unit", one("unit"), "varchar", "products", "unit uom | de: einheit me | fr: unite | es: unidad"),
    N("tags", arr(one("tag")), "text[]", "products", "tags labels keywords | de: schlagworte | fr: etiquettes | es: etiquetas"),
    N("int_array", lambda r, L: "{" + ",".join(str(r.randint(1, 400)) for _ in range(r.randint(1, 5))) + "}", "integer[]", "orders", "item_ids related_ids | de: artikel_ids"),
    N("empty_notes", lambda r, L: r.choice(("", "n/a", "-", "none", "ok")), "varchar", "orders", "notes remark | de: bemerkung | fr: remarque | es: observaciones", null=.7),
    N("medal", one("medal"), "varchar", "customers", "tier loyalty_level | de: kundenstufe | fr: niveau"),
    N("seat", lambda r, L: f"{r.randint(1, 40)}{r.choice('ABCDEF')}", "varchar", "events", "seat seat_no | de: sitzplatz | fr: siege"),
    N("room", pattern("%.0%#"), "varchar", "reference", "room meeting_room | de: raum raumnr | fr: salle"),
    N("geohash_tile", lambda r, L: f"{r.randint(3, 18)}/{r.randint(0, 9999)}/{r.randint(0, 9999)}", "varchar", "systems", "tile map_tile | de: kachel"),
    N("road_class", one("street_type"), "varchar", "sensors", "street_type highway road_class | de: strassentyp | fr: type_voie"),
    N("bit_mask", ints(0, 255), "smallint", "systems", "permissions mask options_bits | de: rechte_maske"),
    N("order_no.small", pattern("%#########"), "varchar", "orders", "order_no order_ref | de: bestellnr | fr: num_commande", rows=15),
    N("product_name.small", product, "varchar", "products", "product_name item_name | de: artikelname | es: nombre_producto", rows=15),
    N("product_name.sparse", product, "varchar", "orders", "gift_item extra_name | de: beigabe | fr: cadeau", null=.85),
    N("company.small", company, "varchar", "companies", "company_name supplier | de: firma | fr: societe", rows=15),
    N("sku.junk", pattern("@@-#####"), "varchar", "products", "sku item_code | de: artikelcode | es: ref_articulo", junk=.15),
    N("constant", codes("1"), "smallint", "orders", "tenant_id schema_version | de: mandant | fr: version_schema"),
]
