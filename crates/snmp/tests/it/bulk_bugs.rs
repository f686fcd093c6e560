//! `bulk_bugs`: what agents do wrong in GETBULK costs requests, never rows.

use snmp::{Engine, Quirk, Version, Walk, WalkLimits};

use crate::agents::{ALL, Running, Table, answer_from, decode, engine, hostile, oid, response, reticent, target};
use snmp::pdu::PduKind;

async fn walk(engine: &Engine, agent: &Running) -> Walk {
    engine.walk(&target(agent.address), &oid("1.3.6.1.4.1.9.1"), &WalkLimits::default()).await.unwrap()
}

/// A walk over an agent that keeps silent to some requests.
async fn walk_reticent(engine: &Engine, agent: &Running) -> Walk {
    engine.walk(&reticent(agent.address), &oid("1.3.6.1.4.1.9.1"), &WalkLimits::default()).await.unwrap()
}

/// An agent that answers honestly but for GETBULK, which `bulk` may spoil.
fn bulk_agent(mut bulk: impl FnMut(&[u8], usize, Vec<u8>) -> Option<Vec<u8>> + Send + 'static) -> Running {
    let table = Table::grid(2, 100);
    hostile(move |request| {
        let good = answer_from(&table, ALL, 1_472, request)?;
        let (_, pdu) = decode(request);
        if pdu.kind == PduKind::GetBulk { bulk(request, pdu.index as usize, good) } else { Some(good) }
    })
}

fn assert_whole(walk: &Walk) {
    assert_eq!(walk.rows.len(), 200);
    assert!(!walk.incomplete);
}

#[tokio::test]
async fn getbulk_never_answered_falls_back_to_getnext() {
    let agent = bulk_agent(|_, _, _| None);
    let engine = engine();
    let first = walk_reticent(&engine, &agent).await;
    assert_whole(&first);
    assert!(first.quirks.contains(&Quirk::NoBulk) && !first.quirks.contains(&Quirk::V1Only), "{:?}", first.quirks);
    assert!(engine.learnt(agent.address).no_bulk);
    // The second walk does not try again.
    let again = walk(&engine, &agent).await;
    assert_whole(&again);
    assert_eq!(again.exchanges, 201);
}

#[tokio::test]
async fn v1_only_agents_are_found_out_once() {
    let table = Table::grid(2, 100);
    let agent = hostile(move |request| answer_from(&table, &[Version::V1], 1_472, request));
    let engine = engine();
    let first = walk_reticent(&engine, &agent).await;
    assert_whole(&first);
    assert_eq!(first.quirks, [Quirk::V1Only]);
    assert!(engine.learnt(agent.address).v1_only);
    let before = agent.requests();
    assert_whole(&walk(&engine, &agent).await);
    assert_eq!(agent.requests() - before, 201);
}

#[tokio::test]
async fn too_many_rows_that_time_out_are_halved_and_remembered() {
    let agent = bulk_agent(|_, repetitions, good| (repetitions <= 15).then_some(good));
    let engine = engine();
    // It has answered something, so it is alive.
    engine.get(&target(agent.address), &[oid("1.3.6.1.4.1.9.1.1.1")]).await.unwrap();
    let first = walk_reticent(&engine, &agent).await;
    assert_whole(&first);
    assert!(first.quirks.contains(&Quirk::BulkTimeout), "{:?}", first.quirks);
    let learnt = engine.learnt(agent.address);
    assert!((1..=15).contains(&learnt.max_repetitions) || learnt.no_bulk, "{learnt:?}");
}

#[tokio::test]
async fn empty_too_big_halves() {
    let agent = bulk_agent(|request, repetitions, good| {
        Some(if repetitions > 12 { response(request, 1, 0, vec![]) } else { good })
    });
    let walk = walk(&engine(), &agent).await;
    assert_whole(&walk);
    assert_eq!(walk.quirks, [Quirk::BulkTooBig]);
    assert!(walk.exchanges < 60, "{}", walk.exchanges);
}

#[tokio::test]
async fn too_big_for_any_getbulk_falls_back() {
    let agent = bulk_agent(|request, _, _| Some(response(request, 1, 0, vec![])));
    let walk = walk(&engine(), &agent).await;
    assert_whole(&walk);
    assert!(walk.quirks.contains(&Quirk::NoBulk));
}

#[tokio::test]
async fn gen_err_for_any_getbulk_falls_back() {
    let agent = bulk_agent(|request, _, _| Some(response(request, 5, 0, vec![])));
    assert_whole(&walk(&engine(), &agent).await);
}

#[tokio::test]
async fn empty_answers_fall_back() {
    let agent = bulk_agent(|request, _, _| Some(response(request, 0, 0, vec![])));
    let walk = walk(&engine(), &agent).await;
    assert_whole(&walk);
    assert!(walk.quirks.contains(&Quirk::EmptyBulk));
}

#[tokio::test]
async fn truncated_answers_are_used_as_far_as_they_go() {
    let agent = bulk_agent(|_, _, mut good| {
        good.truncate(300);
        Some(good)
    });
    let walk = walk_reticent(&engine(), &agent).await;
    assert_whole(&walk);
    assert!(walk.quirks.contains(&Quirk::Truncated));
}

#[tokio::test]
async fn garbage_in_bulk_only_falls_back() {
    let agent = bulk_agent(|_, _, good| Some(good.iter().map(|byte| byte ^ 0x55).collect()));
    let engine = engine();
    engine.get(&target(agent.address), &[oid("1.3.6.1.4.1.9.1.1.1")]).await.unwrap();
    let walk = walk_reticent(&engine, &agent).await;
    assert_whole(&walk);
    assert!(walk.quirks.contains(&Quirk::Garbage));
}

#[tokio::test]
async fn rows_of_bulk_out_of_order_are_read_again_one_by_one() {
    let agent = bulk_agent(|request, _, good| {
        let (_, mut pdu) = decode(&good);
        pdu.varbinds.reverse();
        Some(response(request, 0, 0, pdu.varbinds))
    });
    let walk = walk(&engine(), &agent).await;
    assert_whole(&walk);
    assert!(walk.quirks.contains(&Quirk::NotIncreasing));
}

#[tokio::test]
async fn more_rows_than_asked_for_are_welcome() {
    let table = Table::grid(2, 100);
    let agent = hostile(move |request| {
        let (_, mut pdu) = decode(request);
        pdu.index = 64;
        let mut larger = Vec::new();
        snmp::message::write_community(&mut snmp::ber::Writer::new(&mut larger), Version::V2c, b"public", |writer| {
            pdu.write(writer);
        });
        answer_from(&table, ALL, 9_000, &larger)
    });
    let walk = walk(&engine(), &agent).await;
    assert_whole(&walk);
    assert_eq!(walk.quirks, [Quirk::TooManyRows]);
}

#[tokio::test]
async fn answers_grow_to_the_frame_and_not_beyond() {
    let table = Table::grid(4, 500);
    let agent = hostile(move |request| answer_from(&table, ALL, 60_000, request));
    let walk = walk(&engine(), &agent).await;
    assert_eq!(walk.rows.len(), 2_000);
    let row = 4 + 11 + 4;
    assert!(walk.exchanges as usize <= 2_000 * row / 1_200, "{}", walk.exchanges);
}
