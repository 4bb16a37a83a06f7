//! The contract: what the tool promises, shown on a server. Each case is one function that takes an endpoint; here the
//! cases run on the server that `COUCHAPP_TEST_URL` names, in `embedded` on the embedded endpoint.
//!
//! A server that lacks something (PouchDB has no accounts and no view signatures) gets the assertions that fit it, so
//! that no case is green by doing nothing.

pub(crate) mod accounts;
pub(crate) mod administering;
pub(crate) mod album;
pub(crate) mod app;
pub(crate) mod both_ways;
pub(crate) mod cloning;
pub(crate) mod conflicts;
pub(crate) mod continuous;
pub(crate) mod credentials;
pub(crate) mod damage;
pub(crate) mod dump_damage;
pub(crate) mod dump_hostile;
pub(crate) mod dump_telling;
pub(crate) mod dumping;
pub(crate) mod endings;
pub(crate) mod faults;
pub(crate) mod fetching;
pub(crate) mod folders;
pub(crate) mod hostile;
pub(crate) mod interruptions;
pub(crate) mod job_endings;
pub(crate) mod keeping;
pub(crate) mod laws;
pub(crate) mod leaves;
pub(crate) mod mirroring;
pub(crate) mod naming;
pub(crate) mod one_document;
pub(crate) mod pushing;
pub(crate) mod remembering;
pub(crate) mod removing;
pub(crate) mod replicating;
pub(crate) mod replication_rules;
pub(crate) mod replications;
pub(crate) mod sending;
pub(crate) mod served;
pub(crate) mod server_jobs;
pub(crate) mod sessions;
pub(crate) mod status;
pub(crate) mod updating;

