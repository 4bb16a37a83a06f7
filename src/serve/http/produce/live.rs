//! Answers that go on while nothing happens: they hold a thread only while they write.

use std::future::Future;

use axum::response::Response;
use tokio::sync::mpsc;

use super::{Message, Sink, respond};
use crate::serve::failure::Failure;
use crate::serve::http::request::blocking;

/// Where an answer that goes on is written to.
pub(in crate::serve) struct Live {
    sender: mpsc::Sender<Message>,
}

impl Live {
    /// Writes on a blocking thread; all of it is sent when this returns. An error when nobody listens any more.
    pub(in crate::serve) async fn step<T: Send + 'static>(
        &self,
        make: impl FnOnce(&mut Sink) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let sender = self.sender.clone();
        blocking(move || {
            let mut sink = Sink { buffer: Vec::new(), has_begun: true, sender };
            let made = make(&mut sink)?;
            sink.flush_pieces()?;
            Ok(made)
        })
        .await
    }

    /// Sends text; false when nobody listens any more.
    pub(in crate::serve) async fn text(&self, text: &str) -> bool {
        self.sender.send(Message::Piece(text.as_bytes().to_vec())).await.is_ok()
    }

    /// Waits until nobody listens any more.
    pub(in crate::serve) async fn gone(&self) {
        self.sender.closed().await;
    }
}

/// Makes an answer of what `drive` writes, for as long as somebody reads. An error before the first piece was sent is the
/// answer, one after it breaks the connection.
pub(in crate::serve) async fn live<F>(response: Response, drive: impl FnOnce(Live) -> F) -> Result<Response, Failure>
where
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(2);
    let driven = drive(Live { sender: sender.clone() });
    tokio::spawn(async move {
        let last = match driven.await {
            Ok(()) => Message::End,
            Err(failure) => Message::Failed(failure),
        };
        // Whoever does not listen any more needs no end.
        let _ = sender.send(last).await;
    });
    respond(response, receiver).await
}
