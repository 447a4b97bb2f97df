//! The kernel's links of this network namespace, by rtnetlink: bridges, what is
//! plugged into them, and tunnels.

use futures::{Stream, StreamExt, TryStreamExt};
use rtnetlink::packet_core::{
    NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use rtnetlink::packet_route::address::AddressAttribute;
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::{Handle, LinkBridge, LinkMessageBuilder, LinkUnspec, LinkVlan, LinkVxlan, MulticastGroup};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// The address of what is sent to all ends of a tunnel that is not told another.
const ANY_MAC: [u8; 6] = [0; 6];

/// What the kernel refuses.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no socket.
    #[error("no netlink socket: {0}")]
    Socket(#[from] std::io::Error),
    /// Something was not done.
    #[error("the kernel does not {what}: {error}")]
    Refused {
        /// What was asked for.
        what: String,
        /// What it says.
        error: rtnetlink::Error,
    },
}

/// A link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number: unique while the machine runs.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// The number of the bridge that it is plugged into.
    pub bridge: Option<u32>,
    /// How large packets may be, in bytes.
    pub mtu: u32,
    /// Whether it is meant to carry anything.
    pub is_up: bool,
    /// What was noted on it.
    pub alias: Option<String>,
}

/// A VXLAN tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vxlan {
    /// The number that tells networks apart.
    pub vni: u32,
    /// Where it ends here.
    pub local: IpAddr,
    /// The multicast group and the link to it; none where each end is told of.
    pub group: Option<(IpAddr, u32)>,
    /// The UDP port.
    pub port: u16,
    /// How many routers a packet passes at most; none for the kernel's choice.
    pub ttl: Option<u8>,
}

/// The kernel. What is asked ends when this is dropped.
#[derive(Clone)]
pub struct Links {
    handle: Handle,
}

/// Says what was asked for, where it is refused.
fn refused(what: impl Into<String>) -> impl FnOnce(rtnetlink::Error) -> Error {
    let what = what.into();
    |error| Error::Refused { what, error }
}

impl Links {
    /// Connects to the kernel, in the network namespace of this thread; must be
    /// called within Tokio. The stream says when a link has come, changed or gone,
    /// or this may have been missed.
    ///
    /// # Errors
    /// Where there is no such socket.
    pub fn connect() -> Result<(Links, impl Stream<Item = ()> + Send + 'static), Error> {
        let (connection, handle, _) = rtnetlink::new_connection()?;
        tokio::spawn(connection);
        let (connection, _, messages) = rtnetlink::new_multicast_connection(&[MulticastGroup::Link])?;
        tokio::spawn(connection);
        Ok((Links { handle }, messages.map(drop)))
    }

    /// All links.
    ///
    /// # Errors
    /// [`Error::Refused`], as of all below.
    pub async fn all(&self) -> Result<Vec<Link>, Error> {
        let messages = self.handle.link().get().execute().map_ok(|message| link(&message));
        messages.try_collect().await.map_err(refused("list links"))
    }

    /// The link that has an address.
    ///
    /// # Errors
    /// As [`Links::all`].
    pub async fn with_address(&self, ip: IpAddr) -> Result<Option<u32>, Error> {
        let messages = self.handle.address().get().execute();
        let all: Vec<_> = messages.try_collect().await.map_err(refused("list addresses"))?;
        let mut having = all.into_iter().filter(|message| {
            message.attributes.iter().any(|attribute| match attribute {
                AddressAttribute::Address(address) | AddressAttribute::Local(address) => *address == ip,
                _ => false,
            })
        });
        Ok(having.next().map(|message| message.header.index))
    }

    /// Makes a bridge whose packets pass the filters for IP, notes something on
    /// it, and switches it on.
    ///
    /// # Errors
    /// As [`Links::all`].
    pub async fn add_bridge(&self, name: &str, alias: &str) -> Result<(), Error> {
        let bridge = LinkBridge::new(name)
            // A network is no tree, and nobody waits for one to be found.
            .forward_delay(0)
            .nf_call_iptables(true)
            .nf_call_ip6tables(true)
            .alias(alias)
            .up()
            .build();
        self.add(name, bridge).await
    }

