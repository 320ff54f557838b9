//! Messages as PyMySQL and the `cryptography` package make them, and both sides against each other.

use super::*;

/// Made for these tests.
const PRIVATE: &str = "\
    MIIEvwIBADANBgkqhkiG9w0BAQEFAASCBKkwggSlAgEAAoIBAQDLYYxtaSjmy+vMHfcW1O88+pTGFu0mHijYca44n+TPTxGfWaga\
    sQJ+SgQzPASPblwlSwoddHcKwma515kqNFD7VtvJcMV8ej6K1yiZ0w7r7ro5nt/PRtcdClTZ4xOOOOUJTnVSR6Ap4QaMyPKhCEaF\
    C0X00WmwgR9yxX9OUREIw09B93/rCUyCIIsi+T4G1nHGiPmfjQJWm/VSpdyNdFsmP95gmFo9lKLkcHaXOeCIslpG6o7wi+0p1GK6\
    mZuVW1AqacYxuFd7qER2iLK8ETmL3K31QuxNrm5Bo88crSGW9QMCiejG3p1vkstbWFBLv4tx5fGbn3wZjukbHXEXOzvPAgMBAAEC\
    ggEAQLlYH9+mESEXdvuYTW9RfZX/b7UPHqDdfdhbyhB0mFcA9DXrribj9L3obUet6dmEwKeLXglY8xcf6wfGaiyBEyO2yXo2lyEu\
    MzA67w1Ag+wS3tCFSGkyfz7w9vBxokLP/PC3nIpH2dwPohE3SfEgxClsx3c3i+Dj2bophAp/gcpYsSA7Mn9zKUT6x9OH4Yad/RwP\
    mUpnsAXA8OeQQ+v/F6mmesZJIvMM09ubplV44Lzu3xviSO7hNGbGj4H9q359k+H4DXmD5X/vPZCokn1PfmKysu3pk7VwAvZfUbeg\
    UwdPSKuK7dhsjHxEs1BdaUqJCKQpoZrTcgpHBKNnJBlkKQKBgQDzL0dSI0BTGMDBMdKkFGhmF0cL7zLKTN8XADOX2Lbc8PDqw+We\
    z3pcAsB0Am/0zM8lzOzxon08I4CCSb58lE9DX1k2vgNk/FBx/QrlWR5sDUytEX1GYMKrSWqZi+nRXnxCsGtXXf/JUqXAB4wK3USg\
    ZnJLfSBQVtuZQsFDOalBOQKBgQDWGUrxMP+9jyckYCsgx7DLG0C3hiQQkhzXkCZDddlvdWoTgHUwjI8kymwbuEQqJXxvx4+6ykcm\
    3gf8INhO385gae5YrapcucI+dUt5y978aSKhv+rVTZAYEzdYodfnL+PonJDC3tpxGM9mP6LyZMcmcCqhr09hUK/4+XcIMgxNRwKB\
    gQC0Ln2boD7S0u5OtsmphO1tZyXe89YgCiDpe96+TXX/8g2vBIKnznaMogVSb1Pgf7ej/Fg7GPfNjUh0QIuA5qpr8sO5ScReGIzK\
    SIDAOe3OhXQgb2rwsFTMcNMo/X+6/1T2XJzL2PvigPgKdg0PJ67nYcChqg49OH3w6oMjeh+sEQKBgQCTtPNtHx7xCng4slhOzzX7\
    ihvGAbeT7xoS5hJf7EhMizbZqYAwNGj1OuoG3cO5SA9nlshkV/VqrTfZDFfvYpyhC7QyXe3w9v850/Z0WuDGR0prSVqcOly1H1zJ\
    uy6XAwU7j/iXWORfrnw30KN8k2aJ8EyZK7eaLe6Z2JH0h4LRNQKBgQCsYO8TPcAmcruGpt10eY9Qx2Tw/JvlrXrMMpM/6shC1oy2\
    /3xqbAWcbQBYcjG6dlq0eYO1Mu6rK+3MLZ6bpY+yHOhEWcIhvIM2B5KxI3a1IDHXd+FLk2zUgPwOmz7tbVKD+nbRLZ3FFJ+ZRDY5\
    usTD5JyGtWAK5SsZjERCvMVtrg==";

