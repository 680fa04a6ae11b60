pub(crate) fn is_not_reached() {}
