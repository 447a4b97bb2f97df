//! Providers as the operator writes them. In Neutron:
//! `parse_service_provider_opt`, `ProviderConfiguration.add_provider`.

use hadron_sdk::serde_json::json;
use hadron_sdk::{Document, Error, Result};

/// Longest name, in characters (Neutron's NAME_FIELD_SIZE).
const LONGEST_NAME: usize = 255;

/// Somebody who provides a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Provider {
    service_type: String,
    name: String,
    driver: String,
    default: bool,
}

impl Provider {
    /// Its row; the list is shown in the order of the rows' ids.
    pub(crate) fn document(&self, place: usize) -> Document {
        let mut document = Document::new();
        document.insert("id".to_owned(), json!(format!("{place:08}")));
        document.insert("service_type".to_owned(), json!(self.service_type));
        document.insert("name".to_owned(), json!(self.name));
        document.insert("default".to_owned(), json!(self.default));
        document.insert("driver".to_owned(), json!(self.driver));
        document
    }
}

fn wrong(reason: String) -> Error {
    Error::invalid("Invalid", format!("service_provider: {reason}"))
}

/// Reads `SERVICE_TYPE:NAME:DRIVER[:default]`, one each; two of one name, two
/// of one driver, and two defaults of a service type are refused.
pub(crate) fn parse(lines: &[String]) -> Result<Vec<Provider>> {
    let mut providers: Vec<Provider> = Vec::with_capacity(lines.len());
    for line in lines {
        let provider = one(line)?;
        let same_type = || providers.iter().filter(|p| p.service_type == provider.service_type);
        if same_type().any(|p| p.name == provider.name) {
            return Err(wrong(format!("Multiple providers with name {} for '{line}'", provider.name)));
        }
        if same_type().any(|p| p.driver == provider.driver) {
            return Err(wrong(format!("Driver {} is not unique across providers", provider.driver)));
        }
        if provider.default && same_type().any(|p| p.default) {
            return Err(wrong(format!("Multiple default providers for service {}", provider.service_type)));
        }
        providers.push(provider);
    }
    Ok(providers)
}

fn one(line: &str) -> Result<Provider> {
    let parts: Vec<&str> = line.split(':').map(str::trim).collect();
    let (service_type, name, driver, last) = match parts.as_slice() {
        [service_type, name, driver] => (service_type, name, driver, ""),
        [service_type, name, driver, last] => (service_type, name, driver, *last),
        _ => return Err(wrong(format!("Invalid service provider format: '{line}'"))),
    };
    if [service_type, name, driver].iter().any(|part| part.is_empty()) {
        return Err(wrong(format!("Invalid service provider format: '{line}'")));
    }
    if name.chars().count() > LONGEST_NAME {
        return Err(wrong(format!("Provider name {name} is limited by {LONGEST_NAME} characters")));
    }
    if !["", "default"].contains(&last) {
        return Err(wrong(format!(
            "Invalid provider format. Last part should be 'default' or empty: {line}"
        )));
    }
    Ok(Provider {
        service_type: (*service_type).to_owned(),
        name: name.to_lowercase(),
        driver: (*driver).to_owned(),
        default: last == "default",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(lines: &[&str]) -> Result<Vec<Provider>> {
        parse(&lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_line_is_type_name_driver_and_perhaps_default() {
        let providers = parsed(&["VPN:StrongSwan:ipsec:default", "VPN:libreswan:libre", "L3:x:y:"]).unwrap();
        assert_eq!((providers[0].name.as_str(), providers[0].default), ("strongswan", true));
        assert_eq!((providers[1].driver.as_str(), providers[1].default), ("libre", false));
        assert_eq!(providers.len(), 3);
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for (lines, why) in [
            (&["VPN:a"][..], "Invalid service provider format"),
            (&["VPN::driver"], "Invalid service provider format"),
            (&["VPN:a:b:c"], "Last part should be 'default'"),
            (&["VPN:a:b", "VPN:A:c"], "Multiple providers with name a"),
            (&["VPN:a:b", "VPN:c:b"], "Driver b is not unique"),
            (&["VPN:a:b:default", "VPN:c:d:default"], "Multiple default providers for service VPN"),
        ] {
            let message = parsed(lines).unwrap_err().fault().message.clone();
            assert!(message.contains(why), "{message}");
        }
        assert!(parsed(&["VPN:a:b:default", "L3:a:b:default"]).is_ok());
    }
}
