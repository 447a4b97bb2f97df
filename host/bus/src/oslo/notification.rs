//! Notifications, of the second driver (`messagingv2`).

use super::envelope::wrap;
use super::request::{context, timestamp};
use crate::Notification;
use serde_json::{Map, Value};

/// The body of a notification.
pub(crate) fn notification(notification: &Notification, publisher: &str) -> Vec<u8> {
    let Notification { event_type, payload, id, request_id } = notification;
    let mut body = Map::new();
    let mut set = |name: &str, value: Value| body.insert(name.to_owned(), value);
    set("message_id", message_id(id).into());
    set("publisher_id", publisher.into());
    set("event_type", event_type.as_str().into());
    set("priority", "INFO".into());
    set("payload", payload.clone());
    set("timestamp", timestamp().into());
    set("_unique_id", id.as_str().into());
    context(&mut body, request_id.as_deref());
    wrap(&Value::Object(body))
}

/// The id as a UUID is usually written.
fn message_id(id: &str) -> String {
    uuid::Uuid::try_parse(id).map_or_else(|_| id.to_owned(), |id| id.hyphenated().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oslo::envelope::unwrap;
    use serde_json::json;

    #[test]
    fn a_notification_names_its_event_and_publisher() {
        let told = Notification {
            event_type: "thing.create.end".to_owned(),
            payload: json!({"thing": {"id": 1}}),
            id: "d2abc7c2018645daa284682439c63887".to_owned(),
            request_id: None,
        };
        let message = unwrap(&notification(&told, "service.h1")).unwrap();
        assert_eq!(message["event_type"], "thing.create.end");
        assert_eq!(message["publisher_id"], "service.h1");
        assert_eq!(message["priority"], "INFO");
        assert_eq!(message["payload"], told.payload);
        assert_eq!(message["message_id"], "d2abc7c2-0186-45da-a284-682439c63887");
        assert_eq!(message["_unique_id"], told.id.as_str());
    }
}
