//! The shell of every page: head, policy, the one stylesheet, the one script, the data.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

const STYLE: &str =
    concat!(include_str!("../vendor/uplot/uPlot.min.css"), include_str!("../assets/page.css"));
const SCRIPT: &str = concat!(
    include_str!("../vendor/uplot/uPlot.iife.min.js"),
    "\n/* uPlot above is under the MIT License: see the end of the page. */\n",
    include_str!("../assets/figures.js"),
    include_str!("../assets/charts.js"),
    include_str!("../assets/heat.js"),
    include_str!("../assets/rows.js"),
    include_str!("../assets/flame.js"),
    include_str!("../assets/main.js"),
);
const LICENSE: &str = include_str!("../vendor/uplot/LICENSE");

/// A whole page around `body`; `data` is what the script finds in `#data`.
pub(crate) fn page(title: &str, data: &impl Serialize, body: Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (body)
                footer {
                    details {
                        summary { "Licence of the chart library inlined in this page (uPlot)" }
                        pre { (LICENSE) }
                    }
                }
                script type="application/json" id="data" { (PreEscaped(inert_json(data))) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

/// Allows our script and our stylesheet, by digest, and nothing else: no request can leave the page.
fn policy() -> String {
    let digest = |text: &str| STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        digest(SCRIPT),
        digest(STYLE)
    )
}

/// JSON that no HTML parser can take for markup, for any strings in it.
fn inert_json(data: &impl Serialize) -> String {
    let json = serde_json::to_string(data).expect("our own data has text for keys");
    let mut inert = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            // These occur in strings only, where an escape means the same.
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                inert.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => inert.push(c),
        }
    }
    inert
}

/// A link to a file beside the page. Each part is percent-encoded, and `./` keeps a name such as
/// `javascript:x` from being taken for a scheme.
pub(crate) fn file_link(path: &str) -> Markup {
    file_link_as(path, path)
}

/// The same, under other words.
pub(crate) fn file_link_as(path: &str, words: &str) -> Markup {
    html! { a href=(file_address(path)) { (words) } }
}

fn file_address(path: &str) -> String {
    let mut address = String::from("./");
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                address.push(char::from(byte));
            }
            byte => address.push_str(&format!("%{byte:02X}")),
        }
    }
    address
}

/// A link to a page on the web where `address` is one, else the words alone.
pub(crate) fn web_link(address: &str, words: &str) -> Markup {
    let web = address.starts_with("https://") || address.starts_with("http://");
    html! {
        @if web { a href=(address) rel="noreferrer" { (words) } } @else { (words) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_cannot_end_its_element() {
        let json = inert_json(&["</script><!--", "]]>", "a&b\u{2028}"]);
        assert!(!json.contains(['<', '>', '&', '\u{2028}']), "{json}");
        let back: Vec<String> = serde_json::from_str(&json).unwrap();
        assert_eq!(back, ["</script><!--", "]]>", "a&b\u{2028}"]);
    }

    #[test]
    fn a_file_name_stays_a_file_beside_the_page() {
        let link = file_link("javascript:alert(1)/\"x\" y.hlog").into_string();
        assert!(link.contains("href=\"./javascript%3Aalert%281%29/%22x%22%20y.hlog\""), "{link}");
    }

    #[test]
    fn only_web_addresses_become_links() {
        assert!(web_link("https://doi.org/10", "x").into_string().contains("<a href"));
        for address in ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", ""] {
            assert_eq!(web_link(address, "x").into_string(), "x");
        }
    }

    #[test]
    fn script_and_style_cannot_end_their_elements() {
        assert!(!SCRIPT.to_lowercase().contains("</script"));
        assert!(!SCRIPT.contains("<!--"));
        assert!(!STYLE.to_lowercase().contains("</style"));
    }
}
