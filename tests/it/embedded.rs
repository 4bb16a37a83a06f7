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
        what_is_refused_twice_in_a_ring_is_counted_once,
        nothing_is_lost_without_a_word,
        a_replication_that_cannot_be_has_its_code,
        a_killed_replication_goes_on,
        shapes_carry_everything_everywhere,
    ];
    continuous: [
        edits_at_both_ends_meet,
        a_target_that_goes_ends_the_job,
        a_source_that_changes_meanwhile_is_carried,
    ];
    server_jobs: [
        a_server_carries_everything,
        a_server_carries_a_part,
        what_a_server_cannot_carry_is_told,
        an_equal_job_is_not_doubled,
        somebody_elses_job_stays_theirs,
        a_job_that_was_gone_is_not_counted_as_cancelled,
    ];
    job_endings: [
        a_run_that_is_stopped_leaves_no_job,
        what_a_killed_run_left_is_tidied_up,
        a_target_that_goes_ends_a_job,
        a_job_that_crashes_for_ever_is_given_up,
        what_stays_beside_a_failure_is_told,
        a_job_that_may_be_left_is_named,
        a_job_whose_answer_was_lost_is_removed,
        no_credential_is_left_at_a_server,
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
    ];
    replication_rules: [
        what_is_no_replication_is_refused,
        replications_are_for_administrators,
        others_see_no_password,
    ];
    endings: [
        a_source_that_cannot_be_written_is_read,
        a_group_that_is_too_large_is_halved,
        what_cannot_be_replicated_says_why,
        who_may_not_write_is_told_what_was_refused,
    ];
    administering: [
        each_has_a_database_and_the_family_another,
        members_are_written_before_anything_else,
        a_database_without_its_members_is_removed_again,
        what_a_security_object_holds_survives,
        who_is_no_admin_is_told_so,
        a_database_is_deleted_by_its_name,
        databases_are_listed,
        a_session_of_databases,
    ];
    accounts: [
        a_user_is_added_and_can_sign_in,
        names_of_users_are_names_and_nothing_else,
        a_password_is_changed_and_nothing_else,
        users_change_their_own_password_where_they_may,
        admins_of_the_server_are_no_users,
        a_removed_user_is_told_of_where_the_name_stands,
        a_lost_answer_is_told_as_such,
        a_session_of_users,
    ];
    served: [functions_answer, an_index_survives_a_push_of_attachments];
    dumping: [a_view_says_what_is_dumped];
}

#[cfg(unix)]
on_the_embedded_endpoint! {
    server_jobs: [what_another_run_waits_for_goes_on, what_a_job_that_goes_on_is_refused_is_told];
}

#[cfg(target_os = "linux")]
on_the_embedded_endpoint! {
    job_endings: [on_a_terminal_it_is_asked_what_stays];
}
