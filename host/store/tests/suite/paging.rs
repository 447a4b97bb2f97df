//! Paging through a list, and answers that do not depend on the database.

use crate::world::*;
use futures::StreamExt;
use hadron_store::{Direction, NewRow, Predicate, Query, View};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

async fn ids(world: &World, query: &Query) -> Vec<String> {
    let rows = world.store.list(&shelves(), query, &View::default()).await.unwrap();
    rows.map(|row| row.unwrap().id).collect().await
}

fn documents() -> impl Strategy<Value = Vec<Value>> {
    let name = prop_oneof![Just(Value::Null), "[aAbä]{0,2}".prop_map(Value::from)];
    let number = prop_oneof![Just(Value::Null), (-2i64..3).prop_map(Value::from)];
    let truth = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from)];
    let tags = prop::collection::btree_set("[xyz]", 0..3);
    let row = (name.clone(), name, number.clone(), number, truth, tags).prop_map(
        |(name, wood, height, rank, open, tags)| {
            let mut row = json!({"name": name, "wood:kind": wood, "rank": rank, "open": open, "tags": tags});
            if !height.is_null() {
                row["height"] = height;
            }
            row
        },
    );
    prop::collection::vec(row, 1..40)
}

const SORTABLE: [&str; 6] = ["name", "wood:kind", "height", "rank", "open", "created_at"];

fn sorts() -> impl Strategy<Value = Vec<(String, Direction)>> {
    let direction = prop_oneof![Just(Direction::Ascending), Just(Direction::Descending)];
    let key = (prop::sample::select(SORTABLE.to_vec()).prop_map(str::to_owned), direction);
    prop::collection::vec(key, 0..4)
}

fn predicates() -> impl Strategy<Value = Predicate> {
    let text = || "[aAbäxyz]{0,2}";
    let column =
        || prop::sample::select(vec!["name".to_owned(), "wood:kind".into(), "tags".into(), "id".into()]);
    let number = || prop::sample::select(vec!["height".to_owned(), "rank".into(), "revision_number".into()]);
    let texts = prop::collection::vec(prop_oneof![Just(Value::Null), text().prop_map(Value::from)], 0..3);
    let numbers =
        prop::collection::vec(prop_oneof![Just(Value::Null), (-2i64..3).prop_map(Value::from)], 0..3);
    let leaf = prop_oneof![
        (column(), texts).prop_map(|(name, values)| Predicate::In(name, values)),
        (number(), numbers).prop_map(|(name, values)| Predicate::In(name, values)),
        (column(), text()).prop_map(|(name, value)| Predicate::Contains(name, value)),
        (column(), text()).prop_map(|(name, value)| Predicate::StartsWith(name, value)),
        (column(), text()).prop_map(|(name, value)| Predicate::Less(name, value.into())),
        (number(), -2i64..3).prop_map(|(name, value)| Predicate::Greater(name, value.into())),
        any::<bool>().prop_map(|value| Predicate::In("open".into(), vec![value.into()])),
        text().prop_map(|value| Predicate::Item("tags".into(), vec![Predicate::equal("value", &value)])),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Predicate::All),
            prop::collection::vec(inner.clone(), 0..3).prop_map(Predicate::Any),
            inner.prop_map(|p| Predicate::Not(Box::new(p))),
        ]
    })
}

/// A value of the strategy; the suite's runtime is async, so there is no
/// shrinking.
fn some<T: std::fmt::Debug>(runner: &mut TestRunner, strategy: &impl Strategy<Value = T>) -> T {
    strategy.new_tree(runner).unwrap().current()
}

fn rows(documents: &[Value]) -> Vec<NewRow> {
    documents.iter().enumerate().map(|(i, d)| new(&format!("{:02}", (i * 37) % 100), d.clone())).collect()
}

async fn replace(world: &World, documents: &[Value]) {
    let mut unit = world.begin().await;
    let old: Vec<String> = unit
        .find(&shelves(), &Query::default(), &View::default())
        .await
        .unwrap()
        .into_iter()
        .map(|row| row.id)
        .collect();
    unit.delete(&shelves(), &old).await.unwrap();
    unit.insert(&shelves(), rows(documents)).await.unwrap();
    unit.commit(Vec::new()).await.unwrap();
}

on_both! {
    async fn pages_together_are_the_whole_list(world: World) {
        let mut runner = TestRunner::deterministic();
        for _ in 0..12 {
            let documents = some(&mut runner, &documents());
            replace(&world, &documents).await;
            for _ in 0..6 {
                let sort = some(&mut runner, &sorts());
                let limit = some(&mut runner, &(1u32..8));
                let predicate = some(&mut runner, &predicates());
                let whole = Query { predicate, sort, ..Query::default() };
                let expected = ids(&world, &whole).await;
                let mut page = Query { limit: Some(limit), ..whole.clone() };
                let mut forward = Vec::new();
                loop {
                    let some = ids(&world, &page).await;
                    assert!(some.len() <= limit as usize);
                    let Some(last) = some.last() else { break };
                    page.marker = Some(last.clone());
                    forward.extend(some);
                }
                assert_eq!(forward, expected, "{whole:?} of {documents:?}");
                let Some(last) = expected.last() else { continue };
                let mut page = Query { limit: Some(limit), reverse: true, marker: Some(last.clone()), ..whole.clone() };
                let mut backward = vec![last.clone()];
                loop {
                    let some = ids(&world, &page).await;
                    let Some(first) = some.first() else { break };
                    page.marker = Some(first.clone());
                    backward.splice(0..0, some);
                }
                assert_eq!(backward, expected, "{whole:?} of {documents:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_databases_give_the_same_answers() {
    let sqlite = World::on_sqlite().await;
    let Some(postgres) = World::on_postgres().await else { return };
    let mut runner = TestRunner::deterministic();
    for _ in 0..8 {
        let documents = some(&mut runner, &documents());
        replace(&sqlite, &documents).await;
        replace(&postgres, &documents).await;
        for _ in 0..25 {
            let query = Query {
                predicate: some(&mut runner, &predicates()),
                sort: some(&mut runner, &sorts()),
                limit: some(&mut runner, &prop::option::of(1u32..10)),
                ..Query::default()
            };
            let answers = (ids(&sqlite, &query).await, ids(&postgres, &query).await);
            assert_eq!(answers.0, answers.1, "{query:?} of {documents:?}");
        }
    }
}
