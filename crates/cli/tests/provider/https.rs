//! Rules come over TLS. In front of the real server stands an end of TLS; whether its certificate is believed is
//! for the system's list to say, which is read from the environment, so that each case is a process of its own.

use std::process::{Command, Output};
use std::sync::Arc;

use bellwether_provider::{Provider, Settings};
use open_feature::provider::{FeatureProvider, ProviderStatus};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::{House, ask, at_once, run, until, user};

/// What a process of its own is told: the addresses and keys, as JSON.
const TOLD: &str = "BELLWETHER_TEST_TLS";

/// A certificate for `localhost` that nobody has signed but itself.
fn certificate() -> rcgen::CertifiedKey<rcgen::KeyPair> {
    rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap()
}

/// Ends TLS on a port of its own and passes on what is said to a server, for as long as the runtime runs.
async fn tls_before(server: String, own: &rcgen::CertifiedKey<rcgen::KeyPair>) -> u16 {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, server) = (acceptor.clone(), server.clone());
            tokio::spawn(async move {
                // Who does not believe the certificate hangs up.
                let Ok(mut inside) = acceptor.accept(stream).await else { return };
                let mut outside = TcpStream::connect(server).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut inside, &mut outside).await;
            });
        }
    });
    port
}

/// Runs one of the tests below in a process that believes these certificates and no others.
fn believing(roots: &str, test: &str, told: &Value) -> Output {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("roots.pem");
    std::fs::write(&file, roots).unwrap();
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", test])
        .env("SSL_CERT_FILE", &file)
        .env_remove("SSL_CERT_DIR")
        .env(TOLD, told.to_string())
        .output()
        .unwrap()
}

fn told() -> Value {
    serde_json::from_str(&std::env::var(TOLD).unwrap()).unwrap()
}

fn secure(told: &Value) -> Settings {
    let text = |name: &str| told[name].as_str().unwrap();
    Settings::new(text("secure"), text("key"))
}

#[test]
fn rules_come_over_tls_from_whom_the_system_believes() {
    let house = House::open();
    house.flag("f", "production", &json!({"serve": "variant", "variant": "a"}));
    run(async {
        let (own, another) = (certificate(), certificate());
        let port = tls_before(house.address.trim_start_matches("http://").to_owned(), &own).await;
        let told = json!({"secure": format!("https://localhost:{port}"), "plain": house.address,
            "key": house.key, "admin": house.admin});
        for (roots, test) in [(&own, "https::believed"), (&another, "https::not_believed")] {
            let (roots, told) = (roots.cert.pem(), told.clone());
            let ran = tokio::task::spawn_blocking(move || believing(&roots, test, &told)).await.unwrap();
            let said = String::from_utf8_lossy(&ran.stdout).into_owned();
            assert!(ran.status.success() && said.contains("1 passed"), "{test}: {said}");
        }
    });
}

#[test]
#[ignore = "a part of the test above, in a process of its own"]
fn believed() {
    let told = told();
    run(async {
        let provider = Provider::connect(secure(&told)).await.unwrap();
        let got = at_once(provider.resolve_string_value("f", &user("user-1"))).unwrap();
        assert_eq!((got.value.as_str(), provider.status()), ("A", ProviderStatus::Ready));
        // The stream, too.
        let off = json!({"environment": "production", "on": false, "why": "test"});
        let agent: ureq::Agent = ureq::Agent::config_builder().build().into();
        let (plain, admin) = (told["plain"].as_str().unwrap(), told["admin"].as_str().unwrap());
        ask(&agent, plain, admin, "POST", "/api/flags/f/toggle", &off);
        let now = || at_once(provider.resolve_string_value("f", &user("user-1"))).unwrap().value;
        until(&provider, || now() == "none").await;
    });
}

#[test]
#[ignore = "a part of the test above, in a process of its own"]
fn not_believed() {
    run(async {
        let provider = Provider::connect(secure(&told())).await.unwrap();
        let said = provider.resolve_string_value("f", &user("user-1")).await.unwrap_err().message.unwrap();
        assert!(said.starts_with("there are no rules yet: the server cannot be reached: "), "{said}");
        assert!(said.contains("certificate"), "{said}");
    });
}
