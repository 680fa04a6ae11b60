//! What a cell may send for a call, and what comes of one that sends more.

use super::*;
use crate::limits::Limits;
use crate::outcome::Captured;

async fn begun() -> (
    Arc<Link>,
    RunningCall,
    mpsc::Receiver<Message>,
    mpsc::UnboundedReceiver<Chunk>,
) {
    let (messages, queue) = mpsc::channel(8);
    let link = Link::new(messages);
    let (sink, chunks) = mpsc::unbounded_channel();
    let order = Order {
        limits: Limits {
            output_bytes: 10,
            ..Limits::default()
        },
        stream: true,
        ..Order::default()
    };
    let call = Arc::clone(&link).begin(order, Some(sink), None).unwrap();
    (link, call, queue, chunks)
}

#[tokio::test]
async fn a_cell_that_ignores_its_window_breaks_the_protocol() {
    let half = STREAM_WINDOW_BYTES / 2 - room_of(0);
    let piece = vec![0; usize::try_from(half).unwrap()];
    let (link, call, mut queue, mut chunks) = begun().await;
    assert!(matches!(queue.recv().await, Some(Message::Run(..))));
    let giver = Arc::clone(&link);
    tokio::spawn(async move { giver.give_room().await });
    for _ in 0..4 {
        link.output(call.id, Stream::Stdout, piece.clone()).unwrap();
        drop(chunks.recv().await);
        assert!(matches!(queue.recv().await, Some(Message::Taken(..))));
    }
    link.output(call.id, Stream::Stdout, piece.clone()).unwrap();
    link.output(call.id, Stream::Stdout, piece.clone()).unwrap();
    assert!(link.output(call.id, Stream::Stdout, piece.clone()).is_err());
    let (link, call, _queue, _chunks) = begun().await;
    let mut small = 0;
    while link.output(call.id, Stream::Stdout, vec![0]).is_ok() {
        small += 1;
    }
    assert!(small < 10_000, "{small} pieces of one byte waited");
    assert!(link.output(call.id, Stream::Stdout, Vec::new()).is_err());
}

#[tokio::test]
async fn room_that_a_cell_is_not_listening_for_takes_none_here() {
    const PIECES: u64 = 10_000;
    let (link, call, mut queue, mut chunks) = begun().await;
    assert!(matches!(queue.recv().await, Some(Message::Run(..))));
    let giver = Arc::clone(&link);
    tokio::spawn(async move { giver.give_room().await });
    for _ in 0..PIECES {
        link.output(call.id, Stream::Stdout, vec![0]).unwrap();
        drop(chunks.recv().await);
        tokio::task::yield_now().await;
    }
    let tasks = tokio::runtime::Handle::current().metrics();
    let tasks = tasks.num_alive_tasks();
    assert!(tasks < 3, "{tasks} tasks wait for the cell");
    assert!(link.owed.room.lock().len() < 2);
    // It hears of all of it once it listens.
    let mut told = 0;
    while told < PIECES * room_of(1) {
        let message = queue.recv().await;
        let Some(Message::Taken(1, size)) = message else {
            panic!("{message:?}");
        };
        told += size;
    }
    assert_eq!(told, PIECES * room_of(1));
}

#[tokio::test]
async fn a_call_that_keeps_its_output_is_sent_none() {
    let (messages, _queue) = mpsc::channel(8);
    let link = Link::new(messages);
    let call = Arc::clone(&link).begin(Order::default(), None, None);
    let id = call.as_ref().unwrap().id;
    assert!(link.output(id, Stream::Stdout, vec![0]).is_err());
}

#[tokio::test]
async fn an_order_that_a_cell_was_not_sent_is_given_back() {
    let order = || Order {
        program: "it".to_owned(),
        ..Order::default()
    };
    // Its link is closed; its socket is.
    let (link, _call, mut queue, _chunks) = begun().await;
    link.close();
    let Err(CellGone(back)) = Arc::clone(&link).begin(order(), None, None) else {
        panic!("a closed link takes an order");
    };
    assert_eq!(back.program, "it");
    assert!(matches!(queue.recv().await, Some(Message::Run(1, _))));
    while let Ok(message) = queue.try_recv() {
        assert!(!matches!(message, Message::Run(..)), "it was sent as well");
    }
    let (link, _call, queue, _chunks) = begun().await;
    drop(queue);
    let Err(CellGone(back)) = Arc::clone(&link).begin(order(), None, None) else {
        panic!("a closed socket takes an order");
    };
    assert_eq!(back.program, "it");
    assert_eq!(link.waiting.lock().len(), 1, "it waits for an answer");
}

#[tokio::test]
async fn a_cell_that_reads_nothing_holds_no_call_up() {
    let (link, _call, mut queue, _chunks) = begun().await;
    let mut calls = Vec::new();
    let back = loop {
        match Arc::clone(&link).begin(Order::default(), None, None) {
            Ok(call) => calls.push(call),
            Err(back) => break back,
        }
        assert!(calls.len() < 100, "it takes any number");
    };
    assert_eq!(back.0.program, Order::default().program);
    assert!(*link.stalled.borrow());
    assert_eq!(link.waiting.lock().len(), calls.len() + 1);
    let mut sent = 0;
    while queue.try_recv().is_ok() {
        sent += 1;
    }
    assert_eq!(sent, calls.len() + 1);
}

#[tokio::test]
async fn a_long_reason_is_cut() {
    let (link, mut call, _queue, _chunks) = begun().await;
    link.failed(call.id, "\u{e9}x".repeat(1 << 20));
    let Err(CellError::Refused(reason)) = call.outcome().await else {
        panic!("not refused");
    };
    assert!(reason.len() <= REASON_BYTES_MAX, "{}", reason.len());
    assert!(reason.len() > REASON_BYTES_MAX - 4, "{}", reason.len());
}

#[tokio::test]
async fn an_outcome_past_the_orders_limits_is_not_believed() {
    let long = Captured {
        head: vec![b'x'; 1 << 20],
        ..Captured::default()
    };
    let forged = [
        Outcome {
            stdout: long,
            ..Outcome::default()
        },
        Outcome {
            state: Some(Vec::new()),
            ..Outcome::default()
        },
        Outcome {
            changed: vec!["x".repeat(CHANGED_PATH_BYTES_MAX + 1)],
            ..Outcome::default()
        },
        Outcome {
            denied: vec![String::new(); DENIED_MAX + 1],
            ..Outcome::default()
        },
    ];
    for outcome in forged {
        let (link, mut call, _queue, _chunks) = begun().await;
        assert!(link.ended(call.id, outcome).is_err());
        assert_eq!(call.outcome().await.unwrap(), cell_died(BROKE_THE_RULES));
    }
    let (link, mut call, _queue, _chunks) = begun().await;
    link.ended(call.id, Outcome::default()).unwrap();
    assert_eq!(call.outcome().await.unwrap(), Outcome::default());
}
