//! Nothing: this package only names sources to fetch.