const PUBLIC: &str = "\
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAy2GMbWko5svrzB33FtTv
PPqUxhbtJh4o2HGuOJ/kz08Rn1moGrECfkoEMzwEj25cJUsKHXR3CsJmudeZKjRQ
+1bbyXDFfHo+itcomdMO6+66OZ7fz0bXHQpU2eMTjjjlCU51UkegKeEGjMjyoQhG
hQtF9NFpsIEfcsV/TlERCMNPQfd/6wlMgiCLIvk+BtZxxoj5n40CVpv1UqXcjXRb
Jj/eYJhaPZSi5HB2lzngiLJaRuqO8IvtKdRiupmblVtQKmnGMbhXe6hEdoiyvBE5
i9yt9ULsTa5uQaPPHK0hlvUDAonoxt6db5LLW1hQS7+LceXxm598GY7pGx1xFzs7
zwIDAQAB
-----END PUBLIC KEY-----
";

/// The password below, with the nonce below, as PyMySQL encrypts it.
const ENCRYPTED: &str = "\
    kSrYuPS7FM7tQk9yU5ZYIiMbtJ0HV7G/jcBCZYYxPHlZ/1PaFwSQ7QdTsQSFzwIOz2vyuktqbg1yx5PJPG3xTlvymy/iukD31/5J\
    NvuiRsUK1t60QjQmt+558KmdfDtUutFvmkGPhK5wszwzHJnggtRxtBp2FE4EzZ9dzSU0j0aHlwN4Swdcl27JUz9oxfCb9Lm1CAjK\
    v0jtCPNbVn0O1zcAArIZAMyLeTd8JVy4IEVBTwMJrsDvZhT9ndX4uNPJKYwWin23gR70Ma+QEXnf4AVwiOeY4pB7Vg8wC0lqD00/\
    eJk5Wj57CW6karNt6sM1ce4f7i+Vk1TLSWvcb9V/7Q==";

/// "secret" without a NUL behind it.
const UNENDED: &str = "\
    aW7Qfoi5uJ1eTdc295jFGpqvNKE0r0u59lTf6ZGO1+y4yXwE7o0n1U1qdSxdJZyMhmIS8ezol+4ZrR87HeEro/7AcC1CJdTfWVr7\
    NW+/DlS3+XvD6MPB5t1byQPD1GXwlBehpn2bTilvdCNblquy9Mko+83rkIzA4LM7/4v8D8UXB/vlG0UeZvnC0gD59+IBvGltY1AW\
    SxhHCZyLD4hhyjIFgJFvgZoE6qjbaMXufHs87yx/138AXg7+HfBxtUw5yxYz6sV4bOm/4lc73AiCepBbnq1Es69wg2BGfHfowJq2\
    WwCWMhnSLu3qpE3PAkJyUtRSBiLbbQWEKd3/j4fuHQ==";

/// Nothing at all.
const EMPTY: &str = "\
    WnArob3335eDSgLLum21V90woOIg1o6Y7Lh7k9GoIPUkH+0ERw4py+tDOQWTnxdl6X+Yz+JqqxwcVHXFXbiwsZI8QJw1sPeiAcXH\
    DaBymEhjq+N6DfXpLeBlb3rZTdoaCdtHqfI3ycqSV5xKm/RI/jwRi1fJHZfjoYfdW8ND9fYb4AnXy4l72PjlOgrcvGLn5K7apG19\
    5mR8THdNlEfB6ZzA9hfe6+30XGn6OpI6psr0ARqwQ9YeZISNf9L9/J/NRL0DhtIzB0IiwrOhtHDY6jEV+tteBYlB5BA4zeazMe09\
    Bf7hGnBrcuIPqzGX1MvMZb6MQfQs2t7OKFIzBCGU0A==";

