//! Properties: what is written is read again, and whatever strangers send is
//! either a message or told to be none.

use super::{Ending, ReplyAddress, read_reply, read_request, reply, request};
use crate::{Message, RemoteError, Version};
use proptest::prelude::*;
use serde_json::{Value, json};

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = Value> {
    prop::collection::hash_map(any::<String>(), value(), 0..6)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

/// Bodies that look like messages, with anything in the places that count.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let keys = [
        "method",
        "args",
        "version",
        "namespace",
        "_msg_id",
        "_reply_q",
        "_unique_id",
        "_timeout",
        "result",
        "failure",
        "ending",
        "oslo.version",
        "oslo.message",
        "_context_request_id",
    ];
    let plain = prop::collection::hash_map(prop::sample::select(keys.to_vec()), value(), 0..8)
        .prop_map(|members| Value::Object(members.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()));
    (plain, any::<bool>(), any::<u16>()).prop_map(|(message, wrapped, cut)| {
        let text = match wrapped {
            true => json!({"oslo.version": "2.0", "oslo.message": message.to_string()}).to_string(),
            false => message.to_string(),
        };
        let mut bytes = text.into_bytes();
        if cut % 4 == 0 {
            bytes.truncate(usize::from(cut) % (bytes.len() + 1));
        }
        bytes
    })
}

proptest! {
    #[test]
    fn a_request_is_read_as_it_was_written(
        arguments in object(),
        method in any::<String>(),
        namespace in any::<Option<String>>(),
        (major, minor) in any::<(u32, u32)>(),
        call in any::<Option<(String, String)>>(),
    ) {
        let message = Message {
            namespace,
            version: Version { major, minor },
            request_id: Some("req-1".to_owned()),
            ..Message::new("topic", method, arguments)
        };
        let address = call.map(|(queue, call)| ReplyAddress { queue, call });
        let body = request(&message, address.as_ref()).unwrap();
        let incoming = read_request("topic", &body).unwrap();
        prop_assert_eq!(incoming.message, message);
        prop_assert_eq!(incoming.reply, address);
    }

    #[test]
    fn a_reply_is_read_as_it_was_written(
        call in any::<String>(),
        result in value(),
        error in any::<Option<(String, String)>>(),
    ) {
        let answer = match error {
            None => Ok(result),
            Some((class, message)) => Err(RemoteError::new(format!("C{class}"), message)),
        };
        let (to, ending) = read_reply(&reply(&call, &answer)).unwrap();
        prop_assert_eq!(to, call);
        prop_assert_eq!(ending, Ending::Answered(answer));
    }

    #[test]
    fn bytes_of_strangers_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = read_request("topic", &bytes);
        let _ = read_reply(&bytes);
    }

    #[test]
    fn what_nearly_is_a_message_is_read_or_refused(bytes in nearly()) {
        if let Ok(incoming) = read_request("topic", &bytes) {
            prop_assert!(incoming.message.arguments.is_object());
            // What was read can be sent on.
            prop_assert!(request(&incoming.message, incoming.reply.as_ref()).is_ok());
        }
        let _ = read_reply(&bytes);
    }
}

#[test]
fn a_deep_message_is_refused_and_does_not_exhaust_the_stack() {
    let deep =
        format!("{{\"method\": \"m\", \"args\": {{\"a\": {}{}}}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(read_request("topic", deep.as_bytes()).is_err());
    let wrapped = json!({"oslo.version": "2.0", "oslo.message": deep}).to_string();
    assert!(read_request("topic", wrapped.as_bytes()).is_err());
}