/// Hands the names of all cases to a macro that makes tests of them.
macro_rules! for_each_case {
    ($register:ident) => {
        $register! {
            pushing: [
                an_app_is_one_revision,
                the_example_is_pushed_as_it_is,
                an_unchanged_push_writes_nothing,
                a_change_sends_only_itself,
                attachments_leave_the_index_alone,
                attachments_are_read_back_as_they_were,
                a_missing_database_is_created_only_when_asked,
                a_dry_run_writes_nothing,
                an_export_is_the_document,
                only_what_matches_is_pushed,
                what_only_passed_over_is_still_seen,
                several_targets_are_pushed_in_order,
            ];
            remembering: [
                what_only_did_not_show_is_asked_for_later,
                a_forced_part_hides_no_other_change,
                a_stale_signature_hides_no_change,
                a_refused_push_makes_no_database,
                status_heeds_the_settings_of_push,
                a_fresh_checkout_removes_nothing_unasked,
                a_difference_in_nothing_is_an_error,
                a_clone_below_another_project_keeps_its_origin,
            ];
            removing: [
                removed_files_are_removed,
                what_nobody_here_knows_is_kept_until_delete,
                more_than_half_is_not_removed,
                an_empty_folder_is_not_pushed,
            ];
            conflicts: [
                another_writer_is_not_overwritten,
                without_a_base_an_overwrite_needs_a_yes,
                a_fresh_checkout_of_the_same_app_is_up_to_date,
                an_old_deployment_keeps_its_text,
                an_update_merges_what_does_not_overlap,
                an_update_reports_what_does,
            ];
            cloning: [
                a_clone_pushed_elsewhere_is_identical,
                a_clone_knows_where_it_is_from,
                a_folder_with_something_in_it_is_refused,
                an_old_revision_can_be_cloned,
                a_plain_document_can_be_cloned,
                a_design_address_without_a_name_means_the_only_one,
                what_is_missing_has_its_code,
                a_document_is_printed,
            ];
            updating: [
                another_document_is_not_unpacked_over_an_app,
                a_plain_folder_is_updated_as_one,
                what_would_turn_a_plain_folder_into_another_is_refused,
                what_a_plain_folder_cannot_hold_stays_with_others,
                a_layout_that_does_not_show_is_asked_for,
                a_dry_update_changes_nothing,
                what_others_have_on_the_server_survives_an_update,
                what_an_update_cannot_take_stays_on_the_server,
                a_folder_that_is_no_app_is_not_updated,
                an_update_knows_what_a_macro_made,
                an_update_remembers_text_that_was_adopted,
                an_update_only_fetches_what_is_new,
            ];
            interruptions: [
                a_killed_update_goes_on,
                one_clone_at_a_time_works_on_a_folder,
                a_broken_download_leaves_the_folder_as_it_was,
                what_is_edited_during_an_update_is_not_replaced,
                an_interrupted_clone_goes_on,
            ];
            folders: [
                documents_travel_with_the_app,
                several_design_documents_are_pushed_together,
                a_plain_folder_is_an_app,
            ];
            status: [differences_are_shown, ignored_files_are_explained];
            laws: [documents_survive_a_clone_and_a_push, trees_survive_a_push_and_a_clone];
            hostile: [
                hostile_attachment_names_stay_inside,
                hostile_fields_stay_inside,
                hostile_ids_stay_inside,
                escaped_names_come_back,
            ];
            faults: [
                lost_answers_are_recognised,
                a_cut_request_leaves_a_whole_revision,
                a_killed_push_leaves_the_old_revision,
                busy_servers_are_asked_again,
                strange_answers_are_explained,
                nothing_is_sent_where_a_redirect_points,
                an_unreachable_server_has_its_code,
            ];
            credentials: [wrong_passwords_have_their_code, every_source_of_a_password_works_and_none_shows_it];
            both_ways: [
                what_was_fetched_is_known_when_it_goes_up,
                what_was_sent_and_edited_is_not_fetched_over,
                a_database_that_the_run_made_is_remembered,
                only_state_and_passwords_are_never_stored,
                what_is_edited_during_a_fetch_is_not_replaced,
                who_was_faster_is_not_overwritten,
                two_things_for_one_path_are_both_told,
            ];
            sending: [
                a_tree_becomes_documents,
                tags_are_given_once,
                a_prefix_is_a_place_of_its_own,
                an_unchanged_folder_sends_nothing,
                a_changed_file_sends_only_itself,
                a_touched_file_updates_nothing,
                what_is_read_from_files_can_be_left_out,
                thumbnails_are_a_second_attachment,
                what_people_attached_stays_beside_thumbnails,
                a_time_of_just_now_is_written_too,
                a_missing_database_is_made_only_when_asked_for,
                the_stream_of_events_tells_all,
            ];
            keeping: [
                documents_of_others_are_not_touched,
                what_is_deleted_on_the_server_comes_back,
                a_database_that_is_made_again_is_filled_again,
                conflicting_revisions_are_told_and_kept,
                what_both_sides_changed_is_a_conflict,
                both_sides_alike_is_no_conflict,
                without_a_memory_an_overwrite_needs_a_yes,
                what_changes_during_a_run_is_noticed,
                what_is_replaced_before_the_write_is_kept,
                a_time_is_not_written_onto_another_file,
            ];
            mirroring: [
                what_is_gone_goes_only_with_delete,
                removing_what_is_not_known_needs_a_yes,
                removing_more_than_the_file_needs_a_yes,
                a_large_removal_is_stopped,
                an_empty_folder_removes_nothing,
                nothing_is_removed_after_a_read_error,
                what_cannot_be_stored_is_listed,
                what_is_left_out_counts_on_neither_side,
                a_dry_run_leaves_no_trace,
                wrong_calls_are_refused_before_anything_is_asked,
                each_place_has_its_own_memory,
            ];
            one_document: [
                a_folder_becomes_attachments_of_one_document,
                a_document_keeps_what_is_not_a_file_of_the_folder,
                an_attachment_that_both_sides_changed_is_a_conflict,
                names_of_attachments_are_escaped_and_come_back,
                a_file_that_is_gone_when_it_is_read_is_one_file,
            ];
            damage: [
                one_altered_byte_is_a_failure_of_that_file,
                a_byte_that_is_altered_once_is_sent_again,
                a_lost_answer_is_no_second_revision,
                a_refused_document_is_one_file,
                a_file_that_is_too_large_is_found_in_its_batch,
                a_busy_server_is_asked_again_for_batches,
                a_batch_that_fails_is_sent_one_by_one,
                a_server_that_is_gone_ends_the_run,
                conflicts_without_end_have_an_end,
                a_killed_upload_goes_on,
            ];
            naming: [
                special_names_travel_both_ways,
                every_size_travels_both_ways,
                names_that_do_not_come_back_are_told,
            ];
            fetching: [
                a_folder_is_made_to_match,
                a_file_that_was_edited_here_is_not_overwritten,
                without_a_memory_a_folder_is_not_overwritten,
                an_empty_database_removes_no_folder,
                a_part_is_fetched,
                what_a_document_claims_proves_nothing,
                an_older_time_is_a_change_as_well,
                what_is_edited_during_a_download_is_not_overwritten,
                nothing_is_removed_while_a_document_is_unreadable,
                a_selection_of_nothing_is_told,
                a_dry_run_tells_of_the_question,
            ];
            dumping: [
                files_come_back_and_others_have_their_folder,
                a_second_dump_fetches_what_is_new,
                a_dump_keeps_what_was_edited_here,
                a_dump_removes_only_what_it_wrote,
                a_large_removal_of_a_dump_is_stopped,
                a_part_is_dumped,
                documents_are_dumped_as_push_takes_them,
                losing_revisions_are_dumped_when_asked_for,
                a_design_document_is_dumped,
                what_people_attached_is_dumped,
                one_document_is_dumped_whole,
            ];
            dump_telling: [
                a_dump_is_verified,
                a_dump_is_a_stream_of_lines,
                two_files_for_one_path_are_told,
                a_losing_revision_without_a_path_is_told,
                a_document_that_goes_during_a_dump_is_told,
                another_compression_is_no_difference,
                a_verification_tells_of_everything,
                a_stream_tells_what_it_lacks,
            ];
            dump_hostile: [
                hostile_paths_stay_inside,
                hostile_ids_and_names_stay_inside_a_dump,
                links_in_the_folder_lead_nowhere,
                escaped_names_are_fetched_again,
            ];
            dump_damage: [
                one_altered_byte_is_kept_away,
                a_damaged_update_leaves_the_old_file,
                a_broken_download_goes_on,
                a_killed_download_goes_on,
            ];
            sessions: [
                a_session_of_sync_dir,
                a_session_of_refusals,
                a_session_of_dump,
                a_session_of_events,
            ];
        }
    };
}
pub(crate) use for_each_case;