/// 1024 bits are too few.
const SHORT: &str = "\
-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwa3yBnamwpeQtGMzzF62bow9x
DhpVtcQ2wuUfgAyY4UVEcMT/0A3mIV6CMcmQDx4rajiBBiQgokJiVFG7GKYA/P5Q
3F9JV3v+vB7ZkfLv+Zg9TW7eAA0GxVMCu40T6F38CwAqUigPqmg2a3+LxU+ssYbQ
Ga4SxBI5fHAYfhDZPQIDAQAB
-----END PUBLIC KEY-----
";

/// Ed25519 does not encrypt.
const CURVE: &str = "\
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAscXv/rqLP+9d725EAVkHLef2F3MwGkBeyXCxIqwMJmY=
-----END PUBLIC KEY-----
";

const PASSWORD: &[u8] = b"a password that is longer than the nonce";

fn bytes(text: &str) -> Vec<u8> {
    BASE64.decode(text).unwrap()
}

fn nonce() -> Nonce {
    Nonce::parse(b"abcdefghij0123456789").unwrap()
}

fn key() -> ServerKey {
    ServerKey::new(PrivateDecryptingKey::from_pkcs8(&bytes(PRIVATE)).unwrap()).unwrap()
}

fn decrypted(key: &ServerKey, ciphertext: &[u8]) -> Option<Vec<u8>> {
    key.decrypt(ciphertext, &nonce()).map(|password| password.expose().clone())
}

#[test]
fn server_decrypts_what_pymysql_encrypts() {
    assert_eq!(decrypted(&key(), &bytes(ENCRYPTED)).as_deref(), Some(PASSWORD));
}

#[test]
fn public_key_is_written_as_openssl_writes_it() {
    assert_eq!(key().public_pem(), PUBLIC);
}

#[test]
fn made_keys_decrypt_what_was_encrypted_for_them() {
    let key = ServerKey::generate().unwrap();
    for password in [PASSWORD, b"", &[b'x'; 213]] {
        let ciphertext = encrypt(key.public_pem().as_bytes(), password, &nonce()).unwrap();
        assert_eq!(decrypted(&key, &ciphertext).as_deref(), Some(password));
    }
    assert_eq!(decrypted(&key, &bytes(ENCRYPTED)), None);
}

#[test]
fn passwords_are_bound_to_the_nonce() {
    let other = Nonce::parse(b"9876543210jihgfedcba").unwrap();
    assert!(key().decrypt(&bytes(ENCRYPTED), &other).is_none());
}

#[test]
fn what_is_not_a_password_is_refused() {
    let right = bytes(ENCRYPTED);
    let mut flipped = right.clone();
    flipped[100] ^= 1;
    for wrong in [
        &bytes(UNENDED)[..],
        &bytes(EMPTY),
        &flipped,
        &right[..255],
        &[&right[..], &[0]].concat(),
        &[],
        &[0; 256],
        &[0xff; 256],
        &[0xff; 1 << 16],
    ] {
        assert_eq!(decrypted(&key(), wrong), None);
    }
}

#[test]
fn passwords_that_do_not_fit_are_refused() {
    for length in [214, 256, 1 << 20] {
        let sent = encrypt(PUBLIC.as_bytes(), &vec![b'x'; length], &nonce());
        assert_eq!(sent, Err(PasswordError::TooLong), "{length}");
    }
}

#[test]
fn what_is_not_a_public_key_is_refused() {
    let private = format!("-----BEGIN PRIVATE KEY-----\n{PRIVATE}\n-----END PRIVATE KEY-----\n");
    for wrong in [
        "",
        "-----BEGIN PUBLIC KEY-----",
        "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        &PUBLIC[..PUBLIC.len() / 2],
        &PUBLIC.replace("MIIB", "MIIC"),
        &private,
        SHORT,
        CURVE,
        &format!("{PUBLIC}{}", " ".repeat(PEM_MAX)),
    ] {
        assert_eq!(encrypt(wrong.as_bytes(), PASSWORD, &nonce()), Err(PasswordError::PublicKey), "{wrong}");
    }
}
