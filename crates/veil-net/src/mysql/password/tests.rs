//! Responses as PyMySQL makes them, and each side against the other.

use super::*;

const PASSWORD: &[u8] = "pass wörd".as_bytes();

fn nonce() -> Nonce {
    Nonce::parse(b"abcdefghij0123456789").unwrap()
}

fn other_nonce() -> Nonce {
    Nonce::parse(b"9876543210jihgfedcba\0").unwrap()
}

fn hex<const N: usize>(digits: &str) -> [u8; N] {
    unhex(digits.as_bytes()).unwrap().try_into().unwrap()
}

/// All that is not quite `response`: shorter, longer, and with one bit wrong.
fn spoiled(response: &[u8]) -> Vec<Vec<u8>> {
    let shorter = (0..response.len()).map(|length| response[..length].to_vec());
    let flipped = (0..response.len()).map(|at| {
        let mut response = response.to_vec();
        response[at] ^= 1;
        response
    });
    shorter.chain(flipped).chain([[response, &[0]].concat(), vec![0; 1 << 20]]).collect()
}

#[test]
fn a_nonce_has_20_bytes_and_at_most_the_nul_behind_them() {
    assert_eq!(nonce().as_bytes(), b"abcdefghij0123456789");
    assert_eq!(other_nonce().as_bytes(), b"9876543210jihgfedcba");
    for wrong in [&[][..], &[1; 19], &[1; 21], &[0; 22], &[1; 4096]] {
        assert_eq!(Nonce::parse(wrong), Err(PasswordError::Nonce));
    }
}

#[test]
fn a_made_nonce_can_be_read_as_a_c_string() {
    for start in 0..=u8::MAX {
        let nonce = Nonce::from_random(std::array::from_fn(|i| start.wrapping_add(i as u8)));
        assert!(nonce.as_bytes().iter().all(|byte| byte.is_ascii() && !matches!(byte, 0 | b'$')));
    }
}

#[test]
fn native_response_is_pymysqls() {
    assert_eq!(native::response(PASSWORD, &nonce()), hex::<20>("31c67c42595cdb777f7b895b4378585e81bdcb77"));
    assert_eq!(native::response(b"", &nonce()), b"");
}

#[test]
fn native_response_gives_away_what_signs_in_elsewhere() {
    let verifier = native::Verifier::parse(b"*A2B439E2945CEDA8D4D57952DC3836C2455E0F55").unwrap();
    let stage1 = verifier.verify(&nonce(), &native::response(PASSWORD, &nonce())).unwrap();
    let answer = stage1.response(&other_nonce());
    assert_eq!(answer, hex::<20>("df532681a4086075205d8080be0a1dbd2ac74198"));
    assert!(native::Verifier::from_password(PASSWORD).verify(&other_nonce(), &answer).is_some());
}

#[test]
fn native_refuses_what_is_wrong_in_any_bit_or_length() {
    let verifier = native::Verifier::from_password(PASSWORD);
    let right = native::response(PASSWORD, &nonce());
    for wrong in spoiled(&right) {
        assert!(verifier.verify(&nonce(), &wrong).is_none(), "{wrong:?}");
    }
    assert!(verifier.verify(&other_nonce(), &right).is_none());
    assert!(verifier.verify(&nonce(), &native::response(b"password", &nonce())).is_none());
}

#[test]
fn native_verifiers_read_as_mysql_writes_them() {
    for right in ["*a2b439e2945ceda8d4d57952dc3836c2455e0f55", " *A2B439E2945CEDA8D4D57952DC3836C2455E0F55\n"]
    {
        assert!(native::Verifier::parse(right.as_bytes()).is_ok(), "{right}");
    }
    for wrong in [
        "",
        "*",
        "A2B439E2945CEDA8D4D57952DC3836C2455E0F55",
        "*A2B439E2945CEDA8D4D57952DC3836C2455E0F5",
        "*A2B439E2945CEDA8D4D57952DC3836C2455E0F5G",
        "*A2B439E2945CEDA8D4D57952DC3836C2455E0F555",
        "*+2B439E2945CEDA8D4D57952DC3836C2455E0F55",
        "*ö2B439E2945CEDA8D4D57952DC3836C2455E0F55",
        &"*".repeat(1 << 16),
    ] {
        assert_eq!(native::Verifier::parse(wrong.as_bytes()).err(), Some(PasswordError::Verifier), "{wrong}");
    }
}

#[test]
fn sha2_response_is_pymysqls() {
    let expected: [u8; 32] = hex("6c2e733eeb314b10f8775e8572dbaa122aea6995ac573a0514cfbdb236f93e43");
    assert_eq!(sha2::response(PASSWORD, &nonce()), expected);
    assert_eq!(sha2::response(b"", &nonce()), b"");
}

#[test]
fn sha2_response_gives_away_what_signs_in_elsewhere() {
    let quick = sha2::Quick::from_password(PASSWORD);
    let stage1 = quick.verify(&nonce(), &sha2::response(PASSWORD, &nonce())).unwrap();
    let answer = stage1.response(&other_nonce());
    let expected: [u8; 32] = hex("af8541a56f7d2f353b4260cec3560c1b40caf5a27060bca0016b11d84d2b5aee");
    assert_eq!(answer, expected);
    assert!(quick.verify(&other_nonce(), &answer).is_some());
}

#[test]
fn sha2_refuses_what_is_wrong_in_any_bit_or_length() {
    let quick = sha2::Quick::from_password(PASSWORD);
    let right = sha2::response(PASSWORD, &nonce());
    for wrong in spoiled(&right) {
        assert!(quick.verify(&nonce(), &wrong).is_none(), "{wrong:?}");
    }
    assert!(quick.verify(&other_nonce(), &right).is_none());
    assert!(quick.verify(&nonce(), &sha2::response(b"password", &nonce())).is_none());
}
