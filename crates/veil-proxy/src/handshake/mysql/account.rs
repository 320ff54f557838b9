//! Users that the proxy signs in itself: it checks their proof, and signs in upstream with what that proof reveals, or
//! with an account of its own.

use aws_lc_rs::rand;
use veil_model::Sensitive;
use veil_net::NetError;
use veil_net::connect::Target;
use veil_net::mysql::Link;
use veil_net::mysql::password::{Nonce, native, sha2};
use veil_wire::mysql::auth::{self, Request, plugin, sha2 as sha2_wire};
use veil_wire::mysql::limits::AUTH_MAX;

use super::Failure;
use super::bridge::{give_password, several_factors, take_password};
use crate::problem::Problem;
use crate::proxy::{MySqlAccount, MySqlProof, Proxy};

/// A proof that came with the client's first packet.
pub(super) struct Proof<'a> {
    /// By this plugin,
    pub(super) plugin: &'a [u8],
    /// against this challenge.
    pub(super) nonce: Nonce,
    pub(super) data: &'a [u8],
}

/// What a client has shown to know.
pub(super) struct Proven {
    secret: Secret,
    /// For `caching_sha2_password`: the client waits to be told that its proof was enough.
    unanswered: Option<Nonce>,
}

impl Proven {
    /// A password that is known.
    pub(super) const fn password(password: Sensitive<Vec<u8>>) -> Self {
        Self { secret: Secret::Password(password), unanswered: None }
    }
}

/// What serves to sign in upstream.
enum Secret {
    Password(Sensitive<Vec<u8>>),
    Native(native::Stage1),
    Sha2(sha2::Stage1),
}

/// Checks that the client knows the account's password.
pub(super) async fn prove(
    (proxy, epoch): (&Proxy, u64),
    client: &mut Link,
    account: &MySqlAccount,
    user: &str,
    proof: Option<Proof<'_>>,
) -> Result<Proven, Failure> {
    let asked = proof.as_ref().map(|proof| proof.plugin);
    let name = match &account.proof {
        MySqlProof::Native(_) => plugin::NATIVE,
        MySqlProof::Password(_) if asked == Some(plugin::NATIVE) => plugin::NATIVE,
        MySqlProof::Password(_) | MySqlProof::Sha2(_) => plugin::CACHING_SHA2,
    };
    let (nonce, data) = match proof {
        Some(Proof { plugin, nonce, data }) if plugin == name => (nonce, data.to_vec()),
        _ => switch(client, name).await?,
    };
    // An empty answer says that there is no password; a client that has sent it still waits for a verdict.
    let denied = || denied(user, !data.is_empty());
    if name == plugin::NATIVE {
        let verifier = match &account.proof {
            MySqlProof::Native(verifier) => verifier.clone(),
            MySqlProof::Password(password) => native::Verifier::from_password(password.expose()),
            MySqlProof::Sha2(_) => return Err(denied()),
        };
        let stage1 = verifier.verify(&nonce, &data).ok_or_else(denied)?;
        return Ok(Proven { secret: secret(account, Secret::Native(stage1)), unanswered: None });
    }
    match &account.proof {
        MySqlProof::Password(password) => {
            let quick = sha2::Quick::from_password(password.expose());
            let stage1 = quick.verify(&nonce, &data).ok_or_else(denied)?;
            Ok(Proven { secret: secret(account, Secret::Sha2(stage1)), unanswered: Some(nonce) })
        }
        MySqlProof::Sha2(verifier) => {
            if let Some(stage1) = proxy.quick(user).and_then(|quick| quick.verify(&nonce, &data)) {
                return Ok(Proven { secret: secret(account, Secret::Sha2(stage1)), unanswered: Some(nonce) });
            }
            if data.is_empty() {
                return Err(denied());
            }
            let password = ask_password(proxy, client, nonce).await?;
            let (verifier, tried) = (verifier.clone(), password.clone());
            // Thousands of rounds: not on a thread that serves others.
            let matches = tokio::task::spawn_blocking(move || verifier.matches(tried.expose())).await;
            if !matches.unwrap_or(false) {
                return Err(denied());
            }
            proxy.learn_quick(user, sha2::Quick::from_password(password.expose()), epoch);
            Ok(Proven { secret: secret(account, Secret::Password(password)), unanswered: None })
        }
        MySqlProof::Native(_) => Err(denied()),
    }
}

/// The password by which an account signs in upstream, if the configuration has it.
pub(super) fn known_password(account: &MySqlAccount) -> Option<&Sensitive<Vec<u8>>> {
    match (&account.upstream, &account.proof) {
        (Some((_, password)), _) | (None, MySqlProof::Password(password)) => Some(password),
        (None, _) => None,
    }
}

/// The account's own password serves wherever it is known.
fn secret(account: &MySqlAccount, proven: Secret) -> Secret {
    known_password(account).map_or(proven, |password| Secret::Password(password.clone()))
}

