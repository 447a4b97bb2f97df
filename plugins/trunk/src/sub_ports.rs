//! Sub-ports as requests write them down: what is said of each, and which
//! segment of its trunk each is in. In Neutron: `validate_subports`,
//! `SubPortsValidator`.

use hadron_sdk::serde_json::{Map, Value};
use hadron_sdk::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// The segmentation type by which a sub-port takes over its network's segment.
const INHERIT: &str = "inherit";
/// The one type of segments that there is in trunks.
const VLAN: &str = "vlan";
/// Numbers of VLANs.
const VLANS: std::ops::RangeInclusive<i64> = 1..=4094;

/// A segment of a trunk: what tells the frames of one sub-port from others'.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Segment {
    /// Its type.
    pub(crate) segmentation_type: String,
    /// Its number.
    pub(crate) segmentation_id: i64,
}

/// A sub-port, as a trunk's row holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SubPort {
    /// The port.
    pub(crate) port_id: String,
    /// Its segment in the trunk.
    #[serde(flatten)]
    pub(crate) segment: Segment,
}

/// A sub-port as a request asks for it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    /// The port.
    pub(crate) port_id: String,
    /// All that was said of it.
    said: Map<String, Value>,
}

/// What is wrong with a list of sub-ports: a sentence without a stop.
pub(crate) type Wrong = String;

/// What a request asks for, if that makes sense by itself.
pub(crate) fn asked(list: &Value) -> Result<Vec<Asked>, Wrong> {
    let Some(list) = list.as_array() else {
        return Err(format!("Invalid data format for subports: '{}' is not a list", shown(list)));
    };
    let (mut ports, mut segments) = (HashSet::new(), HashSet::new());
    let mut asked = Vec::with_capacity(list.len());
    for item in list {
        let one = one(item)?;
        if !ports.insert(one.port_id.clone()) {
            return Err(format!("Non unique UUID for subport: '{}'", one.port_id));
        }
        if let (false, Some(number)) = (one.inherits(), one.number())
            && !segments.insert((one.kind().map(str::to_owned), number.to_string()))
        {
            let (number, port) = (shown(number), &one.port_id);
            return Err(format!("Segmentation ID '{number}' for '{port}' is not unique"));
        }
        asked.push(one);
    }
    Ok(asked)
}

fn one(item: &Value) -> Result<Asked, Wrong> {
    let Some(said) = item.as_object() else {
        return Err(format!("Invalid data format for subport: '{}' is not a dict", shown(item)));
    };
    let Some(port) = said.get("port_id") else {
        return Err("A valid port UUID must be specified".to_owned());
    };
    let Some(port_id) = port.as_str().filter(|text| is_uuid(text)) else {
        return Err(format!("Invalid UUID for subport: '{}'", shown(port)));
    };
    let one = Asked { port_id: port_id.to_owned(), said: said.clone() };
    let named = one.kind().is_some() && one.number().is_some();
    // A port alone is enough to be taken out of a trunk.
    if one.inherits() || named || said.len() == 1 { Ok(one) } else { Err(one.incomplete()) }
}

impl Asked {
    fn kind(&self) -> Option<&str> {
        self.said.get("segmentation_type").and_then(Value::as_str).filter(|kind| !kind.is_empty())
    }

    fn number(&self) -> Option<&Value> {
        self.said.get("segmentation_id").filter(|number| !number.is_null())
    }

    fn incomplete(&self) -> Wrong {
        format!(
            "Invalid subport details '{}': missing segmentation information. Must specify both \
             segmentation_id and segmentation_type",
            repr(&Value::Object(self.said.clone()))
        )
    }

    /// Whether it is to be in the segment of its network.
    pub(crate) fn inherits(&self) -> bool {
        self.kind() == Some(INHERIT)
    }

    /// As if it had been asked for in its network's segment.
    pub(crate) fn inherit(&mut self, kind: &Value, number: &Value) {
        self.said.insert("segmentation_id".to_owned(), number.clone());
        self.said.insert("segmentation_type".to_owned(), kind.clone());
    }

