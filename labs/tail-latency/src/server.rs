//! Leaves and root as TCP servers: actors whose channels are fed by sockets.

use anyhow::{Context as _, Result};
use lab_kit::Clock;
use tokio::io::BufReader;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::spawn_local;

use crate::actor::{ToLeaf, run_leaf};
use crate::leaf::Leaf;
use crate::message::{Answer, Reply, Request};
use crate::wire::{self, Frame};

/// Serves a leaf on `listener` until the task is dropped. `twin` is the other replica's address.
pub(crate) async fn serve_leaf(
    leaf: Leaf<UnboundedSender<Answer>>,
    listener: TcpListener,
    twin: Option<String>,
    clock: Clock,
) {
    let (inbox, messages) = unbounded_channel();
    let twin = twin.map(connect_lazily);
    let to_twin = move |cancel| {
        // If there is no twin, or it is gone, both copies run, and the root counts them.
        let _ = twin.as_ref().map(|twin| twin.send(ToLeaf::Cancel(cancel)));
    };
    spawn_local(run_leaf(leaf, messages, to_twin, clock));
    while let Some(stream) = accept(&listener).await {
        spawn_local(leaf_connection(stream, inbox.clone()));
    }
}

/// Receives from a root or a twin, until it closes the connection or sends an invalid message.
async fn leaf_connection(stream: TcpStream, inbox: UnboundedSender<ToLeaf>) {
    let (mut reader, writer) = split(stream);
    let (answer_to, answers) = unbounded_channel();
    spawn_local(wire::send_all(answers, Frame::Answer, async || Ok(writer)));
    while let Ok(Some(frame)) = wire::read(&mut reader).await {
        let message = match frame {
            Frame::Ask(ask) => ToLeaf::Ask(ask, answer_to.clone()),
            Frame::Cancel(cancel) => ToLeaf::Cancel(cancel),
            Frame::Request(_) | Frame::Reply(_) | Frame::Answer(_) => return,
        };
        let _ = inbox.send(message);
    }
}

/// A channel to the twin that connects with its first message: when a leaf starts, its twin may not
/// be running yet.
fn connect_lazily(address: String) -> UnboundedSender<ToLeaf> {
    let (to_twin, messages) = unbounded_channel();
    spawn_local(async move {
        let connect = async || {
            let stream = TcpStream::connect(&address).await?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        if let Err(error) = wire::send_all(messages, frame_to_leaf, connect).await {
            eprintln!("tail-latency: twin at {address}: {error}: tied copies will run twice");
        }
    });
    to_twin
}

/// Connects the root to a leaf: the returned channel takes copies, and `answers` gets the answers.
///
/// # Errors
/// No process listens there.
pub(crate) async fn connect_leaf(
    address: &str,
    answers: UnboundedSender<Answer>,
) -> Result<UnboundedSender<ToLeaf>> {
    let stream = TcpStream::connect(address).await;
    let (mut reader, writer) = split(stream.with_context(|| format!("leaf at {address}"))?);
    let (to_leaf, asks) = unbounded_channel();
    spawn_local(wire::send_all(asks, frame_to_leaf, async || Ok(writer)));
    spawn_local(async move {
        while let Ok(Some(Frame::Answer(answer))) = wire::read(&mut reader).await {
            let _ = answers.send(answer);
        }
    });
    Ok(to_leaf)
}

fn frame_to_leaf(message: ToLeaf) -> Frame {
    match message {
        ToLeaf::Ask(ask, _) => Frame::Ask(ask),
        ToLeaf::Cancel(cancel) => Frame::Cancel(cancel),
    }
}

/// Takes clients' requests for the root.
pub(crate) async fn serve_clients(
    listener: TcpListener,
    requests: UnboundedSender<(Request, UnboundedSender<Reply>)>,
) {
    while let Some(stream) = accept(&listener).await {
        let requests = requests.clone();
        spawn_local(async move {
            let (mut reader, writer) = split(stream);
            let (reply_to, replies) = unbounded_channel();
            spawn_local(wire::send_all(replies, Frame::Reply, async || Ok(writer)));
            while let Ok(Some(Frame::Request(request))) = wire::read(&mut reader).await {
                let _ = requests.send((request, reply_to.clone()));
            }
        });
    }
}

/// The next connection, past any that break while they are made; `None` if accepting fails.
async fn accept(listener: &TcpListener) -> Option<TcpStream> {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return Some(stream),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                eprintln!("tail-latency: no more connections: {error}");
                return None;
            }
        }
    }
}

fn split(stream: TcpStream) -> (BufReader<OwnedReadHalf>, OwnedWriteHalf) {
    // Small messages must not wait for larger ones; a failure shows in the figures.
    let _ = stream.set_nodelay(true);
    let (reader, writer) = stream.into_split();
    (BufReader::new(reader), writer)
}
