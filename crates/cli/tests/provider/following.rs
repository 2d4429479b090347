//! Rules are followed: a change arrives, the last rules answer while the server is away, and what was missed
//! is caught up.

use bellwether_provider::{Provider, Settings};
use open_feature::EvaluationErrorCode;
use open_feature::provider::{FeatureProvider, ProviderStatus};
use serde_json::json;

use crate::{House, at_once, run, soon, split, until, user};

fn variant(provider: &Provider, flag: &str) -> String {
    let who = user("user-1");
    let got = at_once(provider.resolve_string_value(flag, &who));
    got.map_or_else(|e| e.code.to_string(), |got| format!("{} {}", got.value, got.reason.unwrap()))
}

/// Waits for a standing, of which nothing tells.
async fn stands(provider: &Provider, status: ProviderStatus) {
    soon(|| provider.status() == status).await;
}

fn everybody(variant: &str) -> serde_json::Value {
    json!({"serve": "variant", "variant": variant})
}

#[test]
fn a_change_arrives_and_a_server_that_was_away_is_caught_up_with() {
    let mut house = House::open();
    house.flag("f", "production", &everybody("a"));
    run(async {
        let provider = tokio::spawn(Provider::connect(house.settings())).await.unwrap().unwrap();
        assert_eq!(
            (variant(&provider, "f").as_str(), provider.status()),
            ("A STATIC", ProviderStatus::Ready)
        );
        house.toggle("f", "production", false);
        until(&provider, || variant(&provider, "f") == "none DISABLED").await;
        house.toggle("f", "production", true);
        until(&provider, || variant(&provider, "f") == "A STATIC").await;

        // Away: the last rules answer.
        house.kill();
        stands(&provider, ProviderStatus::STALE).await;
        assert_eq!(variant(&provider, "f"), "A STATIC");
        // Changed where the provider cannot hear it.
        house.elsewhere(|house| {
            house.target("f", "production", &json!({"default": everybody("b")}));
            assert_eq!(variant(&provider, "f"), "A STATIC");
        });
        assert_eq!(variant(&provider, "f"), "A STATIC");
        house.serve();
        until(&provider, || variant(&provider, "f") == "B STATIC").await;
        stands(&provider, ProviderStatus::Ready).await;
        // And it hears changes again.
        house.flag("g", "production", &everybody("b"));
        until(&provider, || variant(&provider, "g") == "B STATIC").await;

        // A server that comes back with what it had is followed again, too.
        house.kill();
        stands(&provider, ProviderStatus::STALE).await;
        house.serve();
        stands(&provider, ProviderStatus::Ready).await;
        provider.shutdown().await;
        assert_eq!(
            variant(&provider, "g"),
            "B STATIC",
            "the last rules answer for as long as they are asked"
        );
    });
}

#[test]
fn a_provider_may_come_before_its_server() {
    let mut house = House::open();
    house.flag("f", "production", &everybody("a"));
    house.kill();
    run(async {
        let provider = Provider::connect(house.settings()).await.unwrap();
        assert_eq!((variant(&provider, "f").as_str(), provider.revision()), ("PROVIDER_NOT_READY", None));
        assert_eq!(provider.status(), ProviderStatus::NotReady);
        let said = provider.resolve_bool_value("f", &user("u")).await.unwrap_err().message.unwrap();
        assert!(said.starts_with("there are no rules yet: the server cannot be reached: "), "{said}");
        house.serve();
        provider.ready().await;
        assert_eq!(variant(&provider, "f"), "A STATIC");
        assert!(provider.revision().is_some());
    });
}

#[test]
fn long_lists_come_once_and_new_ones_when_they_are_named() {
    let house = House::open();
    house.flag("f", "production", &everybody("off"));
    let ids = |from: usize| -> Vec<String> { (from..from + 1_500).map(|n| format!("user-{n}")).collect() };
    house.target("f", "production", &json!({"targets": [{"variant": "a", "ids": ids(0)}]}));
    run(async {
        let provider = Provider::connect(house.settings()).await.unwrap();
        assert_eq!(variant(&provider, "f"), "A TARGETING_MATCH");
        house.target("f", "production", &json!({"targets": [{"variant": "a", "ids": ids(2)}]}));
        until(&provider, || variant(&provider, "f") == "none DEFAULT").await;
        house.target("f", "production", &json!({"targets": [{"variant": "b", "ids": ids(1)}]}));
        until(&provider, || variant(&provider, "f") == "B TARGETING_MATCH").await;
    });
}

#[test]
fn what_cannot_be_is_refused_with_a_reason() {
    let house = House::open();
    house.flag("f", "production", &split(&[("a", 5_000), ("b", 5_000)], "f-1"));
    let client = house.made_key("client", "production");
    run(async {
        let with = |address: &str, key: &str| {
            let settings = Settings { address: address.into(), key: key.into(), ..house.settings() };
            async { Provider::connect(settings).await.unwrap_err().to_string() }
        };
        let client = with(&house.address, &client).await;
        assert!(
            client.starts_with("a `client` key gets answers, never rules; use a `server` key"),
            "{client}"
        );
        let stranger = with(&house.address, "nobody's").await;
        assert!(stranger.contains("key"), "{stranger}");
        let nowhere = with("localhost", &house.key).await;
        assert!(nowhere.starts_with("`localhost` is no address of a server"), "{nowhere}");
        // Something else may answer there for a while only: that is no reason not to start.
        let elsewhere = Settings { address: format!("{}/elsewhere", house.address), ..house.settings() };
        let provider = Provider::connect(elsewhere).await.unwrap();
        let said = provider.resolve_bool_value("f", &user("u")).await.unwrap_err().message.unwrap();
        assert!(said.contains("/elsewhere` is not Bellwether, or is behind something else"), "{said}");
    });
}

#[test]
fn a_key_that_is_revoked_leaves_the_last_rules() {
    let house = House::open();
    house.flag("f", "production", &everybody("a"));
    run(async {
        let provider = Provider::connect(house.settings()).await.unwrap();
        let keys = house.call("GET", "/api/keys", &json!({}));
        let server = keys["keys"].as_array().unwrap().iter().find(|key| key["scope"] == "server").unwrap();
        house.call("DELETE", &format!("/api/keys/{}", server["id"].as_str().unwrap()), &json!({}));
        house.toggle("f", "production", false);
        stands(&provider, ProviderStatus::STALE).await;
        assert_eq!(variant(&provider, "f"), "A STATIC");
        assert_ne!(variant(&provider, "f"), EvaluationErrorCode::ProviderNotReady.to_string());
    });
}
