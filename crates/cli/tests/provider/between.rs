//! Something stands between the provider and its server, as load balancers and captive portals do, and answers in the
//! server's place: the provider believes no answer that is not Bellwether's, and goes on when it is gone.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bellwether_provider::{Provider, Settings};
use open_feature::provider::{FeatureProvider, ProviderStatus};
use serde_json::json;

use crate::{House, at_once, run, soon, split, until, user};

/// What it does with a request.
#[derive(Clone, Copy)]
enum Does {
    /// Hands it on.
    Passes,
    /// Answers so.
    Says(&'static str),
    /// Opens a stream, and says nothing in it but that it is there.
    Hums,
}

/// What it does with requests, by the beginning of their path; the first that fits.
type Rules = Vec<(&'static str, Does)>;

struct Between {
    address: String,
    rules: Arc<Mutex<Rules>>,
    /// How often it has answered exposures in the server's place.
    answered: Arc<AtomicUsize>,
}

impl Between {
    /// Stands before a house. It ends with the test's process.
    fn before(house: &House) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let rules = Arc::new(Mutex::new(Rules::new()));
        let (shared, behind) = (Arc::clone(&rules), house.address.trim_start_matches("http://").to_owned());
        let answered = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&answered);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (rules, count, behind) = (Arc::clone(&shared), Arc::clone(&count), behind.clone());
                // A connection that breaks off is the provider's to notice.
                std::thread::spawn(move || handle(client, &rules, &count, &behind).ok());
            }
        });
        Self { address, rules, answered }
    }

    fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    fn does(&self, rules: Rules) {
        *self.rules.lock().unwrap() = rules;
    }
}

/// One connection, which is closed after one answer, so that each request is looked at.
fn handle(
    mut client: TcpStream,
    rules: &Mutex<Rules>,
    count: &AtomicUsize,
    behind: &str,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    let found =
        rules.lock().unwrap().iter().find(|(start, _)| path.starts_with(start)).map(|(_, does)| *does);
    match found.unwrap_or(Does::Passes) {
        Does::Says(answer) => {
            // What is not read to its end would be reset, and no answer.
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            client.read_exact(&mut vec![0; length.unwrap_or(0)])?;
            client.write_all(answer.as_bytes())?;
            count.fetch_add(usize::from(path.starts_with("/batch")), Ordering::Relaxed);
            Ok(())
        }
        Does::Hums => {
            client.write_all(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n",
            )?;
            client.set_read_timeout(Some(Duration::from_millis(20)))?;
            // Until the other side has had enough.
            while !matches!(client.read(&mut [0]), Ok(0)) {
                client.write_all(b": here\n\n")?;
            }
            Ok(())
        }
        Does::Passes => {
            let mut server = TcpStream::connect(behind)?;
            server.write_all(head.trim_end_matches("\r\n").as_bytes())?;
            server.write_all(b"\r\nconnection: close\r\n\r\n")?;
            let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
            std::thread::spawn(move || {
                std::io::copy(&mut from, &mut to).ok();
                to.shutdown(Shutdown::Both).ok();
            });
            std::io::copy(&mut server, &mut client)?;
            client.shutdown(Shutdown::Both)
        }
    }
}

