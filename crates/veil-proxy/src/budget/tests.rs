#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

fn question(key: u64) -> Charge {
    Charge { key, tenths: 10, parameters: false, moment: false }
}

#[test]
fn a_question_is_paid_once_an_hour() {
    let (budgets, now) = (Budgets::new(2), Instant::now());
    let budget = budgets.of("shop", "app");
    let ask = |key, now| budget.charge(&[question(key)], Parameters::Bytes(b""), now);
    ask(1, now).unwrap();
    ask(1, now).unwrap();
    ask(2, now).unwrap();
    let refusal = ask(3, now + Duration::from_secs(60)).unwrap_err();
    assert!(refusal.message.contains("59 minutes"), "{}", refusal.message);
    ask(2, now).unwrap();
    ask(3, now + HOUR).unwrap();
    // Another user has a budget of his own.
    budgets.of("shop", "other").charge(&[question(3)], Parameters::Bytes(b""), now).unwrap();
}

#[test]
fn other_parameters_are_another_question_and_the_unknown_is_always_new() {
    let (budgets, now) = (Budgets::new(3), Instant::now());
    let budget = budgets.of("shop", "app");
    let by = Charge { parameters: true, ..question(1) };
    let moment = Charge { moment: true, ..question(1) };
    for given in [b"a", b"b", b"a"] {
        budget.charge(&[by], Parameters::Bytes(given), now).unwrap();
    }
    budget.charge(&[by], Parameters::Unknown, now).unwrap();
    budget.charge(&[by], Parameters::Unknown, now).unwrap_err();
    budget.charge(&[moment], Parameters::Bytes(b"a"), now).unwrap_err();
    // What has been paid for stays so, and nothing is paid for what is refused.
    budget.charge(&[by], Parameters::Bytes(b"b"), now).unwrap();
}
