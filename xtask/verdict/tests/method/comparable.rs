//! Every hard key changed alone is refused by name; every soft one warns.

use std::collections::BTreeSet;

use lab_verdict::comparable::{self, Facts, check_key, compare, left_out, one_sided};

/// Written out again, so that a key that goes missing from the method is missed here.
const HARD: &str = "lab labs variants benches scenario arch cpu-model cores virtualisation kernel rustc \
                    profile rustflags features clock-source harness";
const SOFT: &str = "governor thp microcode load-average steal";

fn facts() -> Facts {
    HARD.split(' ').chain(SOFT.split(' ')).map(|key| (key.to_owned(), "1".to_owned())).collect()
}

fn with(key: &str, value: &str) -> Facts {
    let mut facts = facts();
    facts.insert(key.to_owned(), value.to_owned());
    facts
}

#[test]
fn every_comparability_key_is_tested() {
    assert_eq!(comparable::HARD.join(" "), HARD);
    assert_eq!(comparable::SOFT.join(" "), SOFT);
}

#[test]
fn what_either_side_alone_has_of_benches_is_refused_by_name() {
    let names = |names: &str| names.split(' ').map(str::to_owned).collect::<BTreeSet<_>>();
    let of = |allowed: &[String]| one_sided("benches", &names("a b"), &names("b c"), allowed);
    let refused = of(&[]).unwrap_err().to_string();
    for said in ["base, so not compared: a", "new, so not compared: c", "--allow-diff benches"] {
        assert!(refused.contains(said), "{refused}");
    }
    assert_eq!(of(&["benches".to_owned()]).unwrap().len(), 2, "named all the same");
    assert_eq!(one_sided("benches", &names("a"), &names("a"), &[]), Ok(vec![]));
}

#[test]
fn equal_facts_are_comparable_without_a_warning() {
    assert_eq!(compare(&facts(), &facts(), &[]), Ok(vec![]));
}

#[test]
fn every_hard_key_alone_is_refused_and_named() {
    for key in HARD.split(' ') {
        let refused = compare(&facts(), &with(key, "other"), &[]).unwrap_err();
        assert_eq!(refused.differences.len(), 1);
        assert_eq!(refused.differences[0].key(), key);
        let said = refused.to_string();
        assert!(
            said.contains(&format!("{key} differs: `1` in the base, `other` in the new side")),
            "{said}"
        );
        assert!(said.contains(&format!("--allow-diff {key}")), "{said}");
    }
}

#[test]
fn a_hard_key_that_one_side_lacks_is_refused() {
    for key in HARD.split(' ') {
        let mut lacking = facts();
        lacking.remove(key);
        let refused = compare(&lacking, &facts(), &[]).unwrap_err();
        assert_eq!(refused.differences[0].key(), key);
        assert!(refused.to_string().contains("`unknown` in the base"), "{refused}");
    }
}

#[test]
fn an_allowed_difference_is_a_warning_and_allows_no_other() {
    let allowed = ["rustc".to_owned()];
    let warnings = compare(&facts(), &with("rustc", "2"), &allowed).unwrap();
    assert!(
        warnings.len() == 1
            && warnings[0].contains("rustc")
            && warnings[0].contains("--allow-diff"),
        "{warnings:?}"
    );
    assert!(compare(&facts(), &with("kernel", "2"), &allowed).is_err());
}

#[test]
fn every_soft_key_warns_and_is_named() {
    for key in SOFT.split(' ') {
        let warnings = compare(&facts(), &with(key, "7.5"), &[]).unwrap();
        assert!(warnings.len() == 1 && warnings[0].starts_with(key), "{key}: {warnings:?}");
    }
}

#[test]
fn readings_may_differ_within_their_tolerance() {
    assert_eq!(compare(&facts(), &with("load-average", "1.5"), &[]), Ok(vec![]));
    assert_eq!(compare(&facts(), &with("load-average", "1.51"), &[]).unwrap().len(), 1);
    assert_eq!(compare(&facts(), &with("steal", "1.009"), &[]), Ok(vec![]));
    assert_eq!(compare(&facts(), &with("steal", "unread"), &[]).unwrap().len(), 1);
}

#[test]
fn a_key_that_does_not_exist_is_named_with_those_that_do() {
    assert_eq!(check_key("kernel"), Ok(()));
    let said = check_key("kernal").unwrap_err().to_string();
    assert!(said.contains("`kernal`") && said.contains("cpu-model, cores"), "{said}");
}

#[test]
fn scenarios_missing_from_the_new_side_are_refused_unless_allowed() {
    let names = |text: &str| text.split(' ').map(str::to_owned).collect::<BTreeSet<_>>();
    let (base, new) = (names("single hedged"), names("single hedge"));
    let refused = left_out("variants", &base, &new, &[]).unwrap_err().to_string();
    assert!(refused.contains("only in base, so not compared: hedged"), "{refused}");
    assert!(refused.contains("--allow-diff variants"), "{refused}");
    assert!(left_out("variants", &base, &new, &["labs".to_owned()]).is_err());
    let warnings = left_out("variants", &base, &new, &["variants".to_owned()]).unwrap();
    let said = ["only in base, so not compared: hedged", "only in new, so not compared: hedge"];
    assert_eq!(warnings, said);
    assert_eq!(left_out("variants", &new, &new, &[]), Ok(vec![]));
    let more = left_out("variants", &names("single"), &base, &[]).unwrap();
    assert_eq!(more, ["only in new, so not compared: hedged"]);
}
