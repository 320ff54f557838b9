//! RFC 7677's example, and both sides against each other.

use super::*;

/// A verifier of the password "pencil" with RFC 7677's salt.
fn verifier() -> Verifier {
    Verifier::from_password("pencil", &BASE64.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap(), ITERATIONS)
}

#[test]
fn server_accepts_the_example_of_rfc_7677() {
    let first = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    let server = ServerFirst::new(verifier(), first, false, None, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0").unwrap();
    assert_eq!(
        server.message(),
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    );
    let last = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    let proven = server.verify(last).unwrap();
    assert_eq!(proven.message, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

/// Runs both sides; the client binds to `client_hash`, the server to `server_hash`.
fn exchange(
    secret: ClientSecret,
    client_hash: Option<&[u8]>,
    server_hash: Option<&[u8]>,
) -> Result<ClientSecret, ScramError> {
    let client = ClientFirst::new(secret, client_hash, client_hash.is_some(), "abc".to_owned());
    let plus = client_hash.is_some();
    let server = ServerFirst::new(verifier(), client.message().as_bytes(), plus, server_hash, "def")?;
    let client = client.challenge(server.message().as_bytes())?;
    let proven = server.verify(client.message().as_bytes())?;
    client.verify(proven.message.as_bytes())?;
    Ok(proven.secret)
}

#[test]
fn a_recovered_key_signs_in_where_the_verifier_is_the_same() {
    let recovered = exchange(ClientSecret::password("pencil".to_owned()), None, None).unwrap();
    assert!(exchange(recovered.clone(), Some(b"hash"), Some(b"hash")).is_ok());
    let other = Verifier::from_password("pencil", b"another salt", ITERATIONS);
    let server = ServerFirst::new(other, b"n,,n=,r=abc", false, None, "def").unwrap();
    let client = ClientFirst::new(recovered, None, false, "abc".to_owned());
    assert_eq!(client.challenge(server.message().as_bytes()).err(), Some(ScramError::OtherVerifier));
}

#[test]
fn wrong_passwords_and_channels_are_refused() {
    let wrong = || ClientSecret::password("pencils".to_owned());
    let right = || ClientSecret::password("pencil".to_owned());
    assert_eq!(exchange(wrong(), None, None).err(), Some(ScramError::Proof));
    assert_eq!(exchange(right(), Some(b"mine"), Some(b"theirs")).err(), Some(ScramError::Binding));
    let downgraded = ServerFirst::new(verifier(), b"y,,n=,r=abc", false, Some(b"hash"), "def");
    assert_eq!(downgraded.err(), Some(ScramError::Downgrade));
}

#[test]
fn verifiers_read_as_postgresql_writes_them() {
    let text = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
    assert!(Verifier::parse(text).unwrap() == verifier());
    for wrong in ["", "md5abc", "SCRAM-SHA-256$0:AA==$AA==:AA==", "SCRAM-SHA-256$4096:AA==$AA==:AA=="] {
        assert!(Verifier::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_mock_is_stable_and_never_satisfied() {
    let mock = || Verifier::mock("nobody", b"secret");
    assert!(mock() == mock());
    let client = ClientFirst::new(ClientSecret::password(String::new()), None, false, "abc".to_owned());
    let server = ServerFirst::new(mock(), client.message().as_bytes(), false, None, "def").unwrap();
    let client = client.challenge(server.message().as_bytes()).unwrap();
    assert_eq!(server.verify(client.message().as_bytes()).err(), Some(ScramError::Proof));
}
