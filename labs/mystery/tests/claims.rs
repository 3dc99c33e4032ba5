//! Every check holds with its cause, and fails without.

#[test]
fn every_check_holds_and_fails_without_its_cause() {
    lab_kit::check_lab(&mystery::LAB);
}
