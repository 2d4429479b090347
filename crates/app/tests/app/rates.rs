//! App tests: who sends too much is told when to go on, in the words of its protocol, and nothing of it is
//! stored.

use bellwether_app::{Body, Door, Rates, Reply, Sent};
use serde_json::{Value as Json, json};

use crate::house::House;

fn events(secret: &str, ids: &[&str]) -> Vec<u8> {
    let events: Vec<Json> = ids.iter().map(|id| json!({"event_type": "a", "device_id": id})).collect();
    json!({"api_key": secret, "events": events}).to_string().into_bytes()
}

fn send(house: &House, door: Door, body: &[u8]) -> Reply {
    house.bring(door, &Sent { body, ..Sent::default() })
}

#[test]
fn a_device_that_sends_too_much_is_named_with_its_events() {
    let mut house = House::with(1, |settings| {
        settings.rates = Rates { environment: 0, unit: 2, unit_batch: 0, bot: 0 };
    });
    let secret = house.key("client");
    // Two a second over half a minute may come at once.
    let sixty = events(&secret, &["device-1"; 60]);
    assert_eq!(send(&house, Door::AmplitudeHttp, &sixty).status, 200);
    let mixed = events(&secret, &["device-2", "device-1", "device-2", "device-1"]);
    let refused = send(&house, Door::AmplitudeHttp, &mixed);
    let Body::Json(mut body) = refused.body.clone() else { panic!("{refused:?}") };
    body.as_object_mut().unwrap().remove("hint");
    assert_eq!(
        body,
        json!({"code": 429, "error": "Too many requests for some devices and users", "eps_threshold": 2,
            "throttled_devices": {"device-1": 2}, "throttled_users": {}, "throttled_events": [1, 3],
            "exceeded_daily_quota_devices": {}, "exceeded_daily_quota_users": {}})
    );
    assert_eq!((refused.status, refused.retry_after), (429, Some(1)));
    assert_eq!(house.events().len(), 60, "nothing of it is stored");
    // By the other door, and of the other device, it goes on; and so it does here after a while.
    assert_eq!(send(&house, Door::AmplitudeBatch, &mixed).status, 200);
    assert_eq!(send(&house, Door::AmplitudeHttp, &events(&secret, &["device-2"; 2])).status, 200);
    house.later(1_000);
    assert_eq!(send(&house, Door::AmplitudeHttp, &mixed).status, 200);
    assert_eq!(send(&house, Door::AmplitudeHttp, &mixed).status, 429);
    // A clock that goes back lets nobody in and shuts nobody out.
    house.later(-10_000);
    assert_eq!(send(&house, Door::AmplitudeHttp, &mixed).status, 429);
    house.later(70_000);
    assert_eq!(send(&house, Door::AmplitudeHttp, &mixed).status, 200);
}

#[test]
fn an_environment_that_sends_too_much_is_told_when_to_go_on() {
    let mut house = House::with(1, |settings| {
        settings.rates = Rates { environment: 1, unit: 0, unit_batch: 0, bot: 0 };
    });
    let secret = house.key("client");
    let bearer = format!("Bearer {secret}");
    let track = |house: &House, n: usize| {
        let batch: Vec<Json> = vec![json!({"type": "track", "event": "a", "userId": "u"}); n];
        let body = json!({"batch": batch}).to_string();
        house.bring(
            Door::Segment(None),
            &Sent { authorization: Some(&bearer), body: body.as_bytes(), ..Sent::default() },
        )
    };
    assert_eq!(track(&house, 30).status, 200);
    let refused = track(&house, 12);
    assert_eq!((refused.status, refused.retry_after), (429, Some(12)));
    house.later(11_000);
    assert_eq!(track(&house, 12).status, 429);
    house.later(1_000);
    assert_eq!(track(&house, 12).status, 200);
    // One request that is larger than all that may come at once is taken when nothing was.
    assert_eq!(track(&house, 31).status, 429);
    house.later(60_000);
    assert_eq!(track(&house, 31).status, 200);
    assert_eq!(house.events().len(), 30 + 12 + 31);
}