async fn switch(client: &mut Link, name: &[u8]) -> Result<(Nonce, Vec<u8>), Failure> {
    let mut random = [0; Nonce::LENGTH];
    rand::fill(&mut random).map_err(|_| Problem::new("58000", "the system gives no randomness", ""))?;
    let nonce = Nonce::from_random(random);
    client.write(|out| auth::put_switch(out, name, &[nonce.as_bytes().as_slice(), &[0]].concat())).await?;
    Ok((nonce, client.read(AUTH_MAX).await?))
}

async fn ask_password(proxy: &Proxy, client: &mut Link, nonce: Nonce) -> Result<Sensitive<Vec<u8>>, Failure> {
    client.write(|out| auth::put_more(out, &[sha2_wire::FULL])).await?;
    let answer = client.read(AUTH_MAX).await?;
    take_password(proxy, client, nonce, answer, sha2_wire::KEY_REQUEST).await
}

fn denied(user: &str, password: bool) -> Failure {
    let using = if password { "YES" } else { "NO" };
    Problem::new("28P01", format!("Access denied for user '{user}' (using password: {using})"), "").into()
}

/// Signs in upstream, which has been sent who wants to; returns its OK packet.
pub(super) async fn sign_in(
    proxy: &Proxy,
    mut client: Option<&mut Link>,
    upstream: &mut Link,
    user: &str,
    mut proven: Proven,
    target: &Target,
) -> Result<Vec<u8>, Failure> {
    let mut nonce = None;
    loop {
        let message = upstream.read(AUTH_MAX).await?;
        match Request::decode(&message)? {
            Request::Ok => {
                if let (Some(_), Some(client)) = (&proven.unanswered, &mut client) {
                    client.write(|out| auth::put_more(out, &[sha2_wire::FAST_OK])).await?;
                }
                return Ok(message);
            }
            Request::Err(_) => {
                tracing::warn!(host = target.host, user, "the upstream refused the login of a listed user");
                return Err(NetError::Refused("28000".to_owned()).into());
            }
            Request::NextFactor => return Err(several_factors()),
            Request::Switch { plugin: name, data } => {
                let challenge =
                    Nonce::parse(data).map_err(|_| Problem::protocol("a challenge that is not 20 bytes"))?;
                nonce = Some(challenge);
                if name == plugin::SHA256 {
                    let password = password(proxy, client.as_deref_mut(), &mut proven).await?;
                    give_password(upstream, challenge, &password, sha2_wire::KEY_REQUEST_SHA256).await?;
                } else {
                    let answer = answer(&proven.secret, name, &challenge)?;
                    upstream.write(|out| out.extend(&answer)).await?;
                }
            }
            Request::More([sha2_wire::FAST_OK]) => {}
            Request::More([sha2_wire::FULL]) => {
                let challenge = nonce.ok_or_else(|| Problem::protocol("no challenge"))?;
                let password = password(proxy, client.as_deref_mut(), &mut proven).await?;
                give_password(upstream, challenge, &password, sha2_wire::KEY_REQUEST).await?;
            }
            Request::More(_) | Request::Other(_) => {
                return Err(Problem::protocol("unexpected message during login").into());
            }
        }
    }
}

fn answer(secret: &Secret, name: &[u8], nonce: &Nonce) -> Result<Vec<u8>, NetError> {
    match (name, secret) {
        (plugin::NATIVE, Secret::Password(password)) => Ok(native::response(password.expose(), nonce)),
        (plugin::NATIVE, Secret::Native(stage1)) => Ok(stage1.response(nonce)),
        (plugin::CACHING_SHA2, Secret::Password(password)) => Ok(sha2::response(password.expose(), nonce)),
        (plugin::CACHING_SHA2, Secret::Sha2(stage1)) => Ok(stage1.response(nonce)),
        (plugin::NATIVE, _) => {
            Err(NetError::Method("mysql_native_password, and the client did not prove by it"))
        }
        (plugin::CACHING_SHA2, _) => {
            Err(NetError::Method("caching_sha2_password, and the client did not prove by it"))
        }
        _ => Err(NetError::Method("neither mysql_native_password nor caching_sha2_password")),
    }
}

/// The password itself: known, or asked of the client, which still waits for an answer to its proof.
async fn password(
    proxy: &Proxy,
    client: Option<&mut Link>,
    proven: &mut Proven,
) -> Result<Sensitive<Vec<u8>>, Failure> {
    if let Secret::Password(password) = &proven.secret {
        return Ok(password.clone());
    }
    let (Some(nonce), Some(client)) = (proven.unanswered.take(), client) else {
        return Err(NetError::Method("the password itself, which the client's proof does not reveal").into());
    };
    ask_password(proxy, client, nonce).await
}