macro_rules! on_the_endpoint {
    ($($module:ident: [$($case:ident),* $(,)?];)*) => {
        $($(
            #[test]
            #[cfg_attr(not(endpoint), ignore = "set COUCHAPP_TEST_URL")]
            fn $case() {
                $module::$case(&crate::harness::Endpoint::from_environment());
            }
        )*)*
    };
}

for_each_case!(on_the_endpoint);

// What the stand-in cannot do.
on_the_endpoint! {
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
        an_edit_is_asked_for_once,
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
    ];
    replication_rules: [
        what_is_no_replication_is_refused,
        replications_are_for_administrators,
        others_see_no_password,
    ];
    endings: [a_source_that_cannot_be_written_is_read, a_group_that_is_too_large_is_halved];
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

// What needs a `_replicator`.
on_the_endpoint! {
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
        a_scheduler_that_fails_is_done_without,
        no_credential_is_left_at_a_server,
    ];
    endings: [what_cannot_be_replicated_says_why, who_may_not_write_is_told_what_was_refused];
}

#[cfg(all(unix, feature = "serve"))]
on_the_endpoint! {
    server_jobs: [what_another_run_waits_for_goes_on, what_a_job_that_goes_on_is_refused_is_told];
}

#[cfg(all(target_os = "linux", feature = "serve"))]
on_the_endpoint! {
    job_endings: [on_a_terminal_it_is_asked_what_stays];
}
