//! Pools of numbers: against a model, and with many takers.

use crate::world::*;
use hadron_store::{PoolError, Store, StoreError, Transaction};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::collections::BTreeSet;

/// A pool as it ought to be.
#[derive(Default)]
struct Model {
    ranges: BTreeSet<u64>,
    taken: BTreeSet<u64>,
}

#[derive(Clone, Debug)]
enum Step {
    Define(Vec<(u64, u64)>),
    Take(u32),
    Given(u64),
    GiveBack(Vec<u64>),
    /// As the last one, but the unit is rolled back.
    Undone(Vec<u64>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let ranges = prop::collection::vec((0u64..120, 0u64..60).prop_map(|(lo, size)| (lo, lo + size)), 0..4);
    let numbers = || prop::collection::vec(0u64..200, 1..12);
    let step = prop_oneof![
        1 => ranges.prop_map(Step::Define),
        4 => (1u32..20).prop_map(Step::Take),
        4 => (0u64..200).prop_map(Step::Given),
        4 => numbers().prop_map(Step::GiveBack),
        1 => numbers().prop_map(Step::Undone),
    ];
    prop::collection::vec(step, 1..40)
}

impl Model {
    fn free(&self) -> BTreeSet<u64> {
        &self.ranges - &self.taken
    }
}

async fn one(unit: &mut Transaction, model: &mut Model, step: &Step) {
    match step {
        Step::Define(ranges) => {
            unit.pool_define("pool", ranges).await.unwrap();
            model.ranges = ranges.iter().flat_map(|(lo, hi)| *lo..=*hi).collect();
        }
        Step::Take(count) => match unit.pool_take("pool", *count).await {
            Ok(numbers) => {
                assert_eq!(numbers.len(), *count as usize);
                for number in numbers {
                    assert!(model.free().contains(&number), "{number} was not free");
                    model.taken.insert(number);
                }
            }
            Err(PoolError::Exhausted) => assert!(model.free().len() < *count as usize),
            Err(error) => panic!("{error}"),
        },
        Step::Given(number) => match unit.pool_take_given("pool", *number).await {
            Ok(()) => {
                assert!(model.free().contains(number), "{number} was not free");
                model.taken.insert(*number);
            }
            Err(PoolError::Taken) => assert!(!model.free().contains(number), "{number} was free"),
            Err(error) => panic!("{error}"),
        },
        Step::GiveBack(numbers) | Step::Undone(numbers) => {
            unit.pool_give_back("pool", numbers).await.unwrap();
            numbers.iter().for_each(|n| {
                model.taken.remove(n);
            });
        }
    }
}

async fn begin(store: &Store) -> Transaction {
    store.begin(&uuid::Uuid::new_v4().to_string()).await.unwrap()
}

/// Takes numbers in units of their own until there are none.
async fn take_all(store: Store, each: u32) -> Vec<u64> {
    let mut mine = Vec::new();
    let mut n = 0u32;
    loop {
        let mut unit = begin(&store).await;
        match unit.pool_take("pool", each).await {
            Ok(numbers) => {
                n += 1;
                // Some change their minds.
                if n.is_multiple_of(7) {
                    unit.rollback().await;
                    continue;
                }
                match unit.commit(Vec::new()).await {
                    Ok(_) => mine.extend(numbers),
                    Err(StoreError::Retry(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            Err(PoolError::Exhausted) => {
                unit.rollback().await;
                return mine;
            }
            Err(PoolError::Store(StoreError::Retry(_))) => unit.rollback().await,
            Err(error) => panic!("{error}"),
        }
    }
}

on_both! {
    async fn a_pool_behaves_like_its_model(world: World) {
        let mut runner = TestRunner::deterministic();
        for _ in 0..25 {
            let steps = steps().new_tree(&mut runner).unwrap().current();
            let mut model = Model::default();
            let mut unit = world.begin().await;
            unit.pool_define("pool", &[]).await.unwrap();
            unit.commit(Vec::new()).await.unwrap();
            for step in &steps {
                let mut unit = world.begin().await;
                if matches!(step, Step::Undone(_)) {
                    let mut forgotten = Model { ranges: model.ranges.clone(), taken: model.taken.clone() };
                    one(&mut unit, &mut forgotten, step).await;
                    unit.rollback().await;
                } else {
                    one(&mut unit, &mut model, step).await;
                    unit.commit(Vec::new()).await.unwrap();
                }
            }
            let mut unit = world.begin().await;
            let free = model.free();
            let rest = unit.pool_take("pool", free.len() as u32).await.unwrap();
            assert_eq!(rest.into_iter().collect::<BTreeSet<_>>(), free, "{steps:?}");
            assert!(matches!(unit.pool_take("pool", 1).await, Err(PoolError::Exhausted)));
            unit.pool_drop("pool").await.unwrap();
            unit.commit(Vec::new()).await.unwrap();
        }
    }

    async fn unknown_pools_are_unknown(world: World) {
        let mut unit = world.begin().await;
        assert!(matches!(unit.pool_take("no", 1).await, Err(PoolError::Unknown)));
        assert!(matches!(unit.pool_take_given("no", 1).await, Err(PoolError::Unknown)));
        assert!(matches!(unit.pool_take_given("no", u64::MAX).await, Err(PoolError::Unknown)));
        assert!(matches!(unit.pool_give_back("no", &[1]).await, Err(PoolError::Unknown)));
        assert!(matches!(unit.pool_drop("no").await, Err(PoolError::Unknown)));
        unit.pool_define("empty", &[]).await.unwrap();
        assert!(matches!(unit.pool_take("empty", 1).await, Err(PoolError::Exhausted)));
        // The unit goes on after each of these.
        unit.pool_define("large", &[(1 << 40, (1 << 62) + 5)]).await.unwrap();
        assert_eq!(unit.pool_take("large", 3).await.unwrap().len(), 3);
        unit.pool_take_given("large", 1 << 61).await.unwrap();
        assert!(matches!(unit.pool_take_given("large", 1 << 61).await, Err(PoolError::Taken)));
        unit.commit(Vec::new()).await.unwrap();
    }

    async fn sixteen_takers_get_every_number_once(world: World) {
        let mut unit = world.begin().await;
        unit.pool_define("pool", &[(1, 150), (1000, 1149)]).await.unwrap();
        unit.commit(Vec::new()).await.unwrap();
        let takers: Vec<_> = (0..16u32).map(|i| tokio::spawn(take_all(world.store.clone(), 1 + i % 2))).collect();
        let mut all = Vec::new();
        for taker in takers {
            all.extend(taker.await.unwrap());
        }
        // A taker of two finds the last one too few.
        all.extend(take_all(world.store.clone(), 1).await);
        all.sort_unstable();
        let expected: Vec<u64> = (1..=150).chain(1000..=1149).collect();
        assert_eq!(all, expected);
    }

    async fn sixteen_takers_ask_for_the_same_numbers(world: World) {
        let mut unit = world.begin().await;
        unit.pool_define("pool", &[(1, 40)]).await.unwrap();
        unit.commit(Vec::new()).await.unwrap();
        let mut takers = Vec::new();
        for i in 0..16u64 {
            let store = world.store.clone();
            takers.push(tokio::spawn(async move {
                let mut mine = Vec::new();
                for n in 0..40u64 {
                    let number = 1 + (n * 7 + i) % 40;
                    loop {
                        let mut unit = begin(&store).await;
                        match unit.pool_take_given("pool", number).await {
                            Ok(()) => match unit.commit(Vec::new()).await {
                                Ok(_) => {
                                    mine.push(number);
                                    break;
                                }
                                Err(StoreError::Retry(_)) => {}
                                Err(error) => panic!("{error}"),
                            },
                            Err(PoolError::Taken) => {
                                unit.rollback().await;
                                break;
                            }
                            Err(PoolError::Store(StoreError::Retry(_))) => unit.rollback().await,
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
                mine
            }));
        }
        let mut all = Vec::new();
        for taker in takers {
            all.extend(taker.await.unwrap());
        }
        all.sort_unstable();
        assert_eq!(all, (1..=40).collect::<Vec<u64>>());
    }

    async fn numbers_come_and_go_without_loss(world: World) {
        let mut unit = world.begin().await;
        unit.pool_define("pool", &[(1, 64)]).await.unwrap();
        unit.commit(Vec::new()).await.unwrap();
        let owners = std::sync::Arc::new(std::sync::Mutex::new(BTreeSet::new()));
        let mut workers = Vec::new();
        for _ in 0..16 {
            let (store, owners) = (world.store.clone(), owners.clone());
            workers.push(tokio::spawn(async move {
                for round in 0..12 {
                    let mut unit = begin(&store).await;
                    let number = match unit.pool_take("pool", 1).await {
                        Ok(numbers) => numbers[0],
                        Err(PoolError::Store(StoreError::Retry(_))) => {
                            unit.rollback().await;
                            continue;
                        }
                        Err(error) => panic!("{error}"),
                    };
                    if unit.commit(Vec::new()).await.is_err() {
                        continue;
                    }
                    assert!(owners.lock().unwrap().insert(number), "{number} was given twice");
                    if round == 11 {
                        continue;
                    }
                    loop {
                        let mut unit = begin(&store).await;
                        // Not ours any more once somebody can take it.
                        owners.lock().unwrap().remove(&number);
                        match unit.pool_give_back("pool", &[number, 9999]).await {
                            Ok(()) => {
                                if unit.commit(Vec::new()).await.is_ok() {
                                    break;
                                }
                            }
                            Err(PoolError::Store(StoreError::Retry(_))) => unit.rollback().await,
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
            }));
        }
        for worker in workers {
            worker.await.unwrap();
        }
        let kept = owners.lock().unwrap().clone();
        let mut unit = world.begin().await;
        let rest: BTreeSet<u64> = unit.pool_take("pool", 64 - kept.len() as u32).await.unwrap().into_iter().collect();
        assert!(matches!(unit.pool_take("pool", 1).await, Err(PoolError::Exhausted)));
        assert_eq!(&rest & &kept, BTreeSet::new());
        unit.rollback().await;
    }
}
