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
    replicating: [
        everything_is_carried_as_it_is,
        what_the_target_has_is_not_sent_again,
        a_part_is_replicated,
        refused_documents_are_told,
        a_replication_that_cannot_be_has_its_code,
        a_killed_replication_goes_on,
        shapes_carry_everything_everywhere,
        edits_at_both_ends_meet,
        a_target_that_goes_ends_the_job,
        a_source_that_changes_meanwhile_is_carried,
    ];
    replications: [
        a_replication_is_waited_for,
        a_name_is_a_database_of_the_server,
        a_part_is_carried_by_the_server,
        a_replication_goes_on_until_it_is_cancelled,
        documents_join_databases_in_a_row,
        a_document_tells_how_it_ended,
        the_same_replication_twice_fails,
        what_cannot_be_replicated_is_tried_again,
        what_is_no_replication_is_refused,
        replications_are_for_administrators,
        others_see_no_password,
    ];
    served: [functions_answer, an_index_survives_a_push_of_attachments];
    dumping: [a_view_says_what_is_dumped];
}
