//! The request that is asked again and again, and what counts as its answer.

use anyhow::{Context as _, bail, ensure};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use lab_kit::{End, Settings};

use crate::target::Target;

/// One request, and what is expected of its answer.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    method: Method,
    /// As the protocol wants it: a path for HTTP/1.1, the whole address for HTTP/2.
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
    expected: Expected,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// Any status of this hundred: 2 for 2xx.
    Class(u16),
    Status(StatusCode),
}

impl Question {
    /// # Errors
    /// A knob is no method, header or status.
    pub(crate) fn of(knobs: &Settings, target: &Target, whole: bool) -> anyhow::Result<Self> {
        let method = knobs.text("method");
        let uri = if whole {
            format!("http://{}{}", target.authority, target.path)
        } else {
            target.path.clone()
        };
        let mut headers = headers(knobs.text("headers"))?;
        if !whole && !headers.contains_key(HOST) {
            headers.insert(HOST, HeaderValue::from_str(&target.authority)?);
        }
        Ok(Self {
            method: method.parse().with_context(|| format!("`{method}` is no method"))?,
            uri: uri.parse().with_context(|| format!("`{uri}` is no path"))?,
            headers,
            body: Bytes::from(knobs.text("body").to_owned()),
            expected: expected(knobs.text("expect"))?,
        })
    }

    /// The request, made anew.
    pub(crate) fn request(&self) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }

    /// How a request ends that got an answer with this status.
    pub(crate) fn end(&self, status: StatusCode) -> End {
        let right = match self.expected {
            Expected::Class(hundred) => status.as_u16() / 100 == hundred,
            Expected::Status(wanted) => status == wanted,
        };
        match status {
            _ if right => End::Completed,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => End::Refused,
            _ => End::Failed,
        }
    }
}

fn headers(lines: &str) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let (name, value) =
            line.split_once(':').with_context(|| format!("`{line}` is no header: Name: value"))?;
        let name: HeaderName =
            name.trim().parse().with_context(|| format!("`{name}` is no name of a header"))?;
        headers.append(name, HeaderValue::from_str(value.trim())?);
    }
    Ok(headers)
}

fn expected(text: &str) -> anyhow::Result<Expected> {
    if let Some(hundred) = text.strip_suffix("xx") {
        let hundred: u16 = hundred.parse().with_context(|| format!("`{text}` is no status"))?;
        ensure!((1..=5).contains(&hundred), "`{text}` is no status: from 1xx to 5xx");
        return Ok(Expected::Class(hundred));
    }
    match text.parse() {
        Ok(status) => Ok(Expected::Status(status)),
        Err(_) => bail!("`{text}` is no status: write 2xx or 404"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_a_request_by_its_status() {
        let question = |text: &str| Question {
            method: Method::GET,
            uri: Uri::from_static("/"),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            expected: expected(text).unwrap(),
        };
        let ends = |text: &str| {
            [200, 204, 301, 404, 429, 500, 503]
                .map(|status| question(text).end(StatusCode::from_u16(status).unwrap()))
        };
        use End::{Completed, Failed, Refused};
        assert_eq!(ends("2xx"), [Completed, Completed, Failed, Failed, Refused, Failed, Refused]);
        assert_eq!(ends("404"), [Failed, Failed, Failed, Completed, Refused, Failed, Refused]);
        for text in ["", "6xx", "xx", "ok"] {
            assert!(expected(text).is_err(), "{text}");
        }
    }

    #[test]
    fn header_lines_are_read_and_wrong_ones_named() {
        let read = headers("Accept: text/html\n\nX-A: b: c\n").unwrap();
        assert_eq!(
            (&read["accept"], &read["x-a"]),
            (&"text/html".parse().unwrap(), &"b: c".parse().unwrap())
        );
        assert!(headers("Accept").unwrap_err().to_string().contains("Name: value"));
        assert!(headers("a b: c").unwrap_err().to_string().contains("no name of a header"));
    }
}
