//! What can be agreed upon with a peer. In Neutron: the constants of
//! `neutron_lib.api.definitions.vpn` and `vpn_aes_ctr`.

/// How packets are authenticated; the first is the default.
pub(crate) const AUTH: [&str; 6] = ["sha1", "sha256", "sha384", "sha512", "aes-xcbc", "aes-cmac"];

/// How packets are encrypted.
pub(crate) const ENCRYPTION: [&str; 25] = [
    "3des",
    "aes-128",
    "aes-192",
    "aes-256",
    "aes-128-ccm-8",
    "aes-192-ccm-8",
    "aes-256-ccm-8",
    "aes-128-ccm-12",
    "aes-192-ccm-12",
    "aes-256-ccm-12",
    "aes-128-ccm-16",
    "aes-192-ccm-16",
    "aes-256-ccm-16",
    "aes-128-gcm-8",
    "aes-192-gcm-8",
    "aes-256-gcm-8",
    "aes-128-gcm-12",
    "aes-192-gcm-12",
    "aes-256-gcm-12",
    "aes-128-gcm-16",
    "aes-192-gcm-16",
    "aes-256-gcm-16",
    "aes-128-ctr",
    "aes-192-ctr",
    "aes-256-ctr",
];

/// Groups of Diffie and Hellman.
pub(crate) const PFS: [&str; 20] = [
    "group2", "group5", "group14", "group15", "group16", "group17", "group18", "group19", "group20",
    "group21", "group22", "group23", "group24", "group25", "group26", "group27", "group28", "group29",
    "group30", "group31",
];

/// How IKE begins; the first is the default.
pub(crate) const NEGOTIATION: [&str; 2] = ["main", "aggressive"];

/// Versions of IKE; the first is the default.
pub(crate) const IKE: [&str; 2] = ["v1", "v2"];

/// What protects packets.
pub(crate) const TRANSFORM: [&str; 3] = ["ah", "ah-esp", "esp"];

/// The one of them that what carries connections out does not do.
pub(crate) const UNSUPPORTED_TRANSFORM: &str = "ah-esp";

/// What of a packet is protected.
pub(crate) const ENCAPSULATION: [&str; 2] = ["transport", "tunnel"];

/// What lifetimes are counted in.
pub(crate) const UNITS: [&str; 1] = ["seconds"];

/// What is done about a peer that does not answer.
pub(crate) const DPD_ACTIONS: [&str; 5] = ["clear", "disabled", "hold", "restart", "restart-by-peer"];

/// Who may begin; the first is the default.
pub(crate) const INITIATORS: [&str; 2] = ["bi-directional", "response-only"];

/// What endpoints can be.
pub(crate) const ENDPOINTS: [&str; 5] = ["cidr", "network", "router", "subnet", "vlan"];