    /// Its segment, if there can be one like that.
    pub(crate) fn segment(&self) -> Result<Segment> {
        let (Some(kind), Some(number)) =
            (self.said.get("segmentation_type"), self.said.get("segmentation_id"))
        else {
            return Err(Error::invalid_input(self.incomplete()));
        };
        let Some(number) = whole(number) else {
            return Err(Error::invalid_input(format!(
                "Invalid subport details: segmentation_id '{}' is not an integer",
                shown(number)
            )));
        };
        if kind != VLAN {
            return Err(Error::invalid_input(format!("Unknown segmentation_type '{}'", shown(kind))));
        }
        if !VLANS.contains(&number) {
            return Err(Error::invalid_input(format!("Segmentation ID '{number}' is not in range")));
        }
        Ok(Segment { segmentation_type: VLAN.to_owned(), segmentation_id: number })
    }
}

/// A trunk's sub-ports without these ports; the one that it does not have is
/// the error.
pub(crate) fn without(current: &[SubPort], ports: &[Asked]) -> Result<Vec<SubPort>, String> {
    let has = |port: &&Asked| !current.iter().any(|sub_port| sub_port.port_id == port.port_id);
    if let Some(missing) = ports.iter().find(has) {
        return Err(missing.port_id.clone());
    }
    let stays = |sub_port: &&SubPort| !ports.iter().any(|port| port.port_id == sub_port.port_id);
    Ok(current.iter().filter(stays).cloned().collect())
}

/// A trunk's sub-ports with these besides; the segment that is taken is the
/// error.
pub(crate) fn with(current: &[SubPort], added: Vec<SubPort>) -> Result<Vec<SubPort>, Segment> {
    let mut taken: HashSet<Segment> = current.iter().map(|sub_port| sub_port.segment.clone()).collect();
    if let Some(clash) = added.iter().find(|sub_port| !taken.insert(sub_port.segment.clone())) {
        return Err(clash.segment.clone());
    }
    Ok(current.iter().cloned().chain(added).collect())
}

/// A whole number, as Python's `int` takes one.
fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        Value::Bool(flag) => Some(i64::from(*flag)),
        other => other.as_i64(),
    }
}

fn is_uuid(text: &str) -> bool {
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_hexdigit());
    let lengths = [8, 4, 4, 4, 12];
    let mut parts = text.split('-');
    lengths.iter().all(|length| parts.next().is_some_and(|part| part.len() == *length && digits(part)))
        && parts.next().is_none()
}

/// A value as Neutron's sentences show it.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| repr(value), str::to_owned)
}

