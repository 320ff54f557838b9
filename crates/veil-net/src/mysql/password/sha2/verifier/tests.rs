//! Hashes as crypt(3) makes them and as MySQL's servers store them.

use super::*;

#[test]
fn crypt_is_glibcs() {
    for (password, salt, rounds, expected) in [
        ("correct horse", "0123456789abcdef", 5000, "GkVfGOcpKLcryIiNM.uN6AQV7DQsJJPqGu0QqsSSMrD"),
        ("", "saltstring", 5000, "FdNfA4gXqvCeO6iZs7G/.wwwoywYZqo0l1pwmfWaBA7"),
        ("x", "s", 1234, "wBA1kfsoC9d8JXfmYB3/10t86k41kEx4mrKIx4zxQ65"),
        (&"long ".repeat(20), "roundstoolow", 1000, "57WSUynqJefq0qRXRWm2PfxRoOn.tZNGOOQbQndBbv5"),
    ] {
        let digest = crypt::sha256(password.as_bytes(), salt.as_bytes(), rounds);
        assert_eq!(std::str::from_utf8(digest.expose()), Ok(expected), "{password}");
    }
}

/// What MySQL 9.7 stored for the password below, as SHOW CREATE USER prints it.
const CRYPT: &str = "0x24412430304124736C224F1601731701174F7A1A01570D4F71076C344F475962686E64744871355769344F34424\
    C32664643413655365767656F5952796B52735A6D456C7643";

/// The same with `caching_sha2_password_storage_format = PBKDF2_SHA512`.
const PBKDF2: &str = "0x244224303041244D091A293A4A10134A4F752F0D4437403A125D384A386E4D46787978724B4B37394770314745\
    654D33634E5538386C6679476F514E36334B346331526B35544E6F45727232654A792F466467766248713652326D4133542B303361\
    676E7A57712B4A69353953557A4D673D3D";

const PASSWORD: &[u8] = "pass wörd".as_bytes();

#[test]
fn verifiers_match_what_mysql_stores() {
    for stored in [CRYPT, PBKDF2] {
        let verifier = Verifier::parse(stored.as_bytes()).unwrap();
        assert!(verifier.matches(PASSWORD));
        for wrong in [b"pass word", &[PASSWORD, &[0]].concat()[..], b"", &[b'p'; 256], &[b'p'; 1 << 20]] {
            assert!(!verifier.matches(wrong));
        }
        let raw = unhex(&stored.as_bytes()[2..]).unwrap();
        assert!(Verifier::parse(&raw).unwrap().matches(PASSWORD));
    }
}

/// The example of hashcat's mode 7401; its salt is not ASCII.
#[test]
fn verifiers_take_any_salt() {
    let mut stored = b"$A$005$".to_vec();
    stored.extend(unhex(b"F9CC98CE08892924F50A213B6BC571A2C11778C5").unwrap());
    stored.extend(b"bTy95Y99eAME1dwEkHOA1ndHGBWz.1bxSSRkuTXFGV/");
    assert!(Verifier::parse(&stored).unwrap().matches(b"hashcat"));
}

#[test]
fn verifiers_out_of_form_or_bounds_are_refused() {
    let salted = |head: &str, tail: &str| format!("{head}0123456789abcdefghij{tail}");
    let digest = "bTy95Y99eAME1dwEkHOA1ndHGBWz.1bxSSRkuTXFGV/";
    for head in ["$A$001$", "$A$3E8$", "$A$3e8$"] {
        assert!(Verifier::parse(salted(head, digest).as_bytes()).is_ok(), "{head}");
    }
    for wrong in [
        String::new(),
        "0x".to_owned(),
        CRYPT[2..].to_owned(),
        CRYPT[..CRYPT.len() - 1].to_owned(),
        CRYPT.replace("7643", "764G"),
        CRYPT.replace("0x24", "0x25"),
        CRYPT.replace("0x", "0X"),
        PBKDF2[..PBKDF2.len() - 2].to_owned(),
        format!("{PBKDF2}3D"),
        PBKDF2.replace("0x2442", "0x2441"),
        CRYPT.replace("0x2441", "0x2442"),
        format!("{CRYPT}43"),
        salted("$A$000$", digest),
        salted("$A$3E9$", digest),
        salted("$A$FFF$", digest),
        salted("$A$+05$", digest),
        salted("$A$ 05$", digest),
        salted("$A$005 ", digest),
        salted("$B$005$", digest),
        salted("$5$005$", digest),
        salted("$A$005$", &digest[1..]),
        salted("$A$005$", &format!("{digest}/")),
        salted("$A$005$", &digest.replace('.', "+")),
        "$A$005$".repeat(1 << 16),
    ] {
        assert_eq!(Verifier::parse(wrong.as_bytes()).err(), Some(PasswordError::Verifier), "{wrong}");
    }
}
