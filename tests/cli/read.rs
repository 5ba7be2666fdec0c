//! Looking into archives and taking things out.