    /// Has packets of a bridge that there is pass the filters for IP.
    ///
    /// # Errors
    /// As [`Links::all`].
    pub async fn filter(&self, bridge: &Link) -> Result<(), Error> {
        let name = &bridge.name;
        let change = LinkBridge::new(name)
            .index(bridge.index)
            .nf_call_iptables(true)
            .nf_call_ip6tables(true)
            .up()
            .build();
        let what = format!("filter packets of {name} (is br_netfilter loaded?)");
        self.handle.link().change(change).execute().await.map_err(refused(what))
    }

    /// Makes a VXLAN tunnel.
    ///
    /// # Errors
    /// As [`Links::all`].
    pub async fn add_vxlan(&self, name: &str, vxlan: &Vxlan) -> Result<(), Error> {
        let mut message = LinkVxlan::new(name, vxlan.vni).port(vxlan.port);
        message = match vxlan.local {
            IpAddr::V4(ip) => message.local(ip),
            IpAddr::V6(ip) => message.local6(ip),
        };
        message = match vxlan.group {
            Some((IpAddr::V4(ip), link)) => message.group(ip).dev(link),
            Some((IpAddr::V6(ip), link)) => message.group6(ip).dev(link),
            None => message,
        };
        if let Some(ttl) = vxlan.ttl {
            message = message.ttl(ttl);
        }
        self.add(name, message.build()).await
    }

    /// Makes a link for a VLAN of another.
    ///
    /// # Errors
    /// As [`Links::all`]; not every kernel has such links.
    pub async fn add_vlan(&self, name: &str, parent: u32, vlan: u16) -> Result<(), Error> {
        self.add(name, LinkVlan::new(name, parent, vlan).build()).await
    }

    async fn add(&self, name: &str, message: LinkMessage) -> Result<(), Error> {
        self.handle.link().add(message).execute().await.map_err(refused(format!("make {name}")))
    }

    /// Removes a link.
    ///
    /// # Errors
    /// As [`Links::all`].
    pub async fn remove(&self, link: &Link) -> Result<(), Error> {
        let what = format!("remove {}", link.name);
        self.handle.link().del(link.index).execute().await.map_err(refused(what))
    }

    /// Plugs a link into a bridge, out of the one that it is in.
    ///
    /// # Errors
    /// As [`Links::all`].
    pub async fn plug(&self, link: &Link, bridge: &Link) -> Result<(), Error> {
        let what = format!("plug {} into {}", link.name, bridge.name);
        self.change(what, LinkUnspec::new_with_index(link.index).controller(bridge.index)).await
    }

    /// Unplugs a link.
    ///
    /// # Errors
    /// As [`Links::all`].
    pub async fn unplug(&self, link: &Link) -> Result<(), Error> {
        let what = format!("unplug {}", link.name);
        self.change(what, LinkUnspec::new_with_index(link.index).nocontroller()).await
    }

    /// Switches a link on.
    ///
    /// # Errors
    /// As [`Links::all`].
    pub async fn switch_on(&self, link: &Link) -> Result<(), Error> {
        self.change(format!("switch {} on", link.name), LinkUnspec::new_with_index(link.index).up()).await
    }

    /// Sets how large a link's packets may be, in bytes.
    ///
    /// # Errors
    /// As [`Links::all`].
    pub async fn limit(&self, link: &Link, mtu: u32) -> Result<(), Error> {
        let what = format!("set the MTU of {} to {mtu}", link.name);
        self.change(what, LinkUnspec::new_with_index(link.index).mtu(mtu)).await
    }

    /// Notes something on a link.
    ///
    /// # Errors
    /// As [`Links::all`].
    pub async fn note(&self, link: &Link, alias: &str) -> Result<(), Error> {
        let what = format!("note anything on {}", link.name);
        self.change(what, LinkUnspec::new_with_index(link.index).alias(alias)).await
    }

