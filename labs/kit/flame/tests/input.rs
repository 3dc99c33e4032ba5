//! Files that are no folded stacks: what is read all the same, and what the error says of the rest.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::io::Write as _;

use flate2::{Compression, GzBuilder};
use lab_flame::folded::Folded;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzBuilder::new().write(Vec::new(), Compression::default());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

#[test]
fn gzip_is_unpacked_in_one_member_or_several() {
    let mut packed = gzip(b"main;a 10\n");
    assert_eq!(Folded::parse("in", packed.clone()).unwrap().total(), 10);
    packed.extend(gzip(b"main;b 90\n"));
    assert_eq!(Folded::parse("in", packed.clone()).unwrap().to_text(), "main;a 10\nmain;b 90\n");
    packed.truncate(packed.len() - 9);
    let error = format!("{:#}", Folded::parse("in", packed).unwrap_err());
    assert!(error.starts_with("in: truncated or damaged gzip"), "{error}");
}

#[test]
fn text_of_perf_script_is_collapsed() {
    let text = "# captured on: today\n\
        sort 71/71 [001] 3.200000:   10101010 cpu-clock:uhH: \n\
        \t55d0c0a4c100 compare+0x10 (/usr/bin/sort)\n\
        \t55d0c0a4c000 main+0x20 (/usr/bin/sort)\n\
        \n\
        sort 71/71 [001] 3.210101:   10101010 cpu-clock:uhH: \n\
        \tffffffff81000100 copy_page+0x4 ([kernel.kallsyms])\n\
        \t55d0c0a4c000 main+0x20 (/usr/bin/sort)\n\n";
    let folded = Folded::parse("in", text).unwrap();
    assert_eq!(folded.to_text(), "sort;main;compare 1\nsort;main;copy_page_[k] 1\n");
    assert!(folded.notes()[0].contains("perf script"), "{:?}", folded.notes());
}

#[test]
fn an_error_names_the_format_of_a_foreign_file_and_what_to_do() {
    for (bytes, what, instead) in [
        (&b"PERFILE2\x68\0"[..], "perf.data", "perf script -i FILE | perf-lab flame -"),
        (b"<?xml version=\"1.0\"?>\n<svg width=\"1200\">", "an image", "the stacks"),
        (b"<svg xmlns=\"http://www.w3.org/2000/svg\">", "an image", "the stacks"),
        (b"<!DOCTYPE html>\n<html>", "a page", "the stacks"),
        (b"{\"$schema\":\"https://www.speedscope.app\"}", "JSON", "speedscope.app"),
        (b"\x7fELF\x02\x01", "a program", "perf-lab record -- FILE"),
        (b"\x28\xb5\x2f\xfd\0", "zstd", "zstdcat"),
        (b"PK\x03\x04", "zip", "unzip"),
        (b"\xfd7zXZ\0", "xz", "xzcat"),
        (b"\x0a\x04\x08\x01\x10\x02", "pprof", "go tool pprof"),
    ] {
        for bytes in [bytes.to_vec(), gzip(bytes)] {
            let error = format!("{:#}", Folded::parse("in", bytes).unwrap_err());
            assert!(error.starts_with("in is ") && error.contains(what), "{error}");
            assert!(error.contains(instead), "{error}");
        }
    }
}

#[test]
fn stacks_that_begin_as_another_format_would_are_stacks() {
    for text in
        ["{closure};a 3\n", "<svg::Node as core::fmt::Debug>::fmt 3\n", "[{x 3\n", "PK;a 3\n"]
    {
        assert_eq!(Folded::parse("in", text).unwrap().total(), 3, "{text}");
    }
}
