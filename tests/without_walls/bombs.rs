pub(crate) fn are_stopped_by_groups_or_by_limits() {}
pub(crate) fn in_a_cell_harm_only_its_own_call() {}