const PAGE: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n<html>Back soon</html>";
const HALF: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n{\"version\":";
const NEWER: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n{\"version\":1000}";
const SAME: &str = "HTTP/1.1 304 Not Modified\r\nconnection: close\r\n\r\n";
const MOVED: &str = "HTTP/1.1 302 Found\r\nlocation: /login\r\nconnection: close\r\n\r\n";
const NOWHERE: &str = "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno";
const BROKEN: &str = "HTTP/1.1 500 Oops\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

fn settings(house: &House, between: &Between) -> Settings {
    Settings {
        address: between.address.clone(),
        timeout: Duration::from_millis(500),
        flush_every: Duration::from_millis(20),
        ..house.settings()
    }
}

fn value(provider: &Provider) -> String {
    let got = at_once(provider.resolve_string_value("f", &user("user-1")));
    got.map_or_else(|e| e.code.to_string(), |got| got.value)
}

#[test]
fn an_answer_that_is_not_the_servers_is_none_and_passes() {
    let house = House::open();
    house.flag("f", "production", &json!({"serve": "variant", "variant": "a"}));
    let between = Between::before(&house);
    run(async {
        for answer in [PAGE, HALF, SAME, MOVED, NOWHERE, BROKEN] {
            between.does(vec![("/", Does::Says(answer))]);
            let provider = Provider::connect(settings(&house, &between)).await.unwrap();
            let began = (value(&provider), provider.status(), provider.revision());
            assert_eq!(began, ("PROVIDER_NOT_READY".to_owned(), ProviderStatus::NotReady, None), "{answer}");
            between.does(Rules::new());
            until(&provider, || value(&provider) == "A").await;
            soon(|| provider.status() == ProviderStatus::Ready).await;

            between.does(vec![("/api/rules", Does::Says(answer))]);
            assert_eq!(value(&provider), "A", "the last rules answer: {answer}");
            provider.shutdown().await;
        }
        between.does(vec![("/", Does::Says(NEWER))]);
        let refused = Provider::connect(settings(&house, &between)).await.unwrap_err().to_string();
        assert!(refused.starts_with("the rules are of version `1000`"), "{refused}");
    });
}

#[test]
fn a_page_in_the_place_of_the_stream_is_no_stream_that_ended() {
    let house = House::open();
    let between = Between::before(&house);
    between.does(vec![("/", Does::Says(PAGE))]);
    run(async {
        let provider = Provider::connect(settings(&house, &between)).await.unwrap();
        let said = || at_once(provider.resolve_string_value("f", &user("u"))).unwrap_err().message.unwrap();
        soon(|| {
            let said = said();
            assert!(said.contains("is not Bellwether"), "{said}");
            said.ends_with("it has no stream of events")
        })
        .await;
    });
}

#[test]
fn rules_come_where_no_stream_does() {
    for stream in [Does::Says(BROKEN), Does::Says(PAGE), Does::Hums] {
        let house = House::open();
        house.flag("f", "production", &json!({"serve": "variant", "variant": "a"}));
        let between = Between::before(&house);
        between.does(vec![("/api/rules/stream", stream)]);
        run(async {
            let provider = Provider::connect(settings(&house, &between)).await.unwrap();
            assert_eq!(value(&provider), "A");
            // A kill arrives all the same, and it is not claimed that changes are followed.
            house.toggle("f", "production", false);
            until(&provider, || value(&provider) == "none").await;
            soon(|| provider.status() == ProviderStatus::STALE).await;
            between.does(Rules::new());
            soon(|| provider.status() == ProviderStatus::Ready).await;
            house.toggle("f", "production", true);
            until(&provider, || value(&provider) == "A").await;
        });
    }
}

#[test]
fn exposures_wait_while_somebody_else_takes_them() {
    let house = House::open();
    house.flag("f", "production", &split(&[("a", 5_000), ("b", 5_000)], "f-1"));
    let between = Between::before(&house);
    between.does(vec![("/batch", Does::Says(PAGE))]);
    run(async {
        let provider = Provider::connect(settings(&house, &between)).await.unwrap();
        for n in 0..20 {
            at_once(provider.resolve_string_value("f", &user(&format!("user-{n}")))).unwrap();
        }
        soon(|| between.answered() > 0).await;
        between.does(Rules::new());
        soon(|| provider.exposures().sent == 20).await;
        assert_eq!(provider.exposures().dropped, 0);
        // Sent is what the server has.
        let recent = house.call("GET", "/api/events/recent?environment=production&limit=500", &json!({}));
        let exposures = recent["events"].as_array().unwrap().iter().filter(|e| e["event"] == "$exposure");
        assert_eq!(exposures.count(), 20);
    });
}
