//! Answers to calls.

use super::envelope::{Malformed, malformed, text, unwrap, wrap};
use crate::RemoteError;
use crate::message::unique;
use serde_json::{Map, Value, json};

/// The class of an error whose sender did not say.
const UNKNOWN: &str = "Exception";

/// What a reply means for the call that it names.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ending {
    /// The other side is still at it.
    NotYet,
    /// It has come to this.
    Answered(Result<Value, RemoteError>),
}

/// The body of the one reply to a call.
pub(crate) fn reply(call: &str, answer: &Result<Value, RemoteError>) -> Vec<u8> {
    let (result, failure) = match answer {
        Ok(result) => (result.clone(), Value::Null),
        Err(error) => (Value::Null, failure(error).to_string().into()),
    };
    wrap(&json!({
        "result": result, "failure": failure, "ending": true, "_msg_id": call, "_unique_id": unique(),
    }))
}

/// An error as its receiver rebuilds it.
fn failure(error: &RemoteError) -> Value {
    let RemoteError { class, module, message, args } = error;
    json!({"class": class, "module": module, "message": message, "tb": [], "args": args, "kwargs": {}})
}

/// Reads a reply: which call it is for, and what it means.
pub(crate) fn read_reply(body: &[u8]) -> Result<(String, Ending), Malformed> {
    let mut message = unwrap(body)?;
    let call = text(&mut message, "_msg_id")?.ok_or_else(|| malformed("it names no call"))?;
    let result = message.remove("result").unwrap_or_default();
    let ending = message.remove("ending").is_none_or(|ending| ending == Value::Bool(true));
    let ending = match message.remove("failure") {
        None | Some(Value::Null) if ending => Ending::Answered(Ok(result)),
        None | Some(Value::Null) => Ending::NotYet,
        Some(failure) => Ending::Answered(Err(read_failure(failure))),
    };
    Ok((call, ending))
}

/// An error, however odd it is.
fn read_failure(failure: Value) -> RemoteError {
    let parsed = match failure {
        Value::Object(failure) => failure,
        Value::String(text) => serde_json::from_str(&text)
            .unwrap_or_else(|_| Map::from_iter([("message".to_owned(), Value::String(text))])),
        other => Map::from_iter([("message".to_owned(), other.to_string().into())]),
    };
    let word = |key: &str| parsed.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let class = Some(word("class")).filter(|class| !class.is_empty());
    RemoteError {
        class: class.unwrap_or_else(|| UNKNOWN.to_owned()),
        module: word("module"),
        message: word("message"),
        args: parsed.get("args").and_then(Value::as_array).cloned().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_written_as_peers_write_theirs() {
        let body = String::from_utf8(reply("c", &Ok(json!({"a": 1})))).unwrap();
        let begins = concat!(
            r#"{"oslo.version":"2.0","oslo.message":"{\"result\":{\"a\":1},\"failure\":null,"#,
            r#"\"ending\":true,\"_msg_id\":\"c\",\"_unique_id\":\""#,
        );
        assert!(body.starts_with(begins), "{body}");
    }

    #[test]
    fn an_error_is_a_text_within_the_text() {
        let error = RemoteError::new("ThingNotFound", "There is no \"thing\".");
        let body = reply("c", &Err(error.clone()));
        let message = unwrap(&body).unwrap();
        let failure: Value = serde_json::from_str(message["failure"].as_str().unwrap()).unwrap();
        assert_eq!(failure["class"], "ThingNotFound");
        assert_eq!(failure["message"], "There is no \"thing\".");
        assert_eq!(failure["args"], json!(["There is no \"thing\"."]));
        assert_eq!((&failure["kwargs"], &failure["tb"]), (&json!({}), &json!([])));
        assert_eq!(message["result"], Value::Null);
        assert_eq!(read_reply(&body).unwrap(), ("c".to_owned(), Ending::Answered(Err(error))));
    }

    #[test]
    fn a_sign_of_life_is_no_answer() {
        let sign = br#"{"result": null, "failure": null, "ending": false, "_msg_id": "c"}"#;
        assert_eq!(read_reply(sign).unwrap().1, Ending::NotYet);
        let answer = br#"{"result": null, "_msg_id": "c"}"#;
        assert_eq!(read_reply(answer).unwrap().1, Ending::Answered(Ok(Value::Null)));
        assert!(read_reply(br#"{"result": 1}"#).is_err());
        let odd = read_reply(br#"{"_msg_id": "c", "failure": "it broke"}"#).unwrap().1;
        let Ending::Answered(Err(error)) = odd else { panic!("{odd:?}") };
        assert_eq!((error.class.as_str(), error.message.as_str()), ("Exception", "it broke"));
    }
}
