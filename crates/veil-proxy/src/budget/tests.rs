#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

#[test]
fn what_is_asked_again_costs_a_tenth_and_an_hour_ends() {
    let (budgets, now) = (Budgets::new(2), Instant::now());
    let budget = budgets.of("shop", "app");
    let ask = |words: &str, now| budget.pay(100, Some(budget.words(words)), now);
    ask("a", now).unwrap();
    for _ in 0..9 {
        ask("a", now).unwrap();
    }
    let refusal = ask("b", now + Duration::from_secs(60)).unwrap_err();
    assert!(refusal.message.contains("59 minutes"), "{}", refusal.message);
    // Nothing was paid for what was refused.
    ask("a", now).unwrap();
    ask("a", now).unwrap_err();
    ask("b", now + HOUR).unwrap();
    // What costs nothing always runs, and another user has a budget of his own.
    budget.pay(0, None, now).unwrap();
    budgets.of("shop", "other").pay(200, None, now).unwrap();
}

#[test]
fn words_that_are_not_known_are_new_each_time() {
    let budgets = Budgets::new(2);
    let budget = budgets.of("", "app");
    budget.pay(100, None, Instant::now()).unwrap();
    budget.pay(100, None, Instant::now()).unwrap();
    budget.pay(1, None, Instant::now()).unwrap_err();
}