    async fn change(&self, what: String, message: LinkMessageBuilder<LinkUnspec>) -> Result<(), Error> {
        self.handle.link().change(message.build()).execute().await.map_err(refused(what))
    }

    /// Where a tunnel sends what it sends to all ends.
    ///
    /// # Errors
    /// As [`Links::all`].
    pub async fn ends(&self, tunnel: u32) -> Result<BTreeSet<IpAddr>, Error> {
        let mut request = self.handle.neighbours().get().set_address_family(AddressFamily::Bridge);
        request.message_mut().header.ifindex = tunnel;
        let all: Vec<NeighbourMessage> =
            request.execute().try_collect().await.map_err(refused("list ends of tunnels"))?;
        let of_tunnel = all.iter().filter(|message| message.header.ifindex == tunnel);
        Ok(of_tunnel.filter_map(end).collect())
    }

    /// Has a tunnel send what it sends to all ends there, too.
    ///
    /// # Errors
    /// As [`Links::all`].
    pub async fn add_end(&self, tunnel: u32, ip: IpAddr) -> Result<(), Error> {
        let mut message = NetlinkMessage::from(RouteNetlinkMessage::NewNeighbour(end_at(tunnel, ip)));
        // Beside the ends that there are: this one need not be the first.
        message.header.flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_APPEND;
        let what = || format!("send to the tunnel's end {ip}");
        let mut answers = self.handle.clone().request(message).map_err(refused(what()))?;
        while let Some(answer) = answers.next().await {
            if let NetlinkPayload::Error(error) = answer.payload
                && error.code.is_some()
            {
                return Err(refused(what())(rtnetlink::Error::NetlinkError(error)));
            }
        }
        Ok(())
    }

    /// Has a tunnel send nothing there any more.
    ///
    /// # Errors
    /// As [`Links::all`].
    pub async fn remove_end(&self, tunnel: u32, ip: IpAddr) -> Result<(), Error> {
        let request = self.handle.neighbours().del(end_at(tunnel, ip)).execute();
        request.await.map_err(refused(format!("forget the tunnel's end {ip}")))
    }
}

/// An entry of a tunnel's table: what goes to nobody in particular goes there.
fn end_at(tunnel: u32, ip: IpAddr) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Bridge;
    message.header.ifindex = tunnel;
    message.header.state = NeighbourState::Permanent;
    message.header.flags = NeighbourFlags::Own;
    let ip = match ip {
        IpAddr::V4(ip) => NeighbourAddress::Inet(ip),
        IpAddr::V6(ip) => NeighbourAddress::Inet6(ip),
    };
    message.attributes =
        vec![NeighbourAttribute::LinkLayerAddress(ANY_MAC.to_vec()), NeighbourAttribute::Destination(ip)];
    message
}

/// The end that such an entry leads to; nothing of others.
fn end(message: &NeighbourMessage) -> Option<IpAddr> {
    let any = NeighbourAttribute::LinkLayerAddress(ANY_MAC.to_vec());
    message.attributes.contains(&any).then_some(())?;
    message.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(ip)) => Some(IpAddr::V4(*ip)),
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(ip)) => Some(IpAddr::V6(*ip)),
        // Of the bridge's family the crate does not know whose address it is.
        NeighbourAttribute::Destination(NeighbourAddress::Other(octets)) => {
            let octets = octets.as_slice();
            let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()
        }
        _ => None,
    })
}

fn link(message: &LinkMessage) -> Link {
    let mut link = Link {
        index: message.header.index,
        name: String::new(),
        bridge: None,
        mtu: 0,
        is_up: message.header.flags.contains(LinkFlags::Up),
        alias: None,
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::Controller(bridge) => link.bridge = Some(*bridge),
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            LinkAttribute::IfAlias(alias) => link.alias = Some(alias.clone()),
            _ => {}
        }
    }
    link
}
