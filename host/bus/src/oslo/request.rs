//! Casts, fanouts and calls.

use super::envelope::{Malformed, malformed, text, unwrap, wrap};
use crate::{Message, Version};
use serde_json::{Map, Value, json};

/// Where the answer to a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReplyAddress {
    /// The caller's queue.
    pub(crate) queue: String,
    /// Which of its calls this is.
    pub(crate) call: String,
}

/// A request as it arrived.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Incoming {
    pub(crate) message: Message,
    pub(crate) reply: Option<ReplyAddress>,
}

/// The time as contexts and notifications tell it.
pub(super) fn timestamp() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S.%6f").to_string()
}

/// Whose request it is: the server's own, as an administrator.
pub(super) fn context(message: &mut Map<String, Value>, request_id: Option<&str>) {
    let context = [
        ("user_id", Value::Null),
        ("project_id", Value::Null),
        ("is_admin", Value::Bool(true)),
        ("roles", json!([])),
        ("request_id", request_id.map_or(Value::Null, Value::from)),
        ("timestamp", timestamp().into()),
    ];
    message.extend(context.map(|(name, value)| (format!("_context_{name}"), value)));
}

/// The body of a request; with an address it is a call.
pub(crate) fn request(message: &Message, reply: Option<&ReplyAddress>) -> Result<Vec<u8>, String> {
    if !message.arguments.is_object() {
        return Err("its arguments are no JSON object".to_owned());
    }
    let mut body = Map::new();
    body.insert("method".to_owned(), message.method.as_str().into());
    body.insert("args".to_owned(), message.arguments.clone());
    body.insert("version".to_owned(), message.version.to_string().into());
    if let Some(namespace) = &message.namespace {
        body.insert("namespace".to_owned(), namespace.as_str().into());
    }
    if let Some(ReplyAddress { queue, call }) = reply {
        body.insert("_msg_id".to_owned(), call.as_str().into());
        body.insert("_reply_q".to_owned(), queue.as_str().into());
        body.insert("_timeout".to_owned(), Value::Null);
    }
    body.insert("_unique_id".to_owned(), message.id.as_str().into());
    context(&mut body, message.request_id.as_deref());
    Ok(wrap(&Value::Object(body)))
}

/// Reads a request that arrived on a topic.
pub(crate) fn read_request(topic: &str, body: &[u8]) -> Result<Incoming, Malformed> {
    let mut message = unwrap(body)?;
    let method = text(&mut message, "method")?.ok_or_else(|| malformed("it names no method"))?;
    let arguments = match message.remove("args") {
        None | Some(Value::Null) => json!({}),
        Some(arguments @ Value::Object(_)) => arguments,
        Some(_) => return Err(malformed("'args' is no object")),
    };
    let version = match text(&mut message, "version")? {
        None => Version::FIRST,
        Some(version) => version.parse().map_err(malformed)?,
    };
    let namespace = text(&mut message, "namespace")?;
    let call = text(&mut message, "_msg_id")?;
    let queue = text(&mut message, "_reply_q")?;
    let id = text(&mut message, "_unique_id")?.unwrap_or_default();
    // Only for the log: it may be anything.
    let request_id = text(&mut message, "_context_request_id").unwrap_or_default();
    let reply = match (call, queue) {
        (Some(call), Some(queue)) => Some(ReplyAddress { queue, call }),
        (None, _) => None,
        (Some(_), None) => return Err(malformed("it is a call that says nowhere to answer")),
    };
    let message = Message { topic: topic.to_owned(), method, arguments, version, namespace, id, request_id };
    Ok(Incoming { message, reply })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As an agent of release 2026.1 sent it, with shorter ids.
    const CALL: &str = concat!(
        r#"{"oslo.version": "2.0", "oslo.message": "{\"method\": \"report_state\", \"args\": "#,
        r#"{\"agent_state\": {\"host\": \"h1\"}}, \"version\": \"1.2\", \"_msg_id\": \"m\", "#,
        r#"\"_reply_q\": \"reply_r\", \"_timeout\": null, \"_unique_id\": \"u\", "#,
        r#"\"_context_request_id\": \"req-1\", \"_context_is_admin\": true}"}"#
    );

    #[test]
    fn a_call_of_an_agent_is_read() {
        let incoming = read_request("reports", CALL.as_bytes()).unwrap();
        let expected = Message {
            version: Version { major: 1, minor: 2 },
            id: "u".to_owned(),
            request_id: Some("req-1".to_owned()),
            ..Message::new("reports", "report_state", json!({"agent_state": {"host": "h1"}}))
        };
        assert_eq!(incoming.message, expected);
        assert_eq!(incoming.reply, Some(ReplyAddress { queue: "reply_r".into(), call: "m".into() }));
    }

    #[test]
    fn a_bare_message_is_read_with_what_is_usual_where_it_says_nothing() {
        let incoming = read_request("t", br#"{"method": "m"}"#).unwrap();
        assert_eq!(incoming.message, Message { id: String::new(), ..Message::new("t", "m", json!({})) });
        assert_eq!(incoming.reply, None);
    }

    #[test]
    fn what_is_no_request_is_told_apart() {
        for (body, part) in [
            (&b"\xff"[..], "no JSON object"),
            (b"[]", "no JSON object"),
            (b"{}", "no method"),
            (br#"{"method": 3}"#, "'method' is no text"),
            (br#"{"method": "m", "args": []}"#, "'args' is no object"),
            (br#"{"method": "m", "version": "new"}"#, "no version"),
            (br#"{"method": "m", "_msg_id": "1"}"#, "nowhere to answer"),
            (br#"{"oslo.version": "3.0", "oslo.message": "{}"}"#, "of version '3.0'"),
            (br#"{"oslo.version": "2.0", "oslo.message": {}}"#, "no text"),
            (br#"{"oslo.version": "2.0", "oslo.message": "x"}"#, "no JSON object"),
        ] {
            let error = read_request("t", body).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_call_is_written_as_agents_write_theirs() {
        let message = Message {
            id: "u".to_owned(),
            namespace: Some("n".to_owned()),
            request_id: Some("req-1".to_owned()),
            ..Message::new("t", "m", json!({"a": [1, null]}))
        };
        let address = ReplyAddress { queue: "reply_r".into(), call: "c".into() };
        let body = String::from_utf8(request(&message, Some(&address)).unwrap()).unwrap();
        let begins = concat!(
            r#"{"oslo.version":"2.0","oslo.message":"{\"method\":\"m\",\"args\":{\"a\":[1,null]},"#,
            r#"\"version\":\"1.0\",\"namespace\":\"n\",\"_msg_id\":\"c\",\"_reply_q\":\"reply_r\","#,
            r#"\"_timeout\":null,\"_unique_id\":\"u\",\"_context_user_id\":null,"#,
            r#"\"_context_project_id\":null,\"_context_is_admin\":true,\"_context_roles\":[],"#,
            r#"\"_context_request_id\":\"req-1\",\"_context_timestamp\":\"20"#,
        );
        assert!(body.starts_with(begins), "{body}");
        assert!(request(&Message::new("t", "m", json!([1])), None).is_err());
    }
}
