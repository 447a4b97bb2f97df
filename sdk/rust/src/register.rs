//! One registration macro for each world, and one for manifests.

/// A [`Manifest`](crate::Manifest) with the given name and description, and the
/// version of the crate that says so.
#[macro_export]
macro_rules! manifest {
    ($name:expr, $description:expr) => {
        $crate::Manifest {
            name: $name.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            description: $description.into(),
            ..::core::default::Default::default()
        }
    };
}

/// Makes the crate a mechanism driver; takes the name of a type that implements
/// [`MechanismDriver`](crate::MechanismDriver).
#[macro_export]
macro_rules! mechanism_driver {
    ($driver:ident) => {
        $crate::__register!($driver, Mechanism, MECHANISM_DRIVER, "component-type:hadron-sdk:mechanism-driver", {
            use $crate::bindings::exports::hadron as e;
            e::host::plugin::__export_hadron_host_plugin_0_1_0_cabi!(Exported with_types_in e::host::plugin);
            e::ml2::mechanism::__export_hadron_ml2_mechanism_0_1_0_cabi!(
                Exported with_types_in e::ml2::mechanism
            );
        });
    };
}

/// Makes the crate a type driver; takes the name of a type that implements
/// [`TypeDriver`](crate::TypeDriver).
#[macro_export]
macro_rules! type_driver {
    ($driver:ident) => {
        $crate::__register!($driver, SegmentType, TYPE_DRIVER, "component-type:hadron-sdk:type-driver", {
            use $crate::bindings::exports::hadron as e;
            e::host::plugin::__export_hadron_host_plugin_0_1_0_cabi!(Exported with_types_in e::host::plugin);
            e::ml2::segment_type::__export_hadron_ml2_segment_type_0_1_0_cabi!(
                Exported with_types_in e::ml2::segment_type
            );
        });
    };
}

/// Makes the crate a type driver with ranges; takes the name of a type that
/// implements [`TypeDriver`](crate::TypeDriver) and
/// [`SegmentRanges`](crate::SegmentRanges).
#[macro_export]
macro_rules! ranged_type_driver {
    ($driver:ident) => {
        $crate::__register!(
            $driver,
            SegmentType,
            RANGED_TYPE_DRIVER,
            "component-type:hadron-sdk:ranged-type-driver",
            {
                use $crate::bindings::exports::hadron as e;
                e::host::plugin::__export_hadron_host_plugin_0_1_0_cabi!(
                    Exported with_types_in e::host::plugin
                );
                e::ml2::segment_type::__export_hadron_ml2_segment_type_0_1_0_cabi!(
                    Exported with_types_in e::ml2::segment_type
                );
                e::ml2::segment_ranges::__export_hadron_ml2_segment_ranges_0_1_0_cabi!(
                    Exported with_types_in e::ml2::segment_ranges
                );
            }
        );
    };
}

/// Makes the crate a service plugin; takes the name of a type that implements
/// [`ServicePlugin`](crate::ServicePlugin).
#[macro_export]
macro_rules! service_plugin {
    ($plugin:ident) => {
        $crate::__register!($plugin, Service, SERVICE_PLUGIN, "component-type:hadron-sdk:service-plugin", {
            $crate::__service_exports!();
        });
    };
}

/// Makes the crate the core plugin; takes the name of a type that implements
/// [`CorePlugin`](crate::CorePlugin).
#[macro_export]
macro_rules! core_plugin {
    ($plugin:ident) => {
        $crate::__register!($plugin, Service, CORE_PLUGIN, "component-type:hadron-sdk:core-plugin", {
            $crate::__service_exports!();
            use $crate::bindings::exports::hadron as m;
            m::ml2::reports::__export_hadron_ml2_reports_0_1_0_cabi!(Exported with_types_in m::ml2::reports);
        });
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __service_exports {
    () => {
        use $crate::bindings::exports::hadron::host as h;
        h::plugin::__export_hadron_host_plugin_0_1_0_cabi!(Exported with_types_in h::plugin);
        h::handler::__export_hadron_host_handler_0_1_0_cabi!(Exported with_types_in h::handler);
        h::extender::__export_hadron_host_extender_0_1_0_cabi!(Exported with_types_in h::extender);
        h::subscriber::__export_hadron_host_subscriber_0_1_0_cabi!(Exported with_types_in h::subscriber);
        h::messages::__export_hadron_host_messages_0_1_0_cabi!(Exported with_types_in h::messages);
        h::ticker::__export_hadron_host_ticker_0_1_0_cabi!(Exported with_types_in h::ticker);
        h::delivery::__export_hadron_host_delivery_0_1_0_cabi!(Exported with_types_in h::delivery);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __register {
    ($plugin:ident, $world:ident, $section:ident, $name:literal, { $($exports:tt)* }) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Exported = $crate::worlds::Component<$plugin, $crate::worlds::$world>;
            $($exports)*

            // The name must start with `component-type` and be no other's, or
            // the linker joins two sections into one that nobody can read.
            #[used]
            #[unsafe(link_section = $name)]
            static COMPONENT_TYPE: [u8; $crate::worlds::types::$section.len()] =
                $crate::worlds::types::array($crate::worlds::types::$section);
        };
    };
}
