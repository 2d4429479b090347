//! Ledger, tests: what is refused of the tracking plan and of proposals for it.

use bellwether_model::Actor;

use super::*;

fn by_key(edit: Json) -> Proposed {
    Proposed { by: Actor::Key { id: "k_9d02".to_owned() }, ..shop::edit(edit) }
}

#[test]
fn a_plan_is_well_formed() {
    let property = |property: Json| shop::plan(json!({"save": {"Order": {"properties": {"p": property}}}}));
    let said = said(
        &[shop::plan(shop::planned("Order", false))],
        all([
            shop::plan(shop::planned("Order", false)),
            shop::plan(json!({})),
            shop::plan(json!({"remove": ["Visit"]})),
            shop::plan(json!({"remove": ["Order"], "save": {"Order": {}}})),
            shop::plan(json!({"rules": {"environments": {"moon": {"invalid": "reject"}}}})),
            shop::plan(json!({"rules": {"naming": {"events": {"pattern": "("}}}})),
            property(json!({"type": "boolean", "values": [true]})),
            property(json!({"type": "string", "values": ["a", 1]})),
            property(json!({"type": "string", "items": "string"})),
            property(json!({"type": "list", "items": "object", "values": [{}]})),
            property(json!({"type": "integer", "values": [1, 2.0, 2.5]})),
            property(json!({"type": "list", "items": "integer", "values": [1, 2.0]})),
            property(json!({"type": "string", "description": "\u{0}"})),
        ]),
    );
    insta::assert_snapshot!(said);
}

#[test]
fn a_proposal_is_approved_as_it_was_looked_at() {
    let open = || json!({"state": "open"});
    let order = |required| shop::planned("Order", required);
    let rules = |review| shop::plan_rules(review);
    let ledger = [
        shop::plan(order(false)),
        shop::proposal("late", 5, &order(true), open()),
        shop::proposal("rules", 6, &rules(false), open()),
        shop::proposal("visit", 8, &shop::planned("Visit", true), open()),
        shop::proposal("over", 8, &json!({"remove": ["Order"]}), open()),
        shop::proposal(
            "over",
            8,
            &json!({"remove": ["Order"]}),
            json!({"state": "closed", "at": 1, "because": "no"}),
        ),
        shop::plan(rules(true)),
    ];
    let closed = || json!({"state": "closed", "at": 1, "because": "no"});
    let without_reason = Proposed { why: " ".into(), ..by_key(shop::approve("visit")) };
    let asked = vec![
        shop::edit(shop::plan(order(true))),
        shop::edit(shop::approve("visit")),
        by_key(shop::approve("visit")),
        without_reason,
        by_key(shop::approve("late")),
        by_key(shop::approve("rules")),
        by_key(shop::approve("over")),
        by_key(shop::approve("nothing")),
        shop::edit(shop::proposal("new", 99, &order(true), open())),
        shop::edit(shop::proposal("new", 8, &order(false), open())),
        shop::edit(shop::proposal("new", 8, &order(true), closed())),
        shop::edit(shop::proposal("visit", 8, &order(true), closed())),
        shop::edit(shop::proposal("visit", 8, &order(true), json!({"state": "approved", "at": 1}))),
        shop::edit(shop::proposal("visit", 8, &shop::planned("Visit", true), closed())),
        shop::edit(shop::proposal("over", 12, &order(true), open())),
        Proposed { expect: Some(Revision(8)), ..by_key(shop::approve("visit")) },
    ];
    insta::assert_snapshot!(said(&ledger, asked));
}
