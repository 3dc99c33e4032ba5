//! A connection to the service, HTTP/1.1 or HTTP/2.

use anyhow::Context as _;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::rt::{Executor, Read, Write};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, UnixStream};
use tokio::task::spawn_local;

use crate::target::{Place, Target};

/// What sends requests on an open connection.
#[derive(Debug)]
pub(crate) enum Connection {
    /// One request at a time.
    Http1(http1::SendRequest<Full<Bytes>>),
    /// Many at a time.
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    /// Connects; `number` chooses among the addresses of the service.
    ///
    /// # Errors
    /// The service cannot be reached, or does not speak the protocol.
    pub(crate) async fn open(target: &Target, number: usize, http2: bool) -> anyhow::Result<Self> {
        match &target.place {
            Place::Tcp(addresses) => {
                let address = addresses[number % addresses.len()];
                let stream = TcpStream::connect(address).await;
                let stream = stream.with_context(|| format!("connect to {address}"))?;
                stream.set_nodelay(true).context("set TCP_NODELAY")?;
                Self::over(TokioIo::new(stream), http2).await
            }
            Place::Unix(socket) => {
                let stream = UnixStream::connect(socket).await;
                let stream = stream.with_context(|| format!("connect to {}", socket.display()))?;
                Self::over(TokioIo::new(stream), http2).await
            }
        }
    }

    async fn over<S: Read + Write + Unpin + 'static>(io: S, http2: bool) -> anyhow::Result<Self> {
        // An error of the connection is seen by each of its requests.
        if http2 {
            let (sender, connection) = http2::handshake(Local, io).await.context("begin HTTP/2")?;
            spawn_local(async { drop(connection.await) });
            return Ok(Self::Http2(sender));
        }
        let (sender, connection) = http1::handshake(io).await.context("begin HTTP/1.1")?;
        spawn_local(async { drop(connection.await) });
        Ok(Self::Http1(sender))
    }

    /// Whether another request can be sent, once the one before it was answered.
    pub(crate) async fn is_usable(&mut self) -> bool {
        match self {
            Self::Http1(sender) => sender.ready().await.is_ok(),
            Self::Http2(sender) => sender.ready().await.is_ok(),
        }
    }

    /// Sends a request, and reads the whole answer.
    ///
    /// # Errors
    /// The connection broke, or the answer is none.
    pub(crate) async fn ask(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> anyhow::Result<StatusCode> {
        let answer = match self {
            Self::Http1(sender) => sender.send_request(request).await,
            Self::Http2(sender) => sender.send_request(request).await,
        };
        whole(answer?).await
    }

    /// Another sender on the same connection, if it carries many requests at a time.
    pub(crate) fn share(&self) -> Option<Self> {
        match self {
            Self::Http1(_) => None,
            Self::Http2(sender) => Some(Self::Http2(sender.clone())),
        }
    }
}

/// Reads a body to its end, and keeps nothing of it.
async fn whole(mut answer: Response<Incoming>) -> anyhow::Result<StatusCode> {
    while let Some(frame) = answer.body_mut().frame().await {
        frame.context("read the body")?;
    }
    Ok(answer.status())
}

/// Runs tasks on this thread.
#[derive(Debug, Clone, Copy)]
struct Local;

impl<F: Future + 'static> Executor<F> for Local
where
    F::Output: 'static,
{
    fn execute(&self, task: F) {
        spawn_local(task);
    }
}
