//! The cases of the contract on the embedded endpoint.

use crate::contract::for_each_case;
use crate::harness::Endpoint;

macro_rules! on_the_embedded_endpoint {
    ($($module:ident: [$($case:ident),* $(,)?];)*) => {
        $($(
            #[test]
            fn $case() {
                crate::contract::$module::$case(&Endpoint::embedded());
            }
        )*)*
    };
}

for_each_case!(on_the_embedded_endpoint);

// What the stand-in cannot do.
on_the_embedded_endpoint! {
    served: [functions_answer, an_index_survives_a_push_of_attachments];
    dumping: [a_view_says_what_is_dumped];
}
