//! App tests: programs among those who come are kept, marked, left out of answers and counted.

use bellwether_app::{Door, Sent, Track};
use serde_json::{Value as Json, json};

use crate::house::{House, user};

const CRAWLER: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0";

fn bring(house: &House, agent: &str, events: &Json, secret: &str) {
    let body = serde_json::to_vec(&json!({"api_key": secret, "events": events})).unwrap();
    let sent = Sent { body: &body, agent: Some(agent), ..Sent::default() };
    assert_eq!(house.bring(Door::AmplitudeBatch, &sent).status, 200);
}

fn visit(user: &str) -> Json {
    json!({"event_type": "visit", "user_id": user})
}

#[test]
fn a_crawler_is_left_out_and_counted() {
    let house = House::new();
    let secret = house.key("server");
    bring(&house, FIREFOX, &json!([visit("person-1")]), &secret);
    bring(&house, CRAWLER, &json!([visit("crawler"), visit("crawler")]), &secret);
    // A program on a server speaks of people, and says of one of them that it is none.
    let named = json!({"event_type": "visit", "user_id": "crawler-2", "user_agent": CRAWLER});
    bring(&house, "python-requests/2.31.0", &json!([visit("person-2"), named]), &secret);

    let ask = |bots: bool, measure: &str| {
        let day = "2026-09-21";
        let input = json!({"environment": "production", "event": "visit", "measure": measure, "from": day, "to": day,
            "bots": bots});
        let answer = house.did("query.segmentation", input);
        (answer["series"][0]["total"].clone(), answer["bots"].clone())
    };
    assert_eq!(ask(false, "totals"), (json!(2), json!(3)));
    assert_eq!(ask(false, "uniques"), (json!(2), json!(3)));
    assert_eq!(ask(true, "totals"), (json!(5), json!(0)));
    let catalogue = house.did("event.catalogue", json!({"environment": "production"}));
    assert_eq!((&catalogue["events"][0]["count"], &catalogue["events"][0]["bots"]), (&json!(5), &json!(3)));
}

#[test]
fn what_a_sender_says_of_programs_counts_for_nothing() {
    let house = House::new();
    let secret = house.key("server");
    let marked = |mark: Json| json!({"event_type": "visit", "user_id": "person-1", "event_properties": {"$bot": mark}});
    let marks = [json!(false), json!(""), json!("agent"), json!("pace"), json!({"a": 1})];
    bring(&house, FIREFOX, &marks.map(marked).to_vec().into(), &secret);
    let named = json!({"event": "visit", "api_key": secret, "properties": {"distinct_id": "person-2", "$bot": "agent"}});
    let body = serde_json::to_vec(&named).unwrap();
    house.bring(Door::PostHog, &Sent { body: &body, agent: Some(FIREFOX), ..Sent::default() });
    bring(&house, CRAWLER, &json!([marked(json!(false))]), &secret);
    let day = "2026-09-21";
    let input = json!({"environment": "production", "event": "visit", "from": day, "to": day});
    let answer = house.did("query.segmentation", input);
    assert_eq!((&answer["series"][0]["total"], &answer["bots"]), (&json!(6), &json!(1)));
    assert_eq!(house.events().iter().filter(|event| !event["properties"]["$bot"].is_null()).count(), 1);
}

#[test]
fn a_pace_that_no_person_has_is_left_out_of_answers() {
    let house = House::with(1, |settings| settings.rates.bot = 20);
    let secret = house.key("server");
    let many: Vec<Json> = (0..30).map(|_| visit("fast-1")).collect();
    bring(&house, FIREFOX, &many.into(), &secret);
    bring(&house, FIREFOX, &json!([visit("person-1")]), &secret);
    let day = "2026-09-21";
    let input = json!({"environment": "production", "event": "visit", "from": day, "to": day});
    let answer = house.did("query.segmentation", input);
    assert_eq!((&answer["series"][0]["total"], &answer["bots"]), (&json!(21), &json!(10)));
}

#[test]
fn a_crawler_that_is_shown_a_variant_is_in_no_experiment() {
    let house = House::new();
    house.split_flag("f", 10_000);
    let shown = |id: &str, agent: Option<&str>| {
        let context = user(json!({"user_id": id}));
        house.app.evaluate(&house.served(), "f", &context, Track::Exposure, agent, house.now).unwrap();
    };
    shown("person-1", Some(FIREFOX));
    shown("crawler", Some(CRAWLER));
    shown("person-2", Some("node"));
    let marks: Vec<(String, Json)> = house
        .events()
        .iter()
        .map(|e| (e["who"]["user"].as_str().unwrap().to_owned(), e["properties"]["$bot"].clone()))
        .collect();
    assert!(marks.contains(&("crawler".to_owned(), json!("agent"))));
    assert_eq!(marks.iter().filter(|(_, mark)| mark.is_null()).count(), 2);
}