/// As Python writes a value down.
fn repr(value: &Value) -> String {
    let list = |items: Vec<String>| items.join(", ");
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("'{text}'"),
        Value::Array(items) => format!("[{}]", list(items.iter().map(repr).collect())),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| format!("'{name}': {}", repr(value)));
            format!("{{{}}}", list(members.collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::json;
    use proptest::prelude::*;

    const A: &str = "d664b16c-df31-4f53-89fd-9bdf81382bcc";
    const B: &str = "275889cb-f412-4e70-b746-b5651a7a1b49";

    fn vlan(port: &str, number: impl Into<Value>) -> Value {
        json!({"port_id": port, "segmentation_id": number.into(), "segmentation_type": "vlan"})
    }

    fn sub_port(port: &str, number: i64) -> SubPort {
        let segment = Segment { segmentation_type: VLAN.to_owned(), segmentation_id: number };
        SubPort { port_id: port.to_owned(), segment }
    }

    #[test]
    fn what_makes_no_sense_is_said_as_neutron_says_it() {
        for (list, wrong) in [
            (json!(null), "Invalid data format for subports: 'None' is not a list".to_owned()),
            (json!([5]), "Invalid data format for subport: '5' is not a dict".to_owned()),
            (json!([{}]), "A valid port UUID must be specified".to_owned()),
            (json!([{"port_id": 5}]), "Invalid UUID for subport: '5'".to_owned()),
            (json!([{"port_id": "x"}]), "Invalid UUID for subport: 'x'".to_owned()),
            (
                json!([{"port_id": A, "segmentation_id": null, "segmentation_type": "vlan"}]),
                format!(
                    "Invalid subport details '{{'port_id': '{A}', 'segmentation_id': None, \
                     'segmentation_type': 'vlan'}}': missing segmentation information. Must specify both \
                     segmentation_id and segmentation_type"
                ),
            ),
            (json!([vlan(A, 7), vlan(A, 8)]), format!("Non unique UUID for subport: '{A}'")),
            (json!([vlan(A, 7), vlan(B, 7)]), format!("Segmentation ID '7' for '{B}' is not unique")),
        ] {
            assert_eq!(asked(&list), Err(wrong), "{list}");
        }
        assert_eq!(asked(&json!([{"port_id": A}])).map(|asked| asked.len()), Ok(1));
    }

    #[test]
    fn segments_are_vlans() {
        let segment = |said: Value| asked(&json!([said])).unwrap()[0].segment();
        assert_eq!(segment(vlan(A, 7)).unwrap(), segment(vlan(A, "7")).unwrap());
        for (said, wrong) in [
            (vlan(A, 0), "Segmentation ID '0' is not in range."),
            (vlan(A, 4095), "Segmentation ID '4095' is not in range."),
            (vlan(A, "abc"), "Invalid subport details: segmentation_id 'abc' is not an integer."),
            (
                json!({"port_id": A, "segmentation_id": 7, "segmentation_type": "vxlan"}),
                "Unknown segmentation_type 'vxlan'.",
            ),
        ] {
            let error = segment(said).unwrap_err();
            assert_eq!(error.fault().message, format!("Invalid input for operation: {wrong}"));
        }
        assert!(segment(json!({"port_id": A})).unwrap_err().fault().message.contains("missing segmentation"));
    }

    #[test]
    fn a_segment_can_be_the_networks() {
        let mut one = asked(&json!([{"port_id": A, "segmentation_type": "inherit"}])).unwrap().remove(0);
        assert!(one.inherits());
        assert!(one.segment().is_err());
        one.inherit(&json!("vlan"), &json!(201));
        assert_eq!(one.segment().unwrap().segmentation_id, 201);
    }

    proptest! {
        /// Whatever is added and removed, no two sub-ports share a segment, what
        /// is refused changes nothing, and removing undoes adding.
        #[test]
        fn segments_of_a_trunk_stay_unique(
            steps in proptest::collection::vec((any::<bool>(), 0..12_usize, 1..6_i64), 0..40),
        ) {
            let mut current: Vec<SubPort> = Vec::new();
            for (adds, port, number) in steps {
                let port = format!("{port:08x}-0000-4000-8000-000000000000");
                if adds {
                    if current.iter().any(|sub_port| sub_port.port_id == port) {
                        continue;
                    }
                    let taken = current.iter().any(|s| s.segment.segmentation_id == number);
                    match with(&current, vec![sub_port(&port, number)]) {
                        Ok(more) => {
                            prop_assert!(!taken);
                            let back = asked(&json!([{"port_id": port}])).unwrap();
                            prop_assert_eq!(without(&more, &back), Ok(current.clone()));
                            current = more;
                        }
                        Err(clash) => prop_assert!(taken && clash.segmentation_id == number),
                    }
                } else {
                    let gone = asked(&json!([{"port_id": port}])).unwrap();
                    let there = current.iter().any(|sub_port| sub_port.port_id == port);
                    match without(&current, &gone) {
                        Ok(fewer) => {
                            prop_assert!(there && fewer.len() + 1 == current.len());
                            current = fewer;
                        }
                        Err(missing) => prop_assert!(!there && missing == port),
                    }
                }
                let segments: HashSet<&Segment> = current.iter().map(|s| &s.segment).collect();
                prop_assert_eq!(segments.len(), current.len());
            }
        }
    }
}
